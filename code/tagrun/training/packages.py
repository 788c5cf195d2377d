"""Say what to type where `python code/main.py` has a Python without the project's packages.

    try: import torch
    except Exception as error: explain(error); raise

It needs no package, and an old Python can read it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 10)
HAS = 'import importlib.util as u, sys; sys.exit(u.find_spec({!r}) is None)'


def explain(error: BaseException) -> None:
    """End the process with what to type, where main.py was started by hand and packages lack.

    Returns where that is not the case: then the error is the researcher's, or ours.
    """
    main = Path(str(getattr(sys.modules['__main__'], '__file__', ''))).resolve()
    code = Path(__file__).resolve().parents[2]
    if main != code / 'main.py' or 'TAGRUN_RUN' in os.environ:
        return
    name = str(getattr(error, 'name', None) or '').partition('.')[0]
    is_old = sys.version_info[:2] < OLDEST
    if not is_old and (not isinstance(error, ModuleNotFoundError) or name == 'tagrun'):
        return
    number = '.'.join(map(str, sys.version_info[:2]))
    lack = f'is Python {number}, and 3.10 or newer is needed' if is_old else f'lacks {name}'
    sys.exit(f'tagrun: {sys.executable} {lack}. {_advice(code, name or "torch")}')


def _advice(code: Path, name: str) -> str:
    words = shlex.join([sys.argv[0], *sys.argv[1:]])
    for python in _candidates(code.parent):
        if _has(python, name):
            return f'The packages are in another Python:\n  {shlex.quote(python)} {words}'
    source = shlex.quote(str(code / 'source.sh'))
    python = shlex.quote(str(code.parent / '.venv' / 'bin' / 'python'))
    return (
        f'This installs the packages, and this trains:\n  bash {source} setup\n  {python} {words}'
    )


def _candidates(root: Path) -> list[str]:
    """Return the Pythons that may have the packages, in the order of source.sh."""
    folders = [os.environ.get('VIRTUAL_ENV'), os.environ.get('CONDA_PREFIX'), str(root / '.venv')]
    pythons = [os.path.join(folder, 'bin', 'python') for folder in folders if folder]
    return [python for python in [os.environ.get('TAGRUN_PYTHON'), *pythons] if python]


def _has(python: str, name: str) -> bool:
    """Return whether a Python is new enough and has the package."""
    words = [python, '-c', HAS.format(name)]
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False
