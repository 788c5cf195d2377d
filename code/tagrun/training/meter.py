"""Running means and sums of a phase, without waiting for the device at each step.

    meter.mean(len(y), loss=loss)                # each step's mean over len(y) samples
    meter.accuracy(acc=prediction == y)          # the fraction that is true, counted exactly
    meter.sum(confusion=matrix)                  # tensors added up
    meter.result()                               # {'loss': 0.31, 'acc': 0.9, 'confusion': tensor}

Values stay on their device until there are EVERY of them, and are then fetched at once. They are
added one by one in double precision, so where the chunks end, and where a run was interrupted,
changes no bit.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from tagrun.training import distributed

EVERY = 100  # values
Entry = tuple[str, float, Any, float]  # name, factor, 0-d tensor or number, weight


class Meter:
    """The means and sums of the phase under way."""

    def __init__(self) -> None:
        # False while this process, one of several, has a sample only to keep step with the others
        self.counts = True
        self.last: dict[str, Any] = {}  # this step's `mean` values, still on their device
        self._pending: list[Entry] = []  # not yet fetched
        self._totals: distributed.Totals = {}
        self._sums: distributed.Sums = {}

    def begin_step(self) -> None:
        """Forget the values of the step before, which are counted."""
        self.last = {}

    def is_used(self) -> bool:
        """Return whether it was given anything in this phase."""
        return bool(self._pending or self._totals or self._sums)

    def reset(self) -> None:
        """Forget all values: a phase begins."""
        self.last, self._pending = {}, []
        self._totals, self._sums = {}, {}

    def mean(self, weight: float, **values: Any) -> None:
        """Add one step's values, numbers or tensors of one, each the mean over `weight` samples.

        A step may have several calls. The values are copied: they may be changed in place later.
        """
        if torch.is_tensor(weight):
            weight = weight.item()
        entries: list[Entry] = []
        for name, value in values.items():
            taken = self.last[name] = _taken(value)
            entries.append((name, weight, taken, weight))
        self._add(entries)

    def accuracy(self, **flags: Tensor) -> None:
        """Add one step's booleans, tensors of any shape: the fraction of true ones."""
        self._add((name, 1, flag.sum(), flag.numel()) for name, flag in flags.items())

    def sum(self, **tensors: Tensor) -> None:
        """Add one step's tensors, of the same shape in each step."""
        for name, tensor in tensors.items():
            tensor = tensor.detach() if self.counts else torch.zeros_like(tensor)
            before = self._sums.get(name)
            if before is None:
                self._sums[name] = tensor.clone()
            else:
                self._sums[name] = before.to(tensor.device).add_(tensor)

    def means(self) -> dict[str, float]:
        """Return {name: mean so far}, of this process's samples."""
        self._fetch()
        return _means(self._totals)

    def result(self) -> dict[str, Any]:
        """Return the phase's means as floats and its sums as tensors on the CPU.

        They are over the samples of all processes.
        """
        self._fetch()
        totals, sums = distributed.over_all(self._totals, self._sums)
        return {**_means(totals), **{name: tensor.cpu() for name, tensor in sums.items()}}

    def _add(self, entries: Iterable[Entry]) -> None:
        self._pending += entries if self.counts else [(name, 0, 0.0, 0) for name, *_ in entries]
        if len(self._pending) >= EVERY:
            self._fetch()

    def _fetch(self) -> None:
        values = fetch([value for _, _, value, _ in self._pending])
        for (name, factor, _, weight), value in zip(self._pending, values, strict=True):
            total = self._totals.setdefault(name, [0.0, 0])
            total[0] += factor * value
            total[1] += weight
        self._pending = []

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint in the middle of a phase holds."""
        self._fetch()
        return {'totals': self._totals, 'sums': self._sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.reset()
        self._totals = {name: list(total) for name, total in state['totals'].items()}
        self._sums = dict(state['sums'])


def _taken(value: Any) -> Any:
    """Return a copy of a number or a tensor of one element, 0-d, apart from its graph."""
    if not torch.is_tensor(value):
        return float(value)
    copy = value.detach().clone()
    return copy.reshape(()) if copy.ndim else copy


def _means(totals: distributed.Totals) -> dict[str, float]:
    return {name: total / weight for name, (total, weight) in totals.items() if weight}


def fetch(values: Sequence[Any]) -> list[float]:
    """Return 0-d tensors and numbers as floats, with one transfer for all tensors of a kind."""
    floats: dict[int, float] = {}
    kinds: dict[Any, list[int]] = {}
    for index, value in enumerate(values):
        if torch.is_tensor(value):
            kinds.setdefault((value.dtype, value.device), []).append(index)
    for indices in kinds.values():
        fetched = torch.stack([values[index] for index in indices]).tolist()
        floats.update(zip(indices, fetched, strict=True))
    return [float(floats.get(index, value)) for index, value in enumerate(values)]
