"""One process at a time owns a run: an flock on its `lock` file, held for the process's life.

    lock = Lock(folder)                  # Held if somebody else has it
    owner(folder)                        # {'pid': …, 'host': …, 'since': …} or None when nobody has it

The kernel frees it however the process ends, so no stale lock is ever left. It is seen on one machine, and on file systems
whose flock reaches further (NFS 4); no heartbeat is written.
"""
import fcntl
import json
import os
import socket
import time
from datetime import datetime, timezone
from pathlib import Path

NAME = 'lock'
PATIENCE_S = 2  # a reader that only looks holds the lock for an instant


class Held(Exception):
    """Somebody else owns the run: `owner` is what it wrote of itself."""

    def __init__(self, owner):
        super().__init__(f'process {owner.get("pid")} on {owner.get("host")} since {owner.get("since")}')
        self.owner = owner


class Lock:
    """Ownership of the run in `folder`, until `release` or the process's end. Raises Held."""

    def __init__(self, folder):
        self._descriptor = os.open(Path(folder) / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        end = time.monotonic() + PATIENCE_S
        while not _try(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() > end:
                held = Held(_read(self._descriptor))
                self.release()
                raise held
            time.sleep(0.05)
        os.register_at_fork(after_in_child=self.release)    # a data worker that outlives us must not hold it on
        since = datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')
        content = json.dumps({'pid': os.getpid(), 'host': socket.gethostname(), 'since': since}) + '\n'
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content.encode(), 0)

    def release(self):
        """Let go. In a forked child this closes the child's copy, and the parent stays the owner."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def owner(folder):
    """Who owns the run, or None."""
    try:    # without waiting, should it be a FIFO
        descriptor = os.open(Path(folder) / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor, kind):
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _read(descriptor):
    try:
        return dict(json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError, OSError, RecursionError):     # not what we wrote
        return {}
