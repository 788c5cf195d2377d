"""The journal of Optuna's studies: __statistic__/search/<tag>.log, a line of JSON for each event.

    path = journal.path(root, 'nets')
    if journal.cut_torn_line(path): …       # a kill or a full disk left half a line at its end
    storage = journal.storage(path)         # for optuna.create_study

Optuna's own tools read it. A half-written event never counted: the runs say what was trained, and
the sweep writes the event again.
"""

import fcntl
import os
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError
from tagrun.store import beneath, layout

CHUNK = 1 << 16  # bytes that are read at once, from the end


def path(root: Path, tag: str) -> Path:
    """Return the journal of a tag. Raises UserError where it is a link."""
    file = folder(root) / f'{tag}.log'
    if file.is_symlink():
        raise UserError(f'{file} is a link to another place: remove it')
    return file


def folder(root: Path) -> Path:
    """Return the folder of all journals."""
    return layout.statistic(root) / 'search'


def storage(file: Path) -> Any:
    """Return Optuna's storage on a journal."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    lock: Any = Flock(file)
    return JournalStorage(JournalFileBackend(str(file), lock))


class Flock:
    """The lock of a journal while it is written to: the kernel frees it when we are killed.

    After a kill, Optuna's own lock, a link, would be waited for.
    """

    def __init__(self, file: Path):
        self._path = file.with_name(f'{file.name}.lock')
        self._descriptor = -1

    def acquire(self) -> bool:
        """Wait for the lock, and take it."""
        self._descriptor = beneath.open_file(self._path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)


def torn_bytes(file: Path) -> int:
    """Return the length of a half-written last line; 0 where there is none, or no journal."""
    try:
        descriptor = beneath.open_file(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        return size - _end_of_last_line(descriptor, size)
    finally:
        os.close(descriptor)


def cut_torn_line(file: Path) -> int:
    """Cut a half-written last line off, while nobody writes; return its bytes."""
    if not torn_bytes(file):
        return 0
    lock = Flock(file)
    lock.acquire()
    try:
        torn = torn_bytes(file)
        if torn:
            os.truncate(file, file.stat().st_size - torn)
        return torn
    finally:
        lock.release()


def _end_of_last_line(descriptor: int, size: int) -> int:
    """Return the offset behind the last newline, 0 where there is none."""
    end = size
    while end:
        start = max(0, end - CHUNK)
        newline = os.pread(descriptor, end - start, start).rfind(b'\n')
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
