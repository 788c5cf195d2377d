"""Draw curves.png into a run's folder when the run has ended.

    git config tagrun.curves false      # leaves it out
    tagrun plot first --own             # draws it at any time

It is a process of its own, and the command does not wait for it. A run of less than two epochs has
no curve.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tagrun.core.git.repository import Repository
from tagrun.core.project import TOOL
from tagrun.store import history, run_json

LEAST_EPOCHS = 2
NICE = 10  # the next run comes first


def after(repository: Repository, folder: Path, info: dict[str, Any]) -> None:
    """Start the drawing. info: the content of the run's run.json."""
    if not repository.flag('curves', True) or _count_epochs(folder) < LEAST_EPOCHS:
        return
    child = subprocess.Popen(
        [sys.executable, TOOL, 'plot', '--own', run_json.name(info)],
        cwd=repository.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.setpriority(os.PRIO_PROCESS, child.pid, NICE)
    if 'SLURM_JOB_ID' in os.environ:
        child.wait()  # Slurm kills what a job leaves behind


def _count_epochs(folder: Path) -> int:
    try:
        return len(history.read(folder))
    except (OSError, ValueError):
        return 0
