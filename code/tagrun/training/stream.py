"""The batches of a loader that is not a Loader: a DataLoader, a generator, a list, range(1000).

    stream = Stream(loader, seed=7, phase='train')
    for batch in stream.batches(epoch=3, first=20): …     # the epoch's batches from number 20 on

Such a loader cannot start in the middle: the batches before are read and dropped. To be the same
as then, they must draw the same random numbers. So what a loader draws while it makes a batch comes
from generators of its own, which the model's dropout does not move.

An iterator (a generator is one) can be read once only: each epoch goes on where the one before
stopped, and a resumed run reads it from its beginning. Any other loader begins each epoch anew.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils import data

from tagrun.training import seeding

# torch's samplers draw all their random numbers before the first batch
DRAW_FIRST = (
    data.SequentialSampler,
    data.RandomSampler,
    data.SubsetRandomSampler,
    data.WeightedRandomSampler,
)
_States = tuple[Any, Any, torch.Tensor]  # Python's, NumPy's, torch's


class Stream:
    """The batches of one phase. read: how many of an iterator were read before a resume."""

    def __init__(self, loader: Any, seed: int, phase: str, read: int = 0) -> None:
        self.loader = loader
        self.read = read  # batches read of an iterator; 0 of another loader
        self._seed, self._phase = seeding.mix(seed, 'loader', phase), phase
        self._iterator: Iterator[Any] | None = None  # the loader's, where it can be read only once

    def batches(self, epoch: int, first: int) -> Iterator[Any]:
        """Return the batches of an epoch (from 0) from number `first` on."""
        seed = seeding.mix(self._seed, epoch)
        _reseed(self.loader, seed)
        generators = _Generators(seed)
        with generators:
            iterator = iter(self.loader)
        if iterator is self.loader:
            return self._rest_of(iterator, first)
        if _draws_first(self.loader):
            return _dropped(_first_drawn(iterator, generators), first)
        return _dropped(_drawn(iterator, generators), first)

    def _rest_of(self, iterator: Iterator[Any], first: int) -> Iterator[Any]:
        if self._iterator is None:
            self._iterator = _dropped(_drawn(iterator, _Generators(self._seed)), self.read)
        return self._counted(self._iterator, is_whole=not first)

    def _counted(self, iterator: Iterator[Any], is_whole: bool) -> Iterator[Any]:
        nothing = object()
        before = self.read
        # not a `for` loop: a `break` in training would close the iterator for the epochs to come
        while (batch := next(iterator, nothing)) is not nothing:
            self.read += 1
            yield batch
        if is_whole and self.read == before:
            raise ValueError(
                f'dataloader.py: the loader of {self._phase!r} is a '
                f'{type(self.loader).__name__} that has ended, and this epoch has no batch: '
                'make it endless, or give an object whose __iter__ begins anew'
            )


def _reseed(loader: Any, seed: int) -> None:
    """Seed the generators that a DataLoader was given: their state is in no checkpoint."""
    for part in (loader, getattr(loader, 'sampler', None), getattr(loader, 'batch_sampler', None)):
        generator = getattr(part, 'generator', None)
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)


def _draws_first(loader: Any) -> bool:
    """Return whether the order is drawn before the first batch.

    Then only that one takes generators of its own, which cost some 50 microseconds.
    """
    if type(loader) is not data.DataLoader:
        return False
    if isinstance(loader.dataset, data.IterableDataset):
        return loader.num_workers > 0  # the workers draw
    return type(loader.batch_sampler) is data.BatchSampler and type(loader.sampler) in DRAW_FIRST


class _Generators:
    """Python's, NumPy's and torch's global generators on the CPU, as they are within `with`."""

    def __init__(self, seed: int) -> None:
        of_torch = torch.Generator().manual_seed(seed).get_state()
        self._own: _States = random.Random(seed).getstate(), np.random.MT19937(seed), of_torch
        self._outer = self._own

    def __enter__(self) -> None:
        self._outer = _states()
        _set(self._own)

    def __exit__(self, *_: object) -> None:
        self._own = _states()
        _set(self._outer)


def _states() -> _States:
    # get_state takes 75 microseconds
    numpy = np.random.get_bit_generator()  # type: ignore[attr-defined]  # it is documented
    return random.getstate(), numpy, torch.default_generator.get_state()


def _set(states: _States) -> None:
    python, numpy, of_torch = states
    random.setstate(python)
    np.random.set_bit_generator(numpy)  # type: ignore[attr-defined]
    torch.default_generator.set_state(of_torch)


def _drawn(iterator: Iterator[Any], generators: _Generators) -> Iterator[Any]:
    """Yield what an iterator gives, each drawn with these generators."""
    nothing = object()
    while True:
        with generators:
            batch = next(iterator, nothing)
        if batch is nothing:
            return
        yield batch


def _first_drawn(iterator: Iterator[Any], generators: _Generators) -> Iterator[Any]:
    """Yield what an iterator gives, the first one drawn with these generators."""
    yield from itertools.islice(_drawn(iterator, generators), 1)
    yield from iterator


def _dropped(iterator: Iterator[Any], count: int) -> Iterator[Any]:
    """Return an iterator whose first `count` batches are read and dropped, now."""
    for _ in itertools.islice(iterator, count):
        pass
    return iterator
