"""Running means and sums of a phase, without waiting for the device at each step.

    meter.mean(len(y), loss=loss)                # each step's mean over len(y) samples
    meter.share(acc=guess == y)                  # of what is true, counted exactly
    meter.sum(confusion=matrix)                  # tensors added up
    meter.result()                               # {'loss': 0.31, 'acc': 0.9, 'confusion': tensor}

Values stay on their device until EVERY of them are there, and are then fetched at once. They are added one by one in double precision,
so where the chunks end, and where a run was interrupted, changes no bit.
"""
import torch

from tagrun.training import distributed

EVERY = 100  # values


class Meter:
    def __init__(self):
        self.counts = True      # False while this process, one of several, has a sample only to keep step with the others
        self.reset()

    def reset(self):
        self.last = {}              # the last step's `mean` values, still on their device
        self._pending = []          # (name, factor, 0-d tensor or number, weight) not yet fetched
        self._totals = {}           # name -> [sum of factor * value, sum of weights]
        self._sums = {}             # name -> tensor

    def mean(self, weight, **values):
        """Add one step's values, each the mean over `weight` samples."""
        self.last = {name: value.detach() if torch.is_tensor(value) else value for name, value in values.items()}
        self._add((name, weight, value, weight) for name, value in self.last.items())

    def share(self, **flags):
        """Add one step's booleans, tensors of any shape: the share of true ones."""
        self._add((name, 1, flag.sum(), flag.numel()) for name, flag in flags.items())

    def sum(self, **tensors):
        for name, tensor in tensors.items():
            tensor, kept = tensor if self.counts else torch.zeros_like(tensor), self._sums.get(name)
            self._sums[name] = tensor.detach().clone() if kept is None else kept.to(tensor.device).add_(tensor.detach())

    def means(self):
        """{name: mean so far}, as floats; of this process's samples."""
        self._fetch()
        return _means(self._totals)

    def result(self):
        """Everything of the phase, over the samples of all processes: means as floats, sums as tensors on the CPU."""
        self._fetch()
        totals, sums = distributed.over_all(self._totals, self._sums)
        return {**_means(totals), **{name: tensor.cpu() for name, tensor in sums.items()}}

    def _add(self, entries):
        self._pending += entries if self.counts else [(name, 0, 0.0, 0) for name, _, _, _ in entries]
        if len(self._pending) >= EVERY:
            self._fetch()

    def _fetch(self):
        values = fetch([value for _, _, value, _ in self._pending])
        for (name, factor, _, weight), value in zip(self._pending, values):
            total = self._totals.setdefault(name, [0.0, 0])
            total[0] += factor * value
            total[1] += weight
        self._pending = []

    def state_dict(self):
        self._fetch()
        return {'totals': self._totals, 'sums': self._sums}

    def load_state_dict(self, state):
        self.reset()
        self._totals = {name: list(total) for name, total in state['totals'].items()}
        self._sums = dict(state['sums'])


def _means(totals):
    return {name: total / weight for name, (total, weight) in totals.items() if weight}


def fetch(values):
    """0-d tensors and numbers as floats, with one transfer for all tensors of a type."""
    floats = {}
    for dtype in {value.dtype for value in values if torch.is_tensor(value)}:
        places = [place for place, value in enumerate(values) if torch.is_tensor(value) and value.dtype == dtype]
        floats.update(zip(places, torch.stack([values[place] for place in places]).tolist()))
    return [float(floats.get(place, value)) for place, value in enumerate(values)]
