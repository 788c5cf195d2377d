"""What the epochs so far came to: their metrics, the best epoch, whether to stop early.

    history.add({'val/acc': 0.9, 'lr': 0.01}, {'val/confusion': matrix}, seconds=1.2)

It is saved in the checkpoint, as all that is assigned to the state. It writes no file: output.py
writes history.csv and statistic.json from it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

MOST_CLASSES = 1_000  # columns that one metric may become
METRIC = 'a metric is a number, a 1-d array or tensor (a number for each class) or a square matrix'


class EpochHistory:
    """The metrics of each epoch. mode: 'max' or 'min', the better direction of `monitor`."""

    def __init__(self, monitor: str, mode: str, patience: int = 0) -> None:
        if mode not in ('min', 'max'):
            raise ValueError(f"config.py: monitor_mode is {mode!r}; 'min' or 'max'")
        self.monitor, self.mode, self.patience = monitor, mode, patience
        self.rows: list[dict[str, Any]] = []  # one an epoch: epoch, metrics, lr, seconds
        self.best_epoch = 0  # from 1; 0: none yet
        self.matrices: dict[str, Tensor] = {}  # the best epoch's: {'val/confusion': (C, C)}
        self._texts: list[str] = []  # each row as JSON

    def add(self, numbers: dict[str, float], matrices: dict[str, Tensor], seconds: float) -> bool:
        """Add one epoch's metrics. Returns whether it is the best so far.

        A NaN is never the best; of equal epochs the first is.
        """
        self.rows.append({'epoch': len(self.rows) + 1, **numbers, 'seconds': seconds})
        self._texts.append(json.dumps(self.rows[-1]))
        best = self._is_best(numbers.get(self.monitor))
        if best:
            self.best_epoch, self.matrices = len(self.rows), matrices
        return best

    def _is_best(self, value: float | None) -> bool:
        if value is None or math.isnan(value):
            return False
        if not self.best_epoch:
            return True
        best = self.at(self.best_epoch)[self.monitor]
        return value > best if self.mode == 'max' else value < best

    def at(self, epoch: int) -> dict[str, float]:
        """Return an epoch's metrics: {'val/acc': 0.9}; {} for epoch 0."""
        row = self.rows[epoch - 1] if epoch else {}
        return {name: value for name, value in row.items() if '/' in name}

    def out_of_patience(self) -> bool:
        """Return whether `patience` epochs have passed without a better one; 0 waits for ever.

        An epoch in which `monitor` was not measured does not count.
        """
        if not self.patience:
            return False
        later = self.rows[self.best_epoch :]
        return sum(self.monitor in row for row in later) >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds, the rows as one text.

        A checkpoint looks at each object in it; for many epochs that took longer than the weights.
        """
        return {
            'rows': f'[{", ".join(self._texts)}]',
            'best_epoch': self.best_epoch,
            'matrices': self.matrices,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.rows = json.loads(state['rows'])
        self.best_epoch, self.matrices = state['best_epoch'], dict(state['matrices'])
        self._texts = [json.dumps(row) for row in self.rows]

    def judged_anew(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return another run's `state_dict` with the epoch that is the best by this monitor."""
        other = EpochHistory(self.monitor, self.mode)
        rows = json.loads(state['rows'])
        for row in rows:
            other.rows.append(row)
            if other._is_best(row.get(self.monitor)):
                other.best_epoch = len(other.rows)
        if other.best_epoch == state['best_epoch']:
            return state
        return {**state, 'best_epoch': other.best_epoch, 'matrices': {}}


class Columns(NamedTuple):
    """What an epoch's metrics become."""

    numbers: dict[str, float]  # {'val/acc': 0.9, 'val/f1/cat': 0.8}
    matrices: dict[str, Tensor]  # {'val/confusion': (C, C)}
    refused: list[str]  # what is neither: 'val/report is a dict'


def columns(metrics: Mapping[str, Any], classes: Mapping[str, Sequence[str] | None]) -> Columns:
    """Return what the phases' metrics become: numbers, square matrices, and what is neither.

    metrics: {'val': {'acc': 0.9}}. classes: their names by phase, for the columns of a 1-d metric.
    """
    result = Columns({}, {}, [])
    for phase, values in metrics.items():
        if not isinstance(values, Mapping):
            result.refused.append(f'{phase} is {_kind(values)}, and not a dict of metrics')
            continue
        for name, value in values.items():
            _add_metric(result, f'{phase}/{name}', value, classes.get(phase))
    return result


def as_saved(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the phases' metrics as a checkpoint can hold them: a number of any kind is a float.

    What is not one stays as it is.
    """
    result = dict(metrics)
    for phase, values in metrics.items():
        if isinstance(values, Mapping):
            result[phase] = {name: _as_saved(value) for name, value in values.items()}
    return result


def _as_saved(value: Any) -> Any:
    if torch.is_tensor(value) or isinstance(value, np.ndarray):
        return value
    number = _number(value)
    return value if number is None else number


def _add_metric(result: Columns, name: str, value: Any, classes: Sequence[str] | None) -> None:
    number = _number(value)
    if number is not None:
        result.numbers[name] = number
        return
    tensor = _tensor(value)
    size = 0 if tensor is None or not tensor.ndim else len(tensor)
    if tensor is not None and tensor.ndim == 1 and 0 < size <= MOST_CLASSES:
        labels = _labels(size, classes)
        numbers = zip(labels, tensor.tolist(), strict=True)
        result.numbers.update((f'{name}/{label}', float(number)) for label, number in numbers)
    elif tensor is not None and tensor.shape == (size, size) and size:
        result.matrices[name] = tensor
    else:
        result.refused.append(f'{name} is {_kind(value)}')


def _labels(count: int, classes: Sequence[str] | None) -> Sequence[Any]:
    """Return the names of the classes if they are that many, and differ; else 0, 1, 2, …"""
    fits = classes is not None and len(classes) == len(set(classes)) == count
    return classes if classes is not None and fits else range(count)


def _number(value: Any) -> float | None:
    """Return a number of any kind as a float; None for what is not one.

    An array or tensor of one element is one, unless it is a matrix.
    """
    if torch.is_tensor(value) or isinstance(value, np.ndarray):
        tensor = None if value.ndim == 2 else _tensor(value)
        return float(tensor.item()) if tensor is not None and tensor.numel() == 1 else None
    if isinstance(value, np.generic) and value.dtype.kind not in 'biuf':
        return None
    if isinstance(value, (str, bytes, bytearray)):  # which float() would read
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _tensor(value: Any) -> Tensor | None:
    """Return a copy of an array or tensor of real numbers on the CPU; None for all else."""
    if torch.is_tensor(value):
        if value.is_complex() or value.is_meta or value.is_nested:
            return None
        whole = value if value.layout == torch.strided else value.to_dense()
        return whole.detach().to('cpu', copy=True)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in 'biuf':
        return None
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    # of a type, byte order and precision that torch has
    dtype = f'{value.dtype.kind}{min(8, value.dtype.itemsize)}'
    copy = np.empty(value.shape, dtype)
    np.copyto(copy, value, casting='same_kind')
    return torch.from_numpy(copy)


def _kind(value: Any) -> str:
    name = type(value).__name__
    if torch.is_tensor(value) or isinstance(value, np.ndarray):
        return f'a {name} of {value.dtype} and shape {tuple(value.shape)}'
    return f'a {name}'
