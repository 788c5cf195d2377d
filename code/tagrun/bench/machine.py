"""What a measurement was made on, and when: the line above a table of results."""

import datetime
import os
import platform
import subprocess
from pathlib import Path


def describe() -> str:
    """Return '2026-11-21, commit e67dac3, Linux x86_64, 2 cores, no GPU, Python 3.11, torch …'."""
    import torch

    # a bench is not part of the tool: it may call git itself
    done = subprocess.run(
        ['git', 'describe', '--always', '--dirty'],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    system = f'{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {device}'
    versions = f'Python {platform.python_version()}, torch {torch.__version__}'
    commit = done.stdout.strip() or 'unknown'
    return f'{datetime.date.today()}, commit {commit}, {system}, {versions}'
