"""One process at a time owns a run: an flock on its `lock` file, held for the process's life.

    lock = take(folder)                  # Held if somebody else has it
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


def take(folder):
    """Own the run in `folder`; returns the open descriptor, which forked children close. Raises Held."""
    descriptor = os.open(Path(folder) / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    end = time.monotonic() + PATIENCE_S
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > end:
            held = Held(_read(descriptor))
            os.close(descriptor)
            raise held
        time.sleep(0.05)
    os.register_at_fork(after_in_child=lambda: _close(descriptor))  # a data worker that outlives us must not hold it on
    since = datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({'pid': os.getpid(), 'host': socket.gethostname(), 'since': since}).encode() + b'\n', 0)
    return descriptor


def owner(folder):
    """Who owns the run, or None."""
    try:
        descriptor = os.open(Path(folder) / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
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
    except ValueError:
        return {}


def _close(descriptor):
    try:
        os.close(descriptor)
    except OSError:
        pass
