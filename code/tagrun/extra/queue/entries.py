"""The queue's files: one for each queued run, __result__/.queue/<tag>,<id>.json.

    {"run": "t1/0", "priority": 0, "since": 1795608000000000000, "state": "waiting", "why": ""}

A queued evaluation has one like it, t1,0,evaluation,2.json, with "run": "t1/0/evaluation/2".

    number = add(root, RunRef('t1', 0), priority=0)
    taken = take(root); finish(root, taken)

`state` is waiting or failed. A run's own lock says whether it is trained, and a run that has ended
has no file here. The queue lies beside the runs that it names: it is of this machine, and goes when
they go. A worker holds an flock on the file of its run, so no two take the same one. A killed
worker frees it, and the next one goes on with the run. This module trains nothing.
"""

import fcntl
import os
import signal
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tagrun.store import beneath, jsonfile, layout, lock
from tagrun.store.evaluations import EvaluationRef, Ref
from tagrun.store.run_ref import RunRef

FOLDER = '.queue'
WAITING, FAILED = 'waiting', 'failed'
PRIORITIES = 10**9
START_S = 60  # at most, until a training that was started has its lock
LOOK_S = 0.05


class Entry(NamedTuple):
    """A queued run. Entries sort in the order in which they are trained."""

    priority: int  # lower first, then by time
    since: int  # Unix time in ns
    run: Ref  # a run, or an evaluation of one
    state: str
    reason: str  # why it failed, or ''

    @property
    def id(self) -> str:
        """Return what the queue calls the run as an engine."""
        return str(self.since)

    def folder(self, root: Path) -> Path:
        """Return the run's folder."""
        return self.run.folder(root)


class Taken(NamedTuple):
    """An entry that nobody else can take."""

    entry: Entry
    descriptor: int  # holds the flock until it is closed


def folder(root: Path) -> Path:
    """Return the folder with the queue's files."""
    return layout.result(root) / FOLDER


def path(root: Path, run: Ref) -> Path:
    """Return the file of a queued run."""
    return folder(root) / f'{str(run).replace("/", ",")}.json'


def add(root: Path, run: Ref, priority: int) -> str:
    """Queue a run, or queue it again; return its id."""
    beneath.make_folder(folder(root))
    priority = max(-PRIORITIES, min(PRIORITIES, priority))
    entry = Entry(priority, time.time_ns(), run, WAITING, '')
    _write(root, entry)
    return entry.id


def entries(root: Path) -> list[Entry]:
    """Return all queued runs, the next first.

    A file that is not an entry is left out, as is one of a run that is not here.
    """
    read = (_read(root, file) for file in folder(root).glob('*,*.json'))
    return sorted(entry for entry in read if entry)


def waiting(root: Path) -> list[Entry]:
    """Return the queued runs that nobody trains."""
    return [
        entry
        for entry in entries(root)
        if entry.state == WAITING and not is_trained(root, entry.run)
    ]


def is_trained(root: Path, run: Ref) -> bool:
    """Return whether some process trains the run now."""
    return lock.owner(run.folder(root)) is not None


def is_queued(root: Path, run: Ref) -> bool:
    """Return whether the run is in the queue still."""
    return path(root, run).exists()


def take(root: Path, skip: Container[Ref] = ()) -> Taken | None:
    """Take the next entry that nobody has; None where there is none. skip: runs to pass over."""
    for entry in entries(root):
        if entry.state == WAITING and entry.run not in skip:
            descriptor = _hold(path(root, entry.run))
            if descriptor is not None:
                return Taken(entry, descriptor)
    return None


def finish(root: Path, taken: Taken) -> None:
    """Remove an entry that was taken: its run has ended."""
    path(root, taken.entry.run).unlink(missing_ok=True)
    os.close(taken.descriptor)


def fail(root: Path, taken: Taken, reason: str) -> None:
    """Let go of an entry whose run failed. It stays in the queue with the reason."""
    if is_queued(root, taken.entry.run):
        _write(root, taken.entry._replace(state=FAILED, reason=reason))
    os.close(taken.descriptor)


def put_back(taken: Taken) -> None:
    """Let go of an entry and leave it as it is: the next worker takes it."""
    os.close(taken.descriptor)


def set_priority(root: Path, entry: Entry, priority: int) -> bool:
    """Give an entry another priority; return whether nobody trains its run."""
    descriptor = _hold(path(root, entry.run))
    if descriptor is None:
        return False
    _write(root, entry._replace(priority=max(-PRIORITIES, min(PRIORITIES, priority))))
    os.close(descriptor)
    return True


def remove(root: Path, entry: Entry, stop: bool = False) -> bool:
    """Remove a run from the queue; return whether nobody trains it, nor is about to.

    A run that is trained, or that a worker has taken, is removed with `stop` only: then its
    training is asked to save and end.
    """
    file, folder = path(root, entry.run), entry.folder(root)
    descriptor = _hold(file)
    is_free = descriptor is not None and lock.owner(folder) is None
    if is_free or stop:
        # a worker that has taken it holds the file, although it is gone
        taken = _opened(file) if descriptor is None else None
        file.unlink(missing_ok=True)
        if not is_free:
            _interrupt(folder, taken)
        if taken is not None:
            os.close(taken)
    if descriptor is not None:
        os.close(descriptor)
    return is_free


def _interrupt(folder: Path, taken: int | None) -> None:
    """Ask a training to save and end, also one that a worker has only begun to start.

    taken: a descriptor of the entry's file, which the worker holds until the training has ended.
    """
    end = time.monotonic() + START_S
    while not lock.signal_owner(folder, signal.SIGTERM) and time.monotonic() < end:
        if taken is None or _is_free(taken):
            return
        time.sleep(LOOK_S)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def _opened(file: Path) -> int | None:
    try:
        return beneath.open_file(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None


def _hold(file: Path) -> int | None:
    """Return a descriptor that holds the file's flock.

    None if somebody else has it, or has replaced or removed the file meanwhile.
    """
    descriptor = _opened(file)
    if descriptor is None:
        return None
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(file)):
            return descriptor
    os.close(descriptor)
    return None


def _write(root: Path, entry: Entry) -> None:
    content = {
        'run': str(entry.run),
        'priority': entry.priority,
        'since': entry.since,
        'state': entry.state,
        'why': entry.reason,
    }
    jsonfile.write(path(root, entry.run), content)


def _read(root: Path, file: Path) -> Entry | None:
    """Return the entry of a file that somebody else may have written; None if it is not valid."""
    try:
        content = jsonfile.read(file)
    except (OSError, ValueError):
        return None
    name, priority, since = (content.get(key) for key in ('run', 'priority', 'since'))
    run = _ref(name) if isinstance(name, str) else None
    if run is None or file != path(root, run) or not _is_run_folder(run.folder(root)):
        return None
    if not (_is_number(priority) and _is_number(since)):
        return None
    state = FAILED if content.get('state') == FAILED else WAITING
    return Entry(priority, since, run, state, str(content.get('why', '')))


def _ref(name: str) -> Ref | None:
    return RunRef.parse(name) or EvaluationRef.parse(name)


def _is_number(value: object) -> bool:
    """Return whether it is an integer of 64 bits."""
    return type(value) is int and abs(value) < 1 << 63


def _is_run_folder(folder: Path) -> bool:
    """Return whether it is a folder, and neither it nor its tag's is a link to another place."""
    return folder.is_dir() and not folder.is_symlink() and not folder.parent.is_symlink()
