"""kill -9 to all that works on a project, as a power cut would: who was called, what that forked, what it trains.

    kill_all(project.root)
"""
import os
import signal
import time
from pathlib import Path


def pids(root):
    """The processes whose command line names the project's folder."""
    found = []
    for place in Path('/proc').glob('[0-9]*'):
        try:
            if os.fsencode(root) in (place / 'cmdline').read_bytes() and int(place.name) != os.getpid():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def kill_all(root):
    """Until none is left: one may have been forked while we looked. How many there were."""
    killed = set()
    while left := [pid for pid in pids(root) if not _is_dead(pid)]:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.add(pid)
        time.sleep(0.02)
    return len(killed)


def _is_dead(pid):
    """Whether it only waits to be told of."""
    try:
        return (Path('/proc') / str(pid) / 'stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True
