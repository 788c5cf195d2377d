"""Draws curves.png into a run's folder when the run has ended, in a process of its own that nobody waits for.

    git config tagrun.curves false      leaves it out; `tagrun plot first --own` draws it at any time

Of a run of less than two epochs there is no curve to draw.
"""
import os
import subprocess
import sys
from pathlib import Path

from tagrun.store import history, run_json

LEAST = 2       # epochs
POLITE = 10     # as nice has it: the next run comes first
TOOL = Path(__file__).resolve().parents[1]


def after(repository, folder, info):
    if repository.flag('curves', True) and _epochs(folder) >= LEAST:
        child = subprocess.Popen([sys.executable, TOOL, 'plot', '--own', run_json.name(info)], cwd=repository.root, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.setpriority(os.PRIO_PROCESS, child.pid, POLITE)
        if 'SLURM_JOB_ID' in os.environ:
            child.wait()    # Slurm ends what a job leaves behind


def _epochs(folder):
    try:
        return len(history.read(folder))
    except (OSError, ValueError):
        return 0
