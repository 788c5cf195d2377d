"""Saves the run beside training, and loads it back.

    checkpoints = Checkpoints(folder, Background(), keep_last=2, keep_every=0)
    digest = checkpoints.save('epoch_3.pth', content, best=True)    # returns after a copy; a thread writes
    content = load(folder, 'epoch_3.pth')                           # verified first

Tensors and plain values only, loaded with weights_only=True. A file is written under a temporary name, synced, renamed, listed in
SHA256SUMS; only then is it a checkpoint, the links follow, and older ones may go. One write is in flight at a time.
"""
import hashlib
import re
import shutil
from collections import OrderedDict
from concurrent import futures
from pathlib import Path

import torch

from tagrun.store import atomic
from tagrun.store import checkpoints as store
from tagrun.training.report import tell


class Damaged(ValueError):
    """The file is not what was written."""


class Background:
    """One thread that does what it is given, in order. What went wrong there is raised at the next `wait`.

    What was given after it is not done: an epoch is reported after its save, and so only if that is on disk.
    """

    def __init__(self):
        self._thread = futures.ThreadPoolExecutor(1, 'background')
        self._flying, self._failed = [], None

    def submit(self, function, *arguments):
        self._flying.append(self._thread.submit(self._do, function, arguments))
        return self._flying[-1]

    def _do(self, function, arguments):
        if self._failed:
            raise self._failed
        try:
            return function(*arguments)
        except Exception as error:
            self._failed = error
            raise

    def wait(self):
        """Until all that was given is done. Ctrl-C in between leaves it to the next call."""
        futures.wait(self._flying)
        flying, self._flying, self._failed = self._flying, [], None
        for future in flying:
            future.result()


class Checkpoints:
    def __init__(self, folder, background, keep_last, keep_every, best=None):
        """`best`: the best epoch's name, as far as the run has come: a kill may have come between a save and its link."""
        self._folder, self._background = Path(folder), background
        self._keep_last, self._keep_every = max(1, keep_last), keep_every
        self._place = self._folder / store.FOLDER
        self._place.mkdir(exist_ok=True)
        self._kept = None           # buffers of the last copy, filled again by the next
        self._scarce = False        # whether it was said that there is little room
        sums = store.listed(folder)
        self._best = best if best in sums else store.best(folder)
        self._sweep(sums)

    def _sweep(self, sums):
        """Remove what a kill left, half-written files and saves that are not listed, and mend the links. Without a list nothing is known."""
        for path in [*self._place.glob('.*.tmp'), *self._place.glob('epoch_[0-9]*.pth'), *self._place.glob('epoch_[0-9]*.shards')]:
            if path.suffix == '.tmp' or sums and f'{path.stem}.pth' not in sums:
                store.remove(path)
        for link, name in ((store.LAST, next(reversed(sums), None)), (store.BEST, self._best)):
            if name:
                atomic.link(self._place / link, name)
            elif sums:
                (self._place / link).unlink(missing_ok=True)

    def save(self, name, content, best=False):
        """Copy `content`, wait for the save before, write it as `name` in the background. Returns a future: the SHA-256 of the weights."""
        self._background.wait()
        self._kept = copied(content, self._kept)
        self.check_room(self._kept)
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()    # the copies out of its memory are under way until here
        digest = self._background.submit(weights_digest, self._kept['state']['model'])
        self._background.submit(self._write, name, self._kept, digest, best)
        return digest

    def check_room(self, content):
        """Say, once, that two more checkpoints of this size do not fit: one is written before an older one goes."""
        size, free = _size(content), shutil.disk_usage(self._place).free
        if free < 2 * size and not self._scarce:
            tell(f'tagrun: a checkpoint takes {size:,} bytes or more, and {free:,} are free for {self._place}: make room; a run that a full disk stops can be continued')
            self._scarce = True

    def _write(self, name, content, digest, best):
        sums = store.listed(self._folder)
        if sums.pop(name, None):    # the same name again: until the new one is whole there is none
            store.write_sums(self._folder, sums)
        with atomic.replacing(self._place / name, needed=_size(content)) as file:
            hashing = _Hashing(file)
            _torch_save({**content, 'weights': digest.result()}, hashing)
        sums[name] = hashing.digest.hexdigest()
        self._best = name if best else self._best
        keep = {*list(sums)[-self._keep_last:], self._best, *filter(self._every, sums)}
        store.write_sums(self._folder, {one: digest for one, digest in sums.items() if one in keep})
        atomic.link(self._place / store.LAST, name)
        if best:
            atomic.link(self._place / store.BEST, name)
        atomic.sync_folder(self._place)     # a link must not come to point to what goes now, should the power go with it
        for one in sums.keys() - keep:
            store.remove(self._place / one)
            store.remove(self._place / store.shards(one))

    def _every(self, name):
        whole = re.fullmatch(r'epoch_(\d+)\.pth', name)
        return bool(self._keep_every and whole) and int(whole[1]) % self._keep_every == 0


def load(folder, name):
    """The content of checkpoint `name` of a run's folder, on the CPU. Raises Damaged, saying why, if it is not what was written."""
    path = Path(folder) / store.FOLDER / name
    if store.digest(path) != store.listed(folder)[name]:
        raise Damaged(f'{name} is damaged: its SHA-256 is not the one in {store.SUMS}')
    content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    for file, digest in content.get('state', {}).get('shards', {}).items():     # of a model that was divided over several processes: shards.py
        if store.digest(path.with_name(store.shards(name)) / Path(file).name) != digest:
            raise Damaged(f'{name} is damaged: the SHA-256 of {store.shards(name)}/{Path(file).name} is not the one in it')
    return content


def weights_digest(model_state):
    """SHA-256 of a model's state_dict: names, shapes, types and bits of its tensors, in order."""
    digest = hashlib.sha256()
    for name, value in model_state.items():
        if torch.is_tensor(value):
            digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def copied(value, kept=None):
    """`value` with its tensors copied to the CPU, into those of `kept`, an earlier copy of the like, where they fit.

    Out of a GPU they go to pinned memory, at the bus's own speed; they are there after torch.cuda.synchronize().
    """
    if torch.is_tensor(value):
        if torch.is_tensor(kept) and kept.shape == value.shape and kept.dtype == value.dtype:
            return kept.copy_(value.detach(), non_blocking=value.is_cuda)
        if value.is_cuda:
            return torch.empty_like(value, device='cpu', requires_grad=False, pin_memory=True).copy_(value.detach(), non_blocking=True)
        return value.detach().to('cpu', copy=True)
    if isinstance(value, dict):
        before = kept if isinstance(kept, dict) else {}
        copy = OrderedDict() if isinstance(value, OrderedDict) else {}
        copy.update((key, copied(item, before.get(key))) for key, item in value.items())
        if hasattr(value, '_metadata'):  # a module's state_dict: the versions of its parts
            copy._metadata = value._metadata
        return copy
    if isinstance(value, (list, tuple)):
        before = kept if isinstance(kept, (list, tuple)) and len(kept) == len(value) else [None] * len(value)
        return type(value)(copied(item, part) for item, part in zip(value, before))
    return value


class _Hashing:
    """The file torch.save writes to: hashes what passes, and keeps an OSError that torch would replace by its own words."""

    def __init__(self, file):
        self._file, self.digest, self.error = file, hashlib.sha256(), None

    def write(self, data):
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        return len(data)

    def flush(self):
        self._file.flush()


def _torch_save(content, hashing):
    try:
        torch.save(content, hashing)
    except RuntimeError:
        if hashing.error:
            raise hashing.error from None
        raise


def _size(content):
    """Bytes of its tensors."""
    return sum(tensor.nbytes for tensor in _tensors(content))


def _tensors(value):
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)
