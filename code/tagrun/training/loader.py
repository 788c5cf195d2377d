"""A DataLoader whose order depends on (seed, epoch), and a sample's randomness on (seed, epoch,
index), and on nothing else.

    loader = Loader(dataset, batch_size=100, seed=args.seed, shuffle=True, num_workers=2,
                    stochastic=args.augment > 0)

So the number of workers does not change a result, and resuming at batch k costs nothing: the
sampler starts there. A dataset that can give a whole batch at once has `get_batch(indices)`:
several times as fast where samples are small. Any other iterable of batches works too: stream.py.
"""

import copy
import math
import multiprocessing
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from typing import Any

import numpy as np
import torch
from torch._utils import ExceptionWrapper
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info

from tagrun.training import distributed, seeding, signals

TRAIN = 'train'  # the phase that trains; any other one evaluates
Epoch = int | tuple[str, int]  # from 0; of another phase than train with the phase's name
DEEPEST = 3  # objects with a `to` in one another whose tensors count


class SampleError(Exception):
    """`dataset[i]` raised: which sample, and what."""


class SendError(Exception):
    """A data worker could not send a batch: why."""


def Loader(
    dataset: Any,
    batch_size: int,
    seed: int,
    shuffle: bool = False,
    drop_last: bool = False,
    stochastic: bool = True,
    timeout: float = 0,
    collate_fn: Callable[[Any], Any] = default_collate,
    **options: Any,
) -> DataLoader:
    """Return a torch DataLoader over a map-style dataset.

    seed: args.seed. Each phase has an order and random numbers of its own. So has a Loader within
    another iterable of batches: there they follow from torch's global generator.
    dataset: `dataset[index]` is one sample. Where it is not stochastic its `get_batch(indices)` is
    called instead, if it has one, with a (B,) int64 array: the finished batch, such as (x, y) with
    x of shape (B, …), which is not collated. stochastic: whether `dataset[index]` draws random
    numbers (augmentation). Then the global generators are seeded for each sample, which costs some
    30 µs; False spares that, and is right only where nothing is drawn. timeout: seconds that a
    batch may take to come from a data worker; 0 waits for ever. options: torch's own: num_workers,
    persistent_workers, pin_memory, …
    """
    batches = _EpochBatches(len(dataset), batch_size, seed, shuffle, drop_last)
    # without workers nobody is waited for
    options['timeout'] = timeout if options.get('num_workers') else 0
    options.setdefault('worker_init_fn', signals.in_worker)
    return DataLoader(
        _IndexedDataset(dataset, seed, stochastic),
        batch_sampler=batches,  # type: ignore[arg-type]  # of (epoch, indices): see _IndexedDataset
        generator=torch.Generator(),
        collate_fn=_Collate(collate_fn),
        **options,
    )


def count_batches(loader: Any, most: int = 0) -> int:
    """Return the batches in an epoch of a loader; 0 where it does not know.

    most: as many at most, such as config.py's steps_per_epoch; 0: all.
    """
    try:
        count = len(loader)
    except TypeError:  # torch's own has a length that raises, over an IterableDataset
        count = 0
    return min(count, most) if count and most else count or most


def count_dropped(loader: Any) -> int:
    """Return how many samples a loader has where drop_last drops all of them; else 0."""
    sampler = getattr(loader, 'batch_sampler', None)
    try:
        drops_all = bool(getattr(sampler, 'drop_last', False)) and len(loader) == 0
        return len(loader.dataset) if drops_all else 0
    # whatever a data set or a sampler of the researcher's raises: it does not say
    except Exception:
        return 0


def count_samples(loader: Any, number: int, batch: Any) -> int:
    """Return the samples of the epoch's batch `number` (from 0), in all processes together.

    batch: what another kind of loader gave: the first dimension of its first tensor counts, or the
    sequences of a packed one.
    """
    sampler = _sampler(loader)
    if sampler is not None:
        return len(sampler.indices(number))
    first = next(leaves(batch, (PackedSequence,)), None)
    if isinstance(first, PackedSequence):
        return int(first.batch_sizes[0])
    return len(first) if first is not None and first.ndim else 1


# --- a batch, of whatever containers -------------------------------------------------------------


def moved(batch: Any, device: torch.device) -> Any:
    """Return the batch with its tensors on `device`; those in pinned memory are not waited for.

    Of an object with a method `to` that one is called; containers stay what they are.
    """
    if torch.is_tensor(batch):
        return batch.to(device, non_blocking=True)
    if type(batch) in (list, tuple):
        return type(batch)([moved(value, device) for value in batch])
    if _has_to(batch):
        result = batch.to(device)
        return batch if result is None else result
    if isinstance(batch, Mapping):
        return _same_mapping(batch, {key: moved(value, device) for key, value in batch.items()})
    if isinstance(batch, (list, tuple)):
        return _same_sequence(batch, [moved(value, device) for value in batch])
    return batch


def leaves(batch: Any, whole: tuple[type, ...] = (), depth: int = 0) -> Iterator[Any]:
    """Yield the tensors and arrays of a batch, in order, and what is a `whole` undivided.

    Of an object with a method `to`, such as a graph, those among its attributes.
    """
    if isinstance(batch, (torch.Tensor, np.ndarray, *whole)):
        yield batch
        return
    parts: Iterable[Any] = ()
    if isinstance(batch, Mapping):
        parts = batch.values()
    elif isinstance(batch, (list, tuple)):
        parts = batch
    elif _has_to(batch) and depth < DEEPEST:
        parts, depth = list(getattr(batch, '__dict__', {}).values()), depth + 1
    for part in parts:
        yield from leaves(part, whole, depth)


def _has_to(batch: Any) -> bool:
    return callable(getattr(batch, 'to', None)) and not isinstance(batch, type)


def _same_mapping(batch: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """Return a mapping of the batch's own type with these items; a dict where there is no way."""
    if type(batch) is dict:
        return items
    try:
        clone: Any = copy.copy(batch)
        clone.update(items)
    except (AttributeError, TypeError):  # one that cannot be written to
        return items
    return clone


def _same_sequence(batch: Any, items: list[Any]) -> Any:
    if hasattr(batch, '_make'):  # a named tuple
        return batch._make(items)
    try:
        return type(batch)(items)
    except TypeError:  # its own __init__ takes something else
        return tuple(items) if isinstance(batch, tuple) else items


def watch_workers(loaders: Mapping[str, Any]) -> None:
    """Make training fail at once where a data worker cannot send a batch.

    Without it the worker prints a traceback, and training waits for that batch for ever.
    """
    for loader in loaders.values():
        if isinstance(loader, DataLoader) and loader.num_workers:
            context = loader.multiprocessing_context or multiprocessing.get_context()
            loader.multiprocessing_context = _watched(context)


def _watched(context: BaseContext) -> BaseContext:
    """Return a context of the same start method, with queues that report what they cannot send."""
    if getattr(context, 'Queue', None) is _queue:
        return context
    kind = type(context)
    watched: BaseContext = type(kind.__name__, (kind,), {'Queue': _queue})()
    return watched


def _queue(context: BaseContext, maxsize: int = 0) -> 'Queue[Any]':
    return _ReportingQueue(maxsize, ctx=context)


class _ReportingQueue(Queue):
    """A queue of batches. In place of one that cannot be sent it sends the reason."""

    def _on_queue_feeder_error(self, error: Exception, item: Any) -> None:
        worker = get_worker_info()
        if worker is None:
            super()._on_queue_feeder_error(error, item)  # type: ignore[misc]
            return
        reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
        failure = SendError(f'a data worker cannot send its batch: {reason}')
        failure.__cause__ = error
        info = (SendError, failure, error.__traceback__)
        self.put((item[0], ExceptionWrapper(info, f'in DataLoader worker process {worker.id}')))


def is_own(loader: Any) -> bool:
    """Return whether it is a Loader: several processes get each their part of its batches."""
    return _sampler(loader) is not None


def seek(loader: Any, seed: int, epoch: int, first: int, phase: str = TRAIN) -> None:
    """Make the next iteration of a Loader that of `epoch` (from 0), from batch `first` on.

    Each phase has an order and random numbers of its own.
    """
    sampler = loader.batch_sampler
    sampler.epoch = epoch if phase == TRAIN else (phase, epoch)
    sampler.first, sampler.is_sought = first, True
    # what a worker draws, should stochastic=False be untrue
    loader.generator.manual_seed(seeding.mix(seed, 'workers', sampler.epoch))


def rank_fraction(loader: Any, batch: int) -> float:
    """Return how much of the samples of a batch this process has, of several: 0.5."""
    return loader.batch_sampler.rank_fraction(batch)


def order_digest(loader: Any, batch: int) -> str:
    """Return the CRC-32, in hexadecimal, of the sample indices of a batch (from 0) of the epoch.

    It is '' for another kind of loader.
    """
    sampler = getattr(loader, 'batch_sampler', None)
    if not isinstance(sampler, _EpochBatches):
        return ''
    digest = zlib.crc32(sampler.indices(batch))  # type: ignore[arg-type]  # an array is a buffer
    return f'{digest:08x}'


class _EpochBatches:
    """A batch sampler: (epoch, indices). The epoch travels with the indices, so that persistent
    workers know it. Of another phase than train it is (phase, epoch): see `seek`.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int, shuffle: bool, drop_last: bool
    ) -> None:
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.shuffle, self.drop_last = shuffle, drop_last
        self.epoch: Epoch = 0
        self.first = 0
        self.is_sought = False  # whether `seek` says which epoch it is
        self.rank, self.processes = distributed.rank(), distributed.size()
        self._order: np.ndarray = np.arange(0)
        self._order_epoch: Epoch | None = None

    def __len__(self) -> int:
        if self.drop_last:
            return self.count // self.batch_size
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Epoch, np.ndarray]]:
        epoch = self.epoch
        if not self.is_sought and self.processes == 1:
            # within another iterable, or iterated by the researcher: as torch's own samplers
            epoch = 'drawn', int(torch.randint(1 << 62, ()))
        order = self._order_of(epoch)
        for batch in range(self.first, len(self)):
            yield epoch, self._part_of(self._batch_of(order, batch))

    def part(self, batch: int) -> np.ndarray:
        """Return this process's part of a batch, as equal as can be.

        Where a last batch has none for it, it is one sample that is not counted: all processes take
        each step.
        """
        return self._part_of(self.indices(batch))

    def _part_of(self, indices: np.ndarray) -> np.ndarray:
        if self.processes == 1:
            return indices
        own = np.array_split(indices, self.processes)[self.rank]
        return own if len(own) else indices[:1]

    def rank_fraction(self, batch: int) -> float:
        """Return how much of a batch is this process's: 0.5."""
        indices = self.indices(batch)
        return len(np.array_split(indices, self.processes)[self.rank]) / len(indices)

    def indices(self, batch: int) -> np.ndarray:
        """Return the sample indices of a batch, of all processes: (batch_size,) int64.

        An incomplete last batch has fewer.
        """
        return self._batch_of(self._order_of(self.epoch), batch)

    def _batch_of(self, order: np.ndarray, batch: int) -> np.ndarray:
        return order[batch * self.batch_size : (batch + 1) * self.batch_size]

    def _order_of(self, epoch: Epoch) -> np.ndarray:
        if self._order_epoch != epoch:
            self._order, self._order_epoch = self._new_order(epoch), epoch
        return self._order

    def _new_order(self, epoch: Epoch) -> np.ndarray:
        if not self.shuffle:
            return torch.arange(self.count).numpy()
        generator = torch.Generator().manual_seed(seeding.mix(self.seed, 'order', epoch))
        return torch.randperm(self.count, generator=generator).numpy()


def _sampler(loader: Any) -> _EpochBatches | None:
    """Return the sampler of a Loader; None for another kind of loader."""
    sampler = getattr(loader, 'batch_sampler', None)
    return sampler if isinstance(sampler, _EpochBatches) else None


class _IndexedDataset(Dataset):
    """The dataset behind the sampler's (epoch, indices). `.dataset` is the researcher's own."""

    def __init__(self, dataset: Any, seed: int, stochastic: bool) -> None:
        self.dataset, self.seed, self.stochastic = dataset, seed, stochastic
        self._get_batch = None if stochastic else getattr(dataset, 'get_batch', None)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, key: tuple[Epoch, np.ndarray]) -> Any:
        """Return the samples of one batch: torch's fetcher asks for them together."""
        epoch, indices = key
        if self._get_batch:
            return self._get_batch(indices)
        if not self.stochastic:
            return [self._sample(index) for index in indices.tolist()]
        with _restored_generators():
            return [self._drawn(epoch, index) for index in indices.tolist()]

    def _sample(self, index: int) -> Any:
        try:
            return self.dataset[index]
        # the dataset's own, whatever it is: a worker would not say of which sample
        except Exception as error:
            raise SampleError(
                f'sample {index} of the dataset: {type(error).__name__}: {error}'
            ) from error

    def _drawn(self, epoch: Epoch, index: int) -> Any:
        seed = seeding.mix(self.seed, 'sample', epoch, index)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
        return self._sample(index)


class _Collate:
    """Puts samples together; what a dataset has put together itself passes through."""

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self._collate = collate

    def __call__(self, samples: Any) -> Any:
        return self._collate(samples) if isinstance(samples, list) else samples


@contextmanager
def _restored_generators() -> Iterator[None]:
    """Put the global generators back after a batch.

    In the training process dropout draws from them; in a data worker nothing else does.
    """
    if get_worker_info():
        yield
        return
    python, numpy = random.getstate(), np.random.get_state()
    of_torch = torch.default_generator.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.default_generator.set_state(of_torch)
