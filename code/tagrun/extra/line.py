"""What is in the queue: one small file a run, __result__/.queue/<tag>,<id>.json, and who works it off.

    {"run": "t1/0", "priority": 0, "since": 1795608000000000000, "state": "waiting", "why": ""}

    number = add(root, folder, priority=0); for entry in entries(root): …; taken = take(root, skip)

`state` is waiting or failed; what is trained is known by the run's own lock, and what has ended has no file. It lies beside the runs that it names:
it is of this machine, and goes when they go. Who works on a run holds an flock on its file, so no two take the same one, and a worker that is
killed frees it: the next one goes on with the run. It trains nothing.
"""
import fcntl
import os
import signal
import time
from contextlib import suppress
from typing import NamedTuple

from tagrun.store import jsonfile, layout, lock, names

WAITING, FAILED = 'waiting', 'failed'
WORKER = 'worker-'      # how the folder of a worker begins: its lock lies there, and its log
PRIORITIES = 10 ** 9


class Entry(NamedTuple):
    priority: int       # lower first, then who came first
    since: int          # Unix time in ns
    name: str           # 't1/0'
    state: str
    why: str

    @property
    def id(self):
        return str(self.since)


class Taken(NamedTuple):
    entry: Entry
    descriptor: int     # holds the flock until it is closed


def place(root):
    return layout.result(root) / '.queue'


def folder_of(root, entry):
    return layout.run_folder(root, *names.split_run(entry.name))


def _path(root, name):
    return place(root) / f'{name.replace("/", ",")}.json'


def add(root, folder, priority):
    """Put a run in line, or there again; its number."""
    place(root).mkdir(parents=True, exist_ok=True)
    entry = Entry(max(-PRIORITIES, min(PRIORITIES, priority)), time.time_ns(), f'{folder.parent.name}/{folder.name}', WAITING, '')
    _write(root, entry)
    return entry.id


def _write(root, entry):
    jsonfile.write(_path(root, entry.name), {'run': entry.name, 'priority': entry.priority, 'since': entry.since, 'state': entry.state, 'why': entry.why})


def entries(root):
    """All that is in line, the next first. What is no entry, or whose run is not here, is passed over."""
    found = (_read(root, path) for path in place(root).glob('*,*.json'))
    return sorted(entry for entry in found if entry)


def waiting(root):
    """Those that nobody trains."""
    return [entry for entry in entries(root) if entry.state == WAITING and lock.owner(folder_of(root, entry)) is None]


def _read(root, path):
    try:
        content = jsonfile.read(path)
    except (OSError, ValueError):
        return None
    name, numbers = content.get('run'), [content.get('priority'), content.get('since')]
    parts = names.split_run(name) if isinstance(name, str) else None
    if not parts or parts[1] is None or path != _path(root, name) or not all(type(number) is int and abs(number) < 1 << 63 for number in numbers):
        return None
    folder = layout.run_folder(root, *parts)
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return None
    return Entry(*numbers, name, FAILED if content.get('state') == FAILED else WAITING, str(content.get('why', '')))


def take(root, skip=()):
    """The next that nobody has, as Taken, or None. skip: names to pass over."""
    for entry in entries(root):
        if entry.state == WAITING and entry.name not in skip:
            descriptor = _held(_path(root, entry.name))
            if descriptor is not None:
                return Taken(entry, descriptor)
    return None


def _held(path):
    """A descriptor that holds the file's flock; None if somebody else has it, or has replaced or removed it meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    os.close(descriptor)
    return None


def give_back(root, taken, why=None):
    """Let go of what was taken: done with None; with a reason it stays in line as failed; with '' as it was."""
    if why is None:
        _path(root, taken.entry.name).unlink(missing_ok=True)
    elif why and _path(root, taken.entry.name).exists():
        _write(root, taken.entry._replace(state=FAILED, why=why))
    os.close(taken.descriptor)


def remove(root, entry, stop=False):
    """Take a run out of the line; True if nobody trains it. stop: tell its training to save and end."""
    owner = lock.owner(folder_of(root, entry))
    if owner is not None and not stop:
        return False
    _path(root, entry.name).unlink(missing_ok=True)
    if owner is not None and owner.get('host') == os.uname().nodename and type(owner.get('pid')) is int:
        os.kill(owner['pid'], signal.SIGTERM)
    return owner is None


def is_there(root, entry):
    return _path(root, entry.name).exists()


# --- workers ------------------------------------------------------------------------------------------------------------


def worker(root, slot):
    """The folder of a worker."""
    return place(root) / f'{WORKER}{slot}'


def workers(root):
    """{slot: {'pid', 'host', 'since'}} of those that are alive."""
    slots = sorted(int(path.name.removeprefix(WORKER)) for path in place(root).glob(f'{WORKER}*') if path.name.removeprefix(WORKER).isdecimal())
    found = {slot: lock.owner(worker(root, slot)) for slot in slots}
    return {slot: owner for slot, owner in found.items() if owner is not None}
