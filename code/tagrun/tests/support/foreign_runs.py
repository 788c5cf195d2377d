"""Runs as other tools write them: MLflow's folders, TensorBoard's event files, W&B's file.

folder = mlruns(tmp_path, metrics={'loss': [(1, 2.0)]})
"""

import csv
import struct
import zlib


def mlruns(root, experiment='old times', run='a' * 32, status=3, metrics=(), params=(), **meta):
    """A run as MLflow 3.17's file store wrote it."""
    import yaml

    folder = root / '532441895882779304' / run
    for name, text in {
        **{f'params/{name}': text for name, text in dict(params).items()},
        **{
            f'metrics/{name}': ''.join(f'1795264619756 {value} {step}\n' for step, value in pairs)
            for name, pairs in dict(metrics).items()
        },
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder.parent / 'meta.yaml').write_text(
        yaml.safe_dump(
            {'experiment_id': '532441895882779304', 'lifecycle_stage': 'active', 'name': experiment}
        )
    )
    (folder / 'meta.yaml').write_text(
        yaml.safe_dump(
            {
                'run_id': run,
                'run_name': 'lr 0.1',
                'lifecycle_stage': 'active',
                'status': status,
                'start_time': 1795264619749,
                'end_time': 1795264629749,
                **meta,
            }
        )
    )
    return folder


def events(folder, scalars):
    """Event files as TensorBoard's own writer makes them."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for tag, pairs in scalars.items():
        for step, value in pairs:
            writer.add_event(
                event_pb2.Event(
                    wall_time=1795264619 + step,
                    step=step,
                    summary=summary_pb2.Summary(
                        value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)]
                    ),
                )
            )
    writer.close()


def wandb_file(path, records):
    """The frame of W&B's file around protobuf records, in blocks of 32 KiB."""
    content = bytearray(b':W&B' + struct.pack('<HB', 0xBEE1, 0))
    for record in records:
        data, first = record.SerializeToString(), True
        while first or data:
            room = 32768 - len(content) % 32768
            if room < 7:
                content += b'\0' * room
                continue
            part, data = data[: room - 7], data[room - 7 :]
            kind = (1 if not data else 2) if first else (3 if data else 4)
            content += (
                struct.pack('<IHB', zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind)
                + part
            )
            first = False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def read_history(project, name):
    """The rows of a run's history.csv."""
    with open(project.folder(name) / 'history.csv', newline='') as file:
        return list(csv.DictReader(file))
