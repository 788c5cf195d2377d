"""One process at a time owns a run: an flock on its `lock` file, held for the process's life.

    lock = Lock(folder)                  # Held if somebody else has it
    owner(folder)                        # {'pid': …, 'host': …, 'since': …}, or None
    signal_owner(folder, SIGTERM)        # True: a process that holds the lock was signalled

The kernel frees it however the process ends, so no stale lock is ever left. It works on one
machine, and on file systems whose flock reaches further (NFS 4); no heartbeat is written. Anybody
may have written the file: a process gets a signal only if it has this very file open.

Whoever starts a run holds its lock before there is a process that trains it, and hands it on: the
descriptor is inherited, so there is no moment at which nobody owns the run. In a new program `Lock`
adopts the descriptor that ENVIRONMENT names, once it is proven to be this folder's file.
"""

import contextlib
import fcntl
import functools
import json
import os
import re
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tagrun.store import beneath

NAME = 'lock'
ENVIRONMENT = 'TAGRUN_LOCK'  # the number of the descriptor that a training inherits
MOST_READS = 100  # of the owner's words
PATIENCE_S = 2  # a reader that only looks holds the lock for an instant
WIDTH = 160  # of what the owner writes of itself: it is replaced by one write, never half there

_held: list['Lock'] = []  # of this process


class Held(Exception):
    """Raised where somebody else owns the run: `owner` is what it wrote of itself."""

    def __init__(self, owner: dict[str, Any]) -> None:
        super().__init__(
            f'process {owner.get("pid")} on {owner.get("host")} since {owner.get("since")}'
        )
        self.owner = owner


class Lock:
    """Ownership of the run in `folder`, until `release` or the process's end. Raises Held.

    A child that is forked does not have it, for a data worker that outlives us must not hold it
    on. `fork` makes one that has.
    """

    def __init__(self, folder: str | Path) -> None:
        inherited = _adopted(folder)
        self._descriptor: int | None = _taken(folder) if inherited is None else inherited
        self._goes_along = False
        _register()
        _held.append(self)
        try:
            self._write(os.getpid())
        except OSError:
            self.release()
            raise

    @property
    def descriptor(self) -> int:
        """The descriptor that holds the flock, for a child to inherit."""
        assert self._descriptor is not None, 'it was released'
        return self._descriptor

    def fork(self) -> int:
        """Fork; return as os.fork. The child owns the run, and we do not any more."""
        self._goes_along = True
        try:
            pid = os.fork()
        finally:
            self._goes_along = False
        if pid:
            self.hand_on(pid)
        else:
            # should the parent be killed before it can
            with contextlib.suppress(OSError):
                self._write(os.getpid())
        return pid

    def hand_on(self, pid: int) -> None:
        """Write that a child, which inherited the descriptor, owns the run, and let go of it.

        Nothing where it was released.
        """
        if self._descriptor is None:
            return
        # else the child writes that itself, a little later
        with contextlib.suppress(OSError):
            self._write(pid)
        self.release()

    def release(self) -> None:
        """Let go. What inherited the descriptor stays the owner."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            _held.remove(self)
            os.close(descriptor)

    def _write(self, pid: int) -> None:
        content = json.dumps(_description(pid)).ljust(WIDTH).encode() + b'\n'
        os.pwrite(self.descriptor, content, 0)
        os.ftruncate(self.descriptor, len(content))


def _let_go_in_child() -> None:
    for held in list(_held):
        if not held._goes_along:
            held.release()


@functools.cache
def _register() -> None:
    """Do it once in a process: what is registered stays."""
    os.register_at_fork(after_in_child=_let_go_in_child)


def _taken(folder: str | Path) -> int:
    """Return a new descriptor that holds the flock. Raises Held."""
    descriptor = beneath.open_file(Path(folder) / NAME, os.O_RDWR | os.O_CREAT, follow=False)
    end = time.monotonic() + PATIENCE_S
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > end:
            held = Held(_read(descriptor))
            os.close(descriptor)
            raise held
        time.sleep(0.05)
    return descriptor


def keep_from_children() -> None:
    """Let no program that this process starts inherit the lock that it was handed.

    What a module starts while it is imported, before `Lock` adopts it, must not hold it on.
    """
    with contextlib.suppress(OSError, ValueError):
        os.set_inheritable(int(os.environ.get(ENVIRONMENT, '')), False)


def _adopted(folder: str | Path) -> int | None:
    """Return the descriptor that whoever started us handed on with the run's lock; None without.

    It is proven: it is this folder's lock file, and its flock is ours. No child inherits it.
    """
    word = os.environ.pop(ENVIRONMENT, '')
    if not re.fullmatch('[0-9]{1,9}', word):
        return None
    descriptor = int(word)
    try:
        file = os.stat(Path(folder) / NAME, follow_symlinks=False)
        if not os.path.samestat(os.fstat(descriptor), file):
            return None
        os.set_inheritable(descriptor, False)
        # of an inherited flock, this changes nothing
        return descriptor if _try(descriptor, fcntl.LOCK_EX) else None
    except OSError:
        return None


def owner(folder: str | Path) -> dict[str, Any] | None:
    """Return what the run's owner wrote of itself, or None if nobody owns the run.

    {} where that cannot be read.
    """
    # without waiting, should it be a FIFO
    flags = os.O_RDONLY | os.O_NONBLOCK
    try:
        descriptor = beneath.open_file(Path(folder) / NAME, flags, follow=False)
    except OSError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def signal_owner(folder: str | Path, number: int) -> bool:
    """Send a signal to the process that owns the run; return whether it was sent.

    It is not where the owner is on another machine, or the lock names a process that does not hold
    it.
    """
    content = owner(folder) or {}
    if content.get('host') != socket.gethostname():
        return False
    return signal_holder(Path(folder) / NAME, content.get('pid'), number)


def signal_holder(path: Path, pid: object, number: int) -> bool:
    """Send a signal to a process if it has a file open; return whether it was sent.

    path: a file that is locked. pid: as read from it, so whatever somebody wrote.
    """
    if type(pid) is not int or not 1 < pid < 1 << 31:
        return False
    try:
        if not hasattr(os, 'pidfd_open'):  # macOS
            is_holder = _has_open(path, pid)
            if is_holder:
                os.kill(pid, number)
            return is_holder
        # it stays this process, should its number be given to another one meanwhile
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if _has_open(path, pid):
            signal.pidfd_send_signal(descriptor, number)
            return True
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return False


def _has_open(path: Path, pid: int) -> bool:
    """Return whether a process has a file open. Raises OSError where nobody can say."""
    file = os.stat(path, follow_symlinks=False)
    folder = f'/proc/{pid}/fd'
    if not os.path.isdir('/proc/self/fd'):
        words = ['lsof', '-t', '-a', '-p', str(pid), '--', str(path)]
        return subprocess.run(words, capture_output=True).returncode == 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(f'{folder}/{name}'), file):
                return True
    return False


def _description(pid: int) -> dict[str, Any]:
    """Return what the lock says of a process of this machine."""
    since = datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')
    return {'pid': pid, 'host': socket.gethostname(), 'since': since}


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _read(descriptor: int) -> dict[str, Any]:
    try:
        content = os.pread(descriptor, 4096, 0)
        for _ in range(MOST_READS):
            # the owner may be writing: read until nothing moves
            before, content = content, os.pread(descriptor, 4096, 0)
            if content == before:
                break
        return dict(json.loads(content))
    except (ValueError, TypeError, OSError, RecursionError):  # not what we wrote
        return {}
