"""What was measured, when and on what: the line above a table of results."""
import datetime
import os
import platform
import subprocess
from pathlib import Path


def line():
    """'2026-11-21, commit e67dac3, Linux x86_64, 2 cores, no GPU, Python 3.11.2, torch 2.13.0'."""
    import torch
    done = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=Path(__file__).parent, capture_output=True, text=True)   # a bench is no part of the tool
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    return (f'{datetime.date.today()}, commit {done.stdout.strip() or "unknown"}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {device}, '
            f'Python {platform.python_version()}, torch {torch.__version__}')
