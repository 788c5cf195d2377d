"""What TensorBoard shows of a run: loss and learning rate per step, metrics per epoch, the graph,
confusion matrices, HParams.

    writer = Writer(folder); writer.step(12, {'loss': loss}, {'lr': 0.01})
    writer.epoch(3, {'val/acc': 0.9}); writer.scalar('norm', 0.5, step=12)
    sizes = writer.flush()

Events are made and written many at once, with TensorBoard's own messages and record format: an
eighth of what SummaryWriter and its thread take for a step. A checkpoint keeps the sizes of the
event files; on resume they are cut back to them, so that no point is there twice.
"""

import io
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor

from tagrun.store import atomic, beneath
from tagrun.training import summaries
from tagrun.training.meter import fetch
from tagrun.training.report import info

EVERY = 100  # steps whose scalars are written at once
LONGEST = 76  # characters of the reason why something cannot be shown
EVENTS = 'tfevents.'  # in the name of each event file, Tagrun's own or another's
CLASSES = 30  # more cannot be read in a heatmap's labels


class Writer:
    """The folder tensorboard/ of a run.

    sizes: {file name: bytes} of a checkpoint; event files that are not in it are removed.
    """

    def __init__(self, folder: Path, sizes: dict[str, int] | None = None) -> None:
        self._folder = Path(folder) / 'tensorboard'
        beneath.make_folder(self._folder)
        self._cut_back(sizes or {})
        self._not_shown: set[str] = set()  # names of what could not be shown, and was said
        self._pending: list[tuple[int, dict[str, Any]]] = []  # step, numbers by tag
        name = f'events.out.tfevents.{self._next():010d}'
        # `close` closes it
        self._file = open(self._folder / name, 'xb', buffering=0)  # noqa: SIM115
        self._write([Event(wall_time=time.time(), file_version='brain.Event:2')])

    def hparams(self, args: SimpleNamespace) -> None:
        """Write the HParams tab's row: every argument."""
        from torch.utils.tensorboard.summary import hparams  # half a second

        values = {
            name: value if type(value) in (int, float, str) else str(value)
            for name, value in vars(args).items()
        }
        # Of its three summaries only the start of a session: without an experiment TensorBoard
        # joins the runs' own arguments and puts first what differs, and takes the metrics from the
        # scalars.
        self._write([Event(wall_time=time.time(), summary=hparams(values, {})[1])])

    def graph(self, events: Sequence[bytes]) -> None:
        """Write the model's graph: what graph.draw returned."""
        self._write([Event.FromString(event) for event in events])

    def step(self, step: int, values: Mapping[str, Any], rates: Mapping[str, Any]) -> None:
        """Add a training step: its numbers, or 0-d tensors, and its learning rates, by name."""
        numbers = {f'step/{name}': value for name, value in values.items()}
        numbers.update((f'step/{name}', rate) for name, rate in rates.items())
        self.scalars(step, numbers)

    def scalars(self, step: int, numbers: dict[str, Any]) -> None:
        """Add numbers, or 0-d tensors, by their tags."""
        self._pending.append((step, numbers))
        if len(self._pending) >= EVERY:
            self.show()

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Add an epoch's metrics."""
        self.show()
        self._write([_scalars(epoch, metrics)])

    def confusion(
        self, name: str, matrix: Tensor, classes: Sequence[str] | None, epoch: int
    ) -> None:
        """Add a heatmap; matrix: (C, C) counts, rows the truth, columns the prediction."""
        self.show_made(name, lambda: summaries.figure(name, _heatmap(matrix, classes)), epoch)

    def show_made(self, name: str, make: Callable[[], Summary], step: int) -> None:
        """Add what `make` returns; say, once for each name, that it cannot be shown, and go on."""
        summary = self._made(name, make)
        if summary is not None:
            self.show()
            self._write([Event(wall_time=time.time(), step=step, summary=summary)])

    def scalar(self, name: str, value: Any, step: int) -> None:
        """Add a number; say as `show_made` that it is not one."""
        number = self._made(name, lambda: summaries.number(value))
        if number is not None:
            self.scalars(step, {name: number})

    def _made(self, name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        # whatever a picture may raise: it is not worth a run
        except Exception as error:
            if name not in self._not_shown:
                self._not_shown.add(name)
                reason = f'{type(error).__name__}: {error}'.partition('\n')[0][:LONGEST]
                info(f'tagrun: TensorBoard cannot show {name}; training goes on\n  {reason}')
            return None

    def show(self) -> None:
        """Let readers see all steps so far."""
        fetched = iter(fetch([value for _, given in self._pending for value in given.values()]))
        events = [
            _scalars(step, dict(zip(given, fetched, strict=False))) for step, given in self._pending
        ]
        self._pending = []
        self._write(events)

    def flush(self) -> dict[str, int]:
        """Write all to the files. Returns {file name: bytes}."""
        self.show()
        return {file.name: file.stat().st_size for file in self._event_files()}

    def close(self) -> None:
        """Write what is pending and close the file, whatever the writing raised."""
        try:
            self.show()
        finally:
            self._file.close()

    def _write(self, events: list[Any]) -> None:
        records = io.BytesIO()
        writer = RecordWriter(records)
        for event in events:
            writer.write(event.SerializeToString())
        atomic.write_all(self._file, records.getvalue())

    def _next(self) -> int:
        """Return a new file's number: TensorBoard reads them in the order of their names."""
        names = '\n'.join(os.listdir(self._folder))
        return max(map(int, re.findall('tfevents.([0-9]+)', names)), default=-1) + 1

    def _cut_back(self, sizes: dict[str, int]) -> None:
        for file in self._event_files():
            if file.name in sizes:
                _truncate(file, sizes[file.name])
            else:
                file.unlink()

    def _event_files(self) -> list[Path]:
        """Return the files with events; what else lies there, and a folder, is the researcher's."""
        files = [Path(entry) for entry in os.scandir(self._folder) if _is_file(entry)]
        return [file for file in files if EVENTS in file.name]


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _truncate(path: Path, size: int) -> None:
    descriptor = beneath.open_file(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.ftruncate(descriptor, min(size, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)


def _scalars(step: int, values: dict[str, float]) -> Any:
    scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return Event(wall_time=time.time(), step=step, summary=Summary(value=scalars))


def _heatmap(matrix: Any, classes: Sequence[str] | None) -> Any:
    """Return matplotlib's Figure of a (C, C) matrix."""
    from matplotlib.figure import Figure

    matrix = torch.as_tensor(matrix).double()
    rates = matrix / matrix.sum(1, keepdim=True).clamp(min=1)  # of each true class
    size = min(12, 3 + 0.4 * len(matrix))  # inches
    figure = Figure(figsize=(size, size), dpi=80, layout='constrained')
    axes = figure.subplots()
    axes.imshow(rates, cmap='Blues', vmin=0, vmax=1)
    axes.set_xlabel('predicted', fontsize=14)
    axes.set_ylabel('true', fontsize=14)
    if len(matrix) <= CLASSES:
        _label(axes, matrix, rates, [str(name) for name in (classes or range(len(matrix)))])
    return figure


def _label(axes: Any, matrix: Tensor, rates: Tensor, labels: list[str]) -> None:
    """Write the classes along the axes and the counts into the cells."""
    font = min(14, 6 + 80 / len(matrix))  # points: TensorBoard shows it at half its size
    rotation = 90 if max(map(len, labels)) > 2 else 0
    # a class may be called '$5'
    style = {'fontsize': font, 'parse_math': False}
    axes.set_xticks(range(len(matrix)), labels, rotation=rotation, **style)
    axes.set_yticks(range(len(matrix)), labels, **style)
    for row, column in matrix.nonzero().tolist():
        color = 'white' if rates[row, column] > 0.5 else 'black'
        count = f'{matrix[row, column].item():.10g}'
        axes.text(column, row, count, ha='center', va='center', fontsize=font, color=color)
