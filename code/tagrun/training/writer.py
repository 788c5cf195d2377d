"""What TensorBoard shows of a run: loss and learning rate per step, metrics per epoch, the graph, confusion matrices, HParams.

    writer = Writer(folder); writer.step(step, loss, lr); writer.epoch(3, {'val/acc': 0.9}); sizes = writer.flush()

A checkpoint keeps the sizes of the event files; on resume they are cut back to them, so that no point is there twice.
"""
import functools
import os
import threading
from pathlib import Path

import torch

from tagrun.training.meter import fetch

EVERY = 100     # steps whose scalars are handed over at once
CLASSES = 30    # more cannot be read in a heatmap's labels


class Writer:
    def __init__(self, folder, sizes=None):
        """`sizes`: {file name: bytes} of a checkpoint; files of the folder that are not in it are removed."""
        from torch.utils.tensorboard import SummaryWriter  # half a second; a scratch script need not pay it at import
        self._folder = Path(folder) / 'tensorboard'
        self._cut_back(sizes or {})
        self._pending = []      # (step, loss, lr)
        threading.excepthook = functools.partial(_in_thread, threading.excepthook)
        self._writer = SummaryWriter(self._folder, flush_secs=5)

    def hparams(self, args):
        """The HParams tab's row: every argument."""
        from torch.utils.tensorboard.summary import hparams
        values = {name: value if type(value) in (int, float, str) else str(value) for name, value in vars(args).items()}
        # Of its three summaries only the start of a session: without an experiment TensorBoard joins the runs' own arguments and
        # puts first what differs, and takes the metrics from the scalars.
        self._writer.file_writer.add_summary(hparams(values, {})[1])

    def graph(self, model, example):
        """The model's graph, traced on a batch of one or two samples. Returns why it could not be, or ''."""
        import warnings
        training = model.training
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                self._writer.add_graph(model.eval(), example)
        except Exception as error:  # whatever tracing an unknown model may raise: a picture is not worth a run
            return str(error).strip().partition('\n')[0] or type(error).__name__
        finally:
            model.train(training)
        return ''

    def step(self, step, loss, lr):
        self._pending.append((step, loss, lr))
        if len(self._pending) >= EVERY:
            self._hand_over()

    def epoch(self, epoch, metrics):
        self._hand_over()
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, epoch)

    def confusion(self, name, matrix, classes, epoch):
        """A heatmap; `matrix`: (C, C) counts, rows the truth, columns the prediction."""
        self._writer.add_figure(name, _heatmap(matrix, classes), epoch)

    def flush(self):
        """Put all in the files; {file name: bytes}."""
        self._hand_over()
        self._writer.flush()
        return {file.name: file.stat().st_size for file in self._folder.iterdir()}

    def close(self):
        self._hand_over()
        self._writer.close()

    def _hand_over(self):
        known = [entry for entry in self._pending if entry[1] is not None]
        for (step, _, lr), loss in zip(known, fetch([entry[1] for entry in known])):
            self._writer.add_scalar('step/loss', loss, step)
            self._writer.add_scalar('step/lr', lr, step)
        self._pending = []

    def _cut_back(self, sizes):
        for file in self._folder.iterdir() if self._folder.is_dir() else ():
            if file.name in sizes:
                os.truncate(file, min(sizes[file.name], file.stat().st_size))
            else:
                file.unlink()


def _in_thread(otherwise, failed):
    """SummaryWriter's thread keeps the OSError that ended it for the next call to raise: it need not be printed too."""
    if not issubclass(failed.exc_type, OSError):
        otherwise(failed)


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
