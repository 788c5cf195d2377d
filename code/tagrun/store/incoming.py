"""__result__/.incoming/: where a run from elsewhere is made whole before it gets its name.

    with Incoming(root, on_wait=lambda: echo('it waits for another one')) as incoming:
        folder = incoming.new_folder()      # empty; run.json, which says where it is from, first
        incoming.add_to('finished', run)    # the list will have it
        incoming.place(folder, run)         # one rename: a reader finds the whole run, or none
        incoming.is_whole(run)              # the list has it

One process at a time does so; the others wait. A kill leaves files in this folder alone, and in
`lists` the lines that the lists may lack. Whoever comes next completes the lists and removes the
files; `finish` does that too.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tagrun.store import atomic, beneath, experlist, layout, names, run_json, safe_read, statistic
from tagrun.store.run_ref import RunRef

NAME = '.incoming'
LOCK = 'lock'
LISTS = 'lists'  # lines '<set> <tag>/<id>'
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


class Incoming:
    """The right to bring runs into a project. Raises OSError where __result__ cannot be written."""

    def __init__(self, root: str | Path, on_wait: Callable[[], None] = lambda: None) -> None:
        """on_wait: called once where another process has to end before."""
        self.folder = layout.result(root) / NAME
        self._root = Path(root)
        self._on_wait = on_wait
        self._descriptor = -1
        self._count = 0
        self._sets: dict[RunRef, str] = {}
        self._lists: dict[str, experlist.Growing] = {}

    def __enter__(self) -> 'Incoming':
        self._descriptor = self._lock()
        _complete_lists(self._root, self.folder)
        for path in self.folder.iterdir():
            if path.name != LOCK:
                _remove(path)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._sets:  # an error came between
            _complete_lists(self._root, self.folder)
        for path in sorted(self.folder.iterdir()):
            _remove(path)
        self.folder.rmdir()
        os.close(self._descriptor)

    def new_folder(self) -> Path:
        """Make an empty folder for the files of a run."""
        self._count += 1
        folder = self.folder / str(self._count)
        folder.mkdir()
        return folder

    def add_to(self, name: str, run: RunRef) -> None:
        """Note that a list is to have a run, before the run is whole."""
        self._sets[run] = name
        atomic.append(self.folder / LISTS, f'{name} {run}')

    def place(self, folder: Path, run: RunRef) -> bool:
        """Give a whole folder its name; return False where another run has it."""
        target = run.folder(self._root)
        beneath.make_folder(target.parent)
        if target.parent.is_symlink() or target.is_symlink():
            raise OSError(errno.ELOOP, 'a link, which Tagrun does not follow there', str(target))
        try:
            os.rename(folder, target)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            return False
        return True

    def take_away(self, folder: Path) -> None:
        """Take a half-made folder of a run away; it is removed at the end."""
        os.rename(folder, self.new_folder())

    def is_whole(self, run: RunRef) -> None:
        """Add a run to the list that `add_to` named, if any."""
        name = self._sets.get(run)
        if name is None:
            return
        if name not in self._lists:
            self._lists[name] = experlist.Growing(self._root, name)
        self._lists[name].add(run)
        del self._sets[run]

    def _lock(self) -> int:
        """Return the descriptor of the lock, which another process may remove with the folder."""
        is_told = False
        while True:
            beneath.make_folder(self.folder)
            if self.folder.is_symlink():
                raise OSError(errno.ELOOP, 'a link, which Tagrun does not follow there', NAME)
            descriptor = _open_lock(self.folder)
            if descriptor is None:
                continue
            if not is_told and not _try(descriptor):
                self._on_wait()
                is_told = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, self.folder / LOCK):
                return descriptor
            os.close(descriptor)


def is_left(root: str | Path) -> bool:
    """Return whether a killed process left something."""
    folder = layout.result(root) / NAME
    if folder.is_symlink() or not folder.is_dir():
        return False
    descriptor = _open_lock(folder, 0)
    if descriptor is None:
        return True
    try:
        return _try(descriptor)
    finally:
        os.close(descriptor)


def finish(root: str | Path) -> None:
    """Complete the lists that a kill left behind, and remove the files. Raises OSError."""
    with Incoming(root):
        pass


def _complete_lists(root: Path, folder: Path) -> None:
    """Add to the lists the runs that came whole."""
    content = safe_read.read_or_none(folder / LISTS) or b''
    for line in content.decode('utf-8', 'replace').splitlines():
        name, _, text = line.partition(' ')
        run = RunRef.parse(text)
        if run is not None and not names.check_set(name) and _belongs(root, name, run):
            _complete_line(root, name, run)
            experlist.add(root, name, [run])


def _complete_line(root: Path, name: str, run: RunRef) -> None:
    """Complete the line of a run in a list, if the kill came in the middle of it."""

    def is_other(text: str) -> bool:
        other = RunRef.parse(text)
        return other not in (None, run) and other.folder(root).is_dir()

    path = layout.list_file(root, name)
    if path.is_file():
        atomic.complete_torn(path, str(run), is_other)


def _belongs(root: Path, name: str, run: RunRef) -> bool:
    """Return whether a run came from elsewhere, whole; finished.txt takes finished ones only."""
    folder = run.folder(root)
    info = run_json.read_or_none(folder) or {}
    content = statistic.read_or_none(folder)
    if content is None or not (info.get('fetched_from') or info.get('imported')):
        return False
    return name != experlist.FINISHED or content['status'] == statistic.FINISHED


def _open_lock(folder: Path, create: int = os.O_CREAT) -> int | None:
    """Return the descriptor of the lock's file; None where it is gone."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | create
    try:
        return beneath.open_file(folder / LOCK, flags)
    except FileNotFoundError:
        return None


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
