"""One process at a time owns a run: an flock on its `lock` file, held for the process's life.

    lock = Lock(folder)                  # Held if somebody else has it
    owner(folder)                        # {'pid': …, 'host': …, 'since': …}, or None
    signal_owner(folder, SIGTERM)        # True: a process that holds the lock was signalled

The kernel frees it however the process ends, so no stale lock is ever left. It works on one
machine, and on file systems whose flock reaches further (NFS 4); no heartbeat is written. Anybody
may have written the file: a process gets a signal only if it has this very file open.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

NAME = 'lock'
PATIENCE_S = 2  # a reader that only looks holds the lock for an instant


class Held(Exception):
    """Raised where somebody else owns the run: `owner` is what it wrote of itself."""

    def __init__(self, owner: dict[str, Any]) -> None:
        super().__init__(
            f'process {owner.get("pid")} on {owner.get("host")} since {owner.get("since")}'
        )
        self.owner = owner


class Lock:
    """Ownership of the run in `folder`, until `release` or the process's end. Raises Held."""

    def __init__(self, folder: str | Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(Path(folder) / NAME, flags, 0o666)
        self._descriptor: int | None = descriptor
        end = time.monotonic() + PATIENCE_S
        while not _try(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > end:
                held = Held(_read(descriptor))
                self.release()
                raise held
            time.sleep(0.05)
        # a data worker that outlives us must not hold it on
        os.register_at_fork(after_in_child=self.release)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_myself()).encode() + b'\n', 0)

    def release(self) -> None:
        """Let go. In a forked child it closes the child's copy: the parent stays the owner."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def owner(folder: str | Path) -> dict[str, Any] | None:
    """Return what the run's owner wrote of itself, or None if nobody owns the run.

    {} where that cannot be read.
    """
    # without waiting, should it be a FIFO
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(Path(folder) / NAME, flags)
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


def _myself() -> dict[str, Any]:
    since = datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')
    return {'pid': os.getpid(), 'host': socket.gethostname(), 'since': since}


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _read(descriptor: int) -> dict[str, Any]:
    try:
        return dict(json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError, OSError, RecursionError):  # not what we wrote
        return {}
