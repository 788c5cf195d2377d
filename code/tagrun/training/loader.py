"""A DataLoader whose order depends on (seed, epoch), and a sample's randomness on (seed, epoch, index), and on nothing else.

    loader = Loader(dataset, batch_size=100, seed=args.seed, shuffle=True, draws=args.augment > 0, num_workers=2)

So the number of workers does not change a result, and resuming at batch k costs nothing: the sampler starts there. Any other
iterable of batches works too, a plain DataLoader among them: run.batches then reads and drops what was already trained.
It does not make batches faster; torch's DataLoader does the work.
"""
import random
import zlib
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from tagrun.training import seeding


class SampleError(Exception):
    """`dataset[i]` raised: which sample, and what."""


def Loader(dataset, batch_size, seed, shuffle=False, drop_last=False, draws=True, timeout=0, **options):
    """A torch DataLoader over a map-style dataset.

    draws: whether `dataset[i]` draws random numbers (augmentation). Then the global generators are seeded for each sample,
    which costs some 30 µs; False spares that, and is right only where nothing is drawn.
    timeout: seconds that a batch may take to come from a data worker; 0 waits for ever.
    options: torch's own: num_workers, persistent_workers, pin_memory, collate_fn, …
    """
    batches = _EpochBatches(len(dataset), batch_size, seed, shuffle, drop_last)
    options['timeout'] = timeout if options.get('num_workers') else 0   # without workers nobody is waited for
    return DataLoader(_Keyed(dataset, seed, draws), batch_sampler=batches, generator=torch.Generator(), **options)


def start_at(loader, seed, epoch, batch):
    """Make the next iteration of `loader` that of `epoch`, from `batch` on.

    Returns how many batches the caller must drop itself: none for a Loader.
    """
    sampler = getattr(loader, 'batch_sampler', None)
    if not isinstance(sampler, _EpochBatches):
        return batch
    sampler.epoch, sampler.first = epoch, batch
    loader.generator.manual_seed(seeding.mix(seed, 'workers', epoch))  # what a worker draws, should draws=False be untrue
    return 0


def order_digest(loader, batch):
    """CRC-32, in hexadecimal, of the sample indices of batch `batch` (from 0) of the epoch; '' for another kind of loader."""
    sampler = getattr(loader, 'batch_sampler', None)
    return f'{zlib.crc32(sampler.indices(batch)):08x}' if isinstance(sampler, _EpochBatches) else ''


class _EpochBatches:
    """A batch sampler: lists of (epoch, index) keys. The epoch travels with the index, so that persistent workers know it."""

    def __init__(self, count, batch_size, seed, shuffle, drop_last):
        self.count, self.batch_size, self.seed, self.shuffle, self.drop_last = count, batch_size, seed, shuffle, drop_last
        self.epoch, self.first = 0, 0
        self._order, self._order_epoch = None, None

    def __len__(self):
        return self.count // self.batch_size if self.drop_last else -(-self.count // self.batch_size)

    def __iter__(self):
        epoch = self.epoch
        for batch in range(self.first, len(self)):
            yield [(epoch, index) for index in self.indices(batch).tolist()]

    def indices(self, batch):
        """The sample indices of a batch: (batch_size,) int64 array, shorter in an incomplete last batch."""
        if self._order_epoch != self.epoch:
            generator = torch.Generator().manual_seed(seeding.mix(self.seed, 'order', self.epoch))
            order = torch.randperm(self.count, generator=generator) if self.shuffle else torch.arange(self.count)
            self._order, self._order_epoch = order.numpy(), self.epoch
        return self._order[batch * self.batch_size:(batch + 1) * self.batch_size]


class _Keyed(Dataset):
    """The dataset behind (epoch, index) keys; other attributes, `classes` for one, are the dataset's."""

    def __init__(self, dataset, seed, draws):
        self.dataset, self.seed, self.draws = dataset, seed, draws

    def __len__(self):
        return len(self.dataset)

    def __getitems__(self, keys):
        """The samples of one batch: torch's fetcher asks for them together."""
        if not self.draws:
            return [self._sample(index) for _, index in keys]
        with _kept_generators():
            return [self._drawn(epoch, index) for epoch, index in keys]

    def _sample(self, index):
        try:
            return self.dataset[index]
        except Exception as error:  # the dataset's own, whatever it is: a worker would not tell of which sample
            raise SampleError(f'sample {index} of the dataset: {type(error).__name__}: {error}') from error

    def _drawn(self, epoch, index):
        seed = seeding.mix(self.seed, 'sample', epoch, index)
        random.seed(seed)
        np.random.seed(seed % 2 ** 32)
        torch.default_generator.manual_seed(seed)
        return self._sample(index)


@contextmanager
def _kept_generators():
    """In the training process, where dropout draws from the global generators, they are put back after a batch."""
    kept = None if get_worker_info() else (random.getstate(), np.random.get_state(), torch.default_generator.get_state())
    try:
        yield
    finally:
        if kept:
            random.setstate(kept[0])
            np.random.set_state(kept[1])
            torch.default_generator.set_state(kept[2])
