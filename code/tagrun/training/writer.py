"""What TensorBoard shows of a run: loss and learning rate per step, metrics per epoch, the graph, confusion matrices, HParams.

    writer = Writer(folder); writer.step(step, loss, lr); writer.epoch(3, {'val/acc': 0.9}); sizes = writer.flush()

Events are made and written many at once, with TensorBoard's own messages and record format: an eighth of what SummaryWriter and its
thread take for a step. A checkpoint keeps the sizes of the event files; on resume they are cut back to them, so that no point is there twice.
"""
import io
import os
import re
import time
from pathlib import Path

import torch
from tensorboard.compat.proto.event_pb2 import Event, TaggedRunMetadata
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from tagrun.store import atomic
from tagrun.training.meter import fetch

EVERY = 100     # steps whose scalars are written at once
CLASSES = 30    # more cannot be read in a heatmap's labels


class Writer:
    def __init__(self, folder, sizes=None):
        """`sizes`: {file name: bytes} of a checkpoint; files of the folder that are not in it are removed."""
        self._folder = Path(folder) / 'tensorboard'
        self._folder.mkdir(exist_ok=True)
        self._cut_back(sizes or {})
        self._pending = []      # (step, loss, lr)
        self._file = open(self._folder / f'events.out.tfevents.{self._next():010d}', 'xb', buffering=0)
        self._write([Event(wall_time=time.time(), file_version='brain.Event:2')])

    def hparams(self, args):
        """The HParams tab's row: every argument."""
        from torch.utils.tensorboard.summary import hparams  # half a second
        values = {name: value if type(value) in (int, float, str) else str(value) for name, value in vars(args).items()}
        # Of its three summaries only the start of a session: without an experiment TensorBoard joins the runs' own arguments and
        # puts first what differs, and takes the metrics from the scalars.
        self._write([Event(wall_time=time.time(), summary=hparams(values, {})[1])])

    def graph(self, model, example):
        """The model's graph, traced on a batch of one or two samples. Returns why it could not be, or ''."""
        import warnings
        training = model.training
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                from torch.utils.tensorboard._pytorch_graph import graph    # what SummaryWriter.add_graph calls
                drawn, profile = graph(model.eval(), example)
        except Exception as error:  # whatever tracing an unknown model may raise: a picture is not worth a run
            return str(error).strip().partition('\n')[0] or type(error).__name__
        finally:
            model.train(training)
        metadata = TaggedRunMetadata(tag='step1', run_metadata=profile.SerializeToString())
        self._write([Event(wall_time=time.time(), graph_def=drawn.SerializeToString()), Event(wall_time=time.time(), tagged_run_metadata=metadata)])
        return ''

    def step(self, step, loss, lr):
        self._pending.append((step, loss, lr))
        if len(self._pending) >= EVERY:
            self.show()

    def epoch(self, epoch, metrics):
        self.show()
        self._write([_scalars(epoch, metrics)])

    def confusion(self, name, matrix, classes, epoch):
        """A heatmap; `matrix`: (C, C) counts, rows the truth, columns the prediction."""
        picture = io.BytesIO()
        figure = _heatmap(matrix, classes)
        figure.savefig(picture, format='png')
        width, height = (int(side) for side in figure.get_size_inches() * figure.dpi)
        image = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=picture.getvalue())
        self._write([Event(wall_time=time.time(), step=epoch, summary=Summary(value=[Summary.Value(tag=name, image=image)]))])

    def show(self):
        """Let readers see what is there."""
        known = [entry for entry in self._pending if entry[1] is not None]
        losses = fetch([entry[1] for entry in known])
        self._write([_scalars(step, {'step/loss': loss, 'step/lr': lr}) for (step, _, lr), loss in zip(known, losses)])
        self._pending = []

    def flush(self):
        """Put all in the files; {file name: bytes}."""
        self.show()
        return {file.name: file.stat().st_size for file in self._folder.iterdir()}

    def close(self):
        self.show()
        self._file.close()

    def _write(self, events):
        records = io.BytesIO()
        writer = RecordWriter(records)
        for event in events:
            writer.write(event.SerializeToString())
        atomic.put(self._file, records.getvalue())

    def _next(self):
        """The number of a new file: TensorBoard reads them in the order of their names."""
        return max((int(number) for file in self._folder.iterdir() for number in re.findall('tfevents.([0-9]+)', file.name)), default=-1) + 1

    def _cut_back(self, sizes):
        for file in self._folder.iterdir():
            if file.name in sizes:
                os.truncate(file, min(sizes[file.name], file.stat().st_size))
            else:
                file.unlink()


def _scalars(step, values):
    return Event(wall_time=time.time(), step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()]))


def _heatmap(matrix, classes):
    from matplotlib.figure import Figure
    matrix = torch.as_tensor(matrix).double()
    share = matrix / matrix.sum(1, keepdim=True).clamp(min=1)   # of each true class
    size = min(12, 3 + 0.4 * len(matrix))                       # inches
    figure = Figure(figsize=(size, size), dpi=80, layout='constrained')
    axes = figure.subplots()
    font = min(14, 6 + 80 / len(matrix))                        # points: TensorBoard shows it at half its size
    axes.imshow(share, cmap='Blues', vmin=0, vmax=1)
    axes.set_xlabel('predicted', fontsize=14)
    axes.set_ylabel('true', fontsize=14)
    if len(matrix) <= CLASSES:
        labels = [str(name) for name in (classes or range(len(matrix)))]
        axes.set_xticks(range(len(matrix)), labels, rotation=90 if max(map(len, labels)) > 2 else 0, fontsize=font)
        axes.set_yticks(range(len(matrix)), labels, fontsize=font)
        for row in range(len(matrix)):
            for column in range(len(matrix)):
                if count := int(matrix[row, column]):
                    axes.text(column, row, count, ha='center', va='center', fontsize=font, color='white' if share[row, column] > 0.5 else 'black')
    return figure
