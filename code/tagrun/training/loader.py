"""A DataLoader whose order depends on (seed, epoch), and a sample's randomness on (seed, epoch, index), and on nothing else.

    loader = Loader(dataset, batch_size=100, seed=args.seed, shuffle=True, draws=args.augment > 0, num_workers=2)

So the number of workers does not change a result, and resuming at batch k costs nothing: the sampler starts there. A dataset that can
give a whole batch at once has `get_batch(indices)`: several times as fast where samples are small. Any other iterable of batches
works too, a plain DataLoader among them: run.batches then reads and drops what was already trained.
"""
import random
import zlib
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info

from tagrun.training import distributed, seeding, signals


class SampleError(Exception):
    """`dataset[i]` raised: which sample, and what."""


def Loader(dataset, batch_size, seed, shuffle=False, drop_last=False, draws=True, timeout=0, collate_fn=default_collate, **options):
    """A torch DataLoader over a map-style dataset.

    dataset: `dataset[index]` is one sample. Where nothing is drawn its `get_batch(indices)` is called instead, if it has one, with a (B,)
    int64 array: the finished batch, such as (x, y) with x of shape (B, …), which is not collated.
    draws: whether `dataset[i]` draws random numbers (augmentation). Then the global generators are seeded for each sample,
    which costs some 30 µs; False spares that, and is right only where nothing is drawn.
    timeout: seconds that a batch may take to come from a data worker; 0 waits for ever.
    options: torch's own: num_workers, persistent_workers, pin_memory, …
    """
    batches = _EpochBatches(len(dataset), batch_size, seed, shuffle, drop_last)
    options['timeout'] = timeout if options.get('num_workers') else 0   # without workers nobody is waited for
    options.setdefault('worker_init_fn', signals.in_worker)
    return DataLoader(_Keyed(dataset, seed, draws), batch_sampler=batches, generator=torch.Generator(), collate_fn=_Collate(collate_fn), **options)


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


def is_divided(loader):
    """Whether several processes get each their part of its batches."""
    return isinstance(getattr(loader, 'batch_sampler', None), _EpochBatches)


def share(loader, batch):
    """How much of the samples of a batch this process has, of several."""
    return loader.batch_sampler.share(batch)


def order_digest(loader, batch):
    """CRC-32, in hexadecimal, of the sample indices of batch `batch` (from 0) of the epoch; '' for another kind of loader."""
    sampler = getattr(loader, 'batch_sampler', None)
    return f'{zlib.crc32(sampler.indices(batch)):08x}' if isinstance(sampler, _EpochBatches) else ''


class _EpochBatches:
    """A batch sampler: (epoch, indices). The epoch travels with the indices, so that persistent workers know it."""

    def __init__(self, count, batch_size, seed, shuffle, drop_last):
        self.count, self.batch_size, self.seed, self.shuffle, self.drop_last = count, batch_size, seed, shuffle, drop_last
        self.epoch, self.first = 0, 0
        self.rank, self.processes = distributed.rank(), distributed.size()
        self._order, self._order_epoch = None, None

    def __len__(self):
        return self.count // self.batch_size if self.drop_last else -(-self.count // self.batch_size)

    def __iter__(self):
        epoch = self.epoch
        for batch in range(self.first, len(self)):
            yield epoch, self.part(batch)

    def part(self, batch):
        """This process's part of a batch, as equal as can be. Where a last batch has none for it, one sample that is not counted: all take each step."""
        own = np.array_split(self.indices(batch), self.processes)[self.rank] if self.processes > 1 else self.indices(batch)
        return own if len(own) else self.indices(batch)[:1]

    def share(self, batch):
        """How much of a batch is this process's: 0.5."""
        return len(np.array_split(self.indices(batch), self.processes)[self.rank]) / len(self.indices(batch))

    def indices(self, batch):
        """The sample indices of a batch, of all processes: (batch_size,) int64 array, shorter in an incomplete last batch."""
        if self._order_epoch != self.epoch:
            generator = torch.Generator().manual_seed(seeding.mix(self.seed, 'order', self.epoch))
            order = torch.randperm(self.count, generator=generator) if self.shuffle else torch.arange(self.count)
            self._order, self._order_epoch = order.numpy(), self.epoch
        return self._order[batch * self.batch_size:(batch + 1) * self.batch_size]


class _Keyed(Dataset):
    """The dataset behind the sampler's keys; other attributes, `classes` for one, are the dataset's."""

    def __init__(self, dataset, seed, draws):
        self.dataset, self.seed, self.draws = dataset, seed, draws
        self._get_batch = None if draws else getattr(dataset, 'get_batch', None)

    def __len__(self):
        return len(self.dataset)

    def __getitems__(self, key):
        """The samples of one batch: torch's fetcher asks for them together."""
        epoch, indices = key
        if self._get_batch:
            return self._get_batch(indices)
        if not self.draws:
            return [self._sample(index) for index in indices.tolist()]
        with _kept_generators():
            return [self._drawn(epoch, index) for index in indices.tolist()]

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


class _Collate:
    """Puts samples together; what a dataset has put together itself passes through."""

    def __init__(self, collate):
        self._collate = collate

    def __call__(self, samples):
        return self._collate(samples) if isinstance(samples, list) else samples


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
