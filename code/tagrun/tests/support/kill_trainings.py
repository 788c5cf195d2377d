"""Kill everything that works on a project with SIGKILL, as a power cut would.

kill_all(project.root)
"""

import os
import signal
import time
from pathlib import Path


def pids(root):
    """Return the processes whose command line names the project's folder."""
    processes = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            is_ours = os.fsencode(root) in (process / 'cmdline').read_bytes()
        except OSError:
            continue
        if is_ours and int(process.name) != os.getpid():
            processes.append(int(process.name))
    return processes


def kill_all(root):
    """Kill until none is left, for one may fork meanwhile; return how many there were."""
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
    """Return whether it is a zombie, or gone."""
    try:
        return (Path('/proc') / str(pid) / 'stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True
