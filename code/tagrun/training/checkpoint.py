"""Saves the run beside training, and loads it back.

    checkpoints = Checkpoints(folder, Background(), keep_last=2, keep_every=0)
    digest = checkpoints.save('epoch_3.pth', content, best=True)    # after a copy; a thread writes
    content = load(folder, 'epoch_3.pth')                           # verified first

Tensors and plain values only, loaded with weights_only=True. A file is written under a temporary
name, synced, renamed, listed in SHA256SUMS; only then is it a checkpoint, the links follow, and
older ones may go. One write is in flight at a time.
"""

import errno
import hashlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from tagrun.store import atomic, beneath
from tagrun.store import checkpoints as store
from tagrun.training import state_parts, values
from tagrun.training.report import info

LONGEST_REASON = 200  # characters of why a file cannot be read: torch gives advice at length


class Damaged(ValueError):
    """The file is not what was written."""


class Background:
    """One thread that does what it is given, in order.

    What failed there is raised at the next `wait`, and what was given after it is not done: an
    epoch is reported after its save, and so only if that is on disk.
    """

    def __init__(self) -> None:
        self._thread = futures.ThreadPoolExecutor(1, 'background')
        self._pending: list[futures.Future] = []
        self._failure: Exception | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> futures.Future:
        """Do `function(*arguments)` after all that was given before."""
        self._pending.append(self._thread.submit(self._do, function, arguments))
        return self._pending[-1]

    def _do(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if self._failure:
            raise self._failure
        try:
            return function(*arguments)
        except Exception as error:
            self._failure = error
            raise

    def wait(self) -> None:
        """Wait until all that was given is done. After a Ctrl-C the next call waits for it."""
        futures.wait(self._pending)
        done, self._pending, self._failure = self._pending, [], None
        for future in done:
            future.result()

    def drain(self) -> None:
        """Wait for the thread itself: a Ctrl-C may have kept `submit` from noting what it gave."""
        self.submit(_nothing)
        self.wait()


def _nothing() -> None:
    pass


class Checkpoints:
    """The checkpoints of the run in `folder`.

    best: the best epoch's name, as far as the run has come: a kill may have come between a save and
    its link.
    """

    def __init__(
        self,
        folder: Path,
        background: Background,
        keep_last: int,
        keep_every: int,
        best: str | None = None,
    ) -> None:
        self.background = background
        self.on_saved: Callable[[Path], object] | None = None  # called in the background
        self._run_folder = Path(folder)
        self._folder = self._run_folder / store.FOLDER
        beneath.make_folder(self._folder)
        self._keep_last, self._keep_every = max(1, keep_last), keep_every
        self._buffers: Any = None  # the last copy, which the next one fills again
        self._warned = False  # whether it was said that there is little room
        sums = store.listed(self._run_folder)
        self._best = best if best in sums else store.best(self._run_folder)
        self._sweep(sums)

    def _sweep(self, sums: dict[str, str]) -> None:
        """Remove what a kill left, half-written files and unlisted saves, and renew the links.

        Without a list nothing is known of the saves, and they stay. So does a file of the
        researcher's, e.g. epoch_2_before_lr_drop.pth.
        """
        for pattern in ('.*.tmp', 'epoch_[0-9]*.pth', 'epoch_[0-9]*.shards'):
            for path in self._folder.glob(pattern):
                is_unlisted = sums and f'{path.stem}.pth' not in sums
                if path.suffix == '.tmp' or (is_unlisted and store.is_own_name(path.stem)):
                    store.remove(path)
        for link, name in ((store.LAST, next(reversed(sums), None)), (store.BEST, self._best)):
            if name:
                atomic.link(self._folder / link, name)
            elif sums:
                (self._folder / link).unlink(missing_ok=True)

    def save(
        self,
        name: str,
        content: dict[str, Any],
        best: bool = False,
        networks: Sequence[str] = (state_parts.MODEL,),
    ) -> futures.Future:
        """Copy `content`, wait for the save before, write it as `name` in the background.

        networks: the names of those in content['state']. Returns a future: the SHA-256 of the
        weights. Raises TypeError, with its path, for what a load would not give back.
        """
        self.background.wait()
        before = self._buffers or {}
        self._buffers = {
            key: values.copied(part, before.get(key), key) for key, part in content.items()
        }
        self.check_room(self._buffers)
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # the copies out of its memory are under way until here
        weights = state_parts.weights(networks, self._buffers['state'])
        digest = self.background.submit(weights_digest, weights)
        self.background.submit(self._write, name, self._buffers, digest, best)
        return digest

    def check_room(self, content: dict[str, Any]) -> None:
        """Say, once, that two more checkpoints of this size do not fit.

        A new one is written before an older one goes.
        """
        size, free = _size(content), shutil.disk_usage(self._folder).free
        if free < 2 * size and not self._warned:
            info(
                f'tagrun: a checkpoint takes {size:,} bytes or more, and {free:,} are free '
                f'for {self._folder}: make room; a run that a full disk stops can be '
                'continued'
            )
            self._warned = True

    def _write(
        self, name: str, content: dict[str, Any], digest: futures.Future, best: bool
    ) -> None:
        store.make_way(self._run_folder, name)
        sums = store.listed(self._run_folder)
        sums[name] = write(self._folder / name, {**content, 'weights': digest.result()})
        self._best = name if best else self._best
        keep = {*list(sums)[-self._keep_last :], *filter(self._is_nth, sums), self._best or name}
        removable = store.shorten(self._run_folder, sums, keep)
        atomic.link(self._folder / store.LAST, name)
        if best:
            atomic.link(self._folder / store.BEST, name)
        # a link must not come to point to what goes now, should the power go with it
        atomic.sync_folder(self._folder)
        for old in removable:
            store.remove(self._folder / old)
            store.remove(self._folder / store.shards(old))
        if self.on_saved:
            self.on_saved(self._folder / name)

    def _is_nth(self, name: str) -> bool:
        whole = re.fullmatch(r'epoch_(\d+)\.pth', name)
        return whole is not None and is_nth(int(whole[1]), self._keep_every)


def write(path: Path, content: dict[str, Any]) -> str:
    """Write a checkpoint, which does not count before it is listed; return its SHA-256."""
    with atomic.replacing(path, needed=_size(content)) as file:
        hashing = _Hashing(file)
        _torch_save(content, hashing)
    return hashing.digest.hexdigest()


def load(folder: Path, name: str) -> dict[str, Any]:
    """Return the content of checkpoint `name` of a run's folder, on the CPU.

    Raises Damaged, saying why, if it is not what was written or cannot be read. A lack of memory
    says nothing of the file, and is raised as it is.
    """
    try:
        return _load(folder, name)
    except Exception as error:  # whatever a file that anybody may have changed can raise
        if isinstance(error, Damaged) or lacks_memory(error):
            raise
        reason = str(error).strip().partition('\n')[0][:LONGEST_REASON]
        raise Damaged(f'{name} cannot be read: {type(error).__name__}: {reason}') from error


def lacks_memory(error: Exception) -> bool:
    """Return whether an error says nothing of a file, but that there is no memory left."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error)
    return isinstance(error, MemoryError) or bool(re.search('allocate|out of memory', text))


def _load(folder: Path, name: str) -> dict[str, Any]:
    path = Path(folder) / store.FOLDER / name
    if store.digest(path) != store.listed(folder)[name]:
        raise Damaged(f'{name} is damaged: its SHA-256 is not the one in {store.SUMS}')
    content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    # of a model that was divided over several processes: shards.py
    for file, digest in content.get('state', {}).get('shards', {}).items():
        if store.digest(path.with_name(store.shards(name)) / Path(file).name) != digest:
            raise Damaged(
                f'{name} is damaged: the SHA-256 of {store.shards(name)}/{Path(file).name} '
                'is not the one in it'
            )
    return content


def restore_newest(
    folder: Path, name: str | None, state: Any, load_whole: Callable[[Path, str], dict[str, Any]]
) -> dict[str, Any]:
    """Load checkpoint `name` of a run, or the newest before it that is whole, into `state`.

    Returns what was in it, or {} where `name` is None or no checkpoint is whole. load_whole:
    shards.load.
    """
    if name is None:
        return {}
    names = list(store.listed(folder))
    if name in names:
        names = names[: names.index(name) + 1]
    for candidate in reversed(names):
        try:
            saved = load_whole(folder, candidate)
        except (Damaged, OSError) as error:
            print(f'tagrun: {error}; the one before it is taken', file=sys.stderr)
            continue
        state.load_state_dict(saved['state'])
        store.forget_after(folder, candidate)
        print(f'resumed {_position(state)} ({candidate})', file=sys.stderr)
        return saved
    print('tagrun: no checkpoint is whole; training begins anew', file=sys.stderr)
    return {}


def _position(state: Any) -> str:
    if state.phase:
        return f'in epoch {state.epoch + 1}, after {state.batch} batches of {state.phase}'
    return f'after epoch {state.epoch}'


def weights_digest(weights: dict[str, Any]) -> str:
    """Return the SHA-256 of a model's state_dict: names, shapes, types and bits, in order."""
    digest = hashlib.sha256()
    for name, value in weights.items():
        if torch.is_tensor(value):
            digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            array: Any = flat.view(torch.uint8).numpy()
            digest.update(array)
    return digest.hexdigest()


def is_nth(epoch: int, interval: int) -> bool:
    """Return whether it is each `interval`-th epoch's turn; with 0 it never is."""
    return interval > 0 and epoch % interval == 0


class _Hashing:
    """The file torch.save writes to: hashes what passes, and keeps an OSError that torch would
    replace by its own words.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self.error: OSError | None = None
        self._file = file

    def write(self, data: bytes) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()


def _torch_save(content: dict[str, Any], hashing: _Hashing) -> None:
    try:
        torch.save(content, hashing)  # type: ignore[arg-type]  # it has what torch calls
    except RuntimeError:
        if hashing.error:
            raise hashing.error from None
        raise


def _size(content: Any) -> int:
    """Return the bytes of its tensors, at least."""
    return sum(map(_bytes, _tensors(content)))


def _bytes(tensor: Tensor) -> int:
    if tensor.layout == torch.strided:
        return tensor.nbytes
    return tensor._nnz() * tensor.element_size()  # a sparse one's values


def _tensors(value: Any) -> Iterator[Tensor]:
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)
