"""Find what would stop training in the files of a commit, before a tag is spent on it.

check(snapshot.read(repository, commit))     # raises UserError, e.g. code/model.py, line 3: …
"""

import importlib.machinery
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.project import CODE
from tagrun.core.record import frozen_copy, snapshot, tree_paths
from tagrun.core.record.snapshot import File

LFS = b'version https://git-lfs.github.com/spec/v1\n'  # how a pointer begins
LONGEST = 76  # characters of a line of code in a message
TORCH = 'import torch, torch.utils.tensorboard, torch.utils.data'
TRAINING = 'tagrun/training/__init__.py'


def check(files: list[File]) -> None:
    """Refuse what would stop training.

    Raises UserError for a file that cannot be written, that Python cannot compile, or that hides a
    module which torch needs.
    """
    tree_paths.check(file.path for file in files)
    for file in files:
        if file.content.startswith(LFS):
            echo(
                f'tagrun: code/{file.path} is kept by git LFS: the frozen copy has its '
                'pointer, not its content'
            )
        if not file.path.startswith('tagrun/') and file.path.endswith('.py'):
            _check_module(file)
    _check_hidden({file.path: _module_name(file.path) for file in files}, files)


def _check_hidden(modules: dict[str, str], files: list[File]) -> None:
    """Raise UserError where a file hides a module without which training cannot begin.

    modules: {path: what imports it}.
    """
    standard = [path for path, name in modules.items() if name in sys.stdlib_module_names]
    packages = [path for path, name in modules.items() if path not in standard and _hides(name)]
    if not standard and not packages:
        return
    names = ', '.join(f'code/{path}' for path in standard + packages)
    noun = 'module' if len(standard) == 1 else 'modules'
    what = f"{names} hides Python's own {noun} of that name"
    if packages:
        what = f'{names} hides an installed package of that name'
    _try_torch(files, what)
    # of packages, imported_modules.py has said so
    if standard:
        echo(f'tagrun: {what}; torch can be loaded beside it, but better rename it')


def _hides(name: str) -> bool:
    return '/' not in name and name != 'tagrun' and is_installed(name)


def is_installed(name: str) -> bool:
    """Return whether Python has a module of that name outside code/; nothing is imported."""
    folders = [entry for entry in sys.path if Path(entry or '.').resolve() != CODE]
    spec = importlib.machinery.PathFinder.find_spec(name, folders)
    return spec is not None and spec.origin is not None


def _module_name(path: str) -> str:
    """Return what imports a file: 'queue' of queue.py and of queue/__init__.py."""
    return path.removesuffix('.py').removesuffix('/__init__')


def _check_module(file: File) -> None:
    """Raise UserError for a file that cannot be compiled, or is a link to one out of code/."""
    if file.mode != snapshot.LINK:
        _compile(file)
        return
    target = os.fsdecode(file.content)
    path = os.path.normpath(os.path.join('code', os.path.dirname(file.path), target))
    if not path.startswith('code/'):
        raise UserError(
            f'code/{file.path} is a link to {target}, and a run has a frozen copy of code/ alone: '
            'put the file itself into code/'
        )


def _compile(file: File) -> None:
    try:
        compile(file.content, file.path, 'exec', dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line, reason = getattr(error, 'lineno', '?'), getattr(error, 'msg', error)
        text = _line(file, line)
        raise UserError(f'code/{file.path}, line {line}: {reason}{text}') from None


def _line(file: File, number: object) -> str:
    """Return a line of a file for the end of a message; '' where it has no such line."""
    lines = file.content.decode(errors='replace').split('\n')
    if not isinstance(number, int) or not 0 < number <= len(lines):
        return ''
    text = lines[number - 1].strip()[:LONGEST]
    return f'\n  {text}' if text else ''


def _try_torch(files: list[File], what: str) -> None:
    """Load torch beside these files, as training will. Raises UserError if that fails."""
    with tempfile.TemporaryDirectory() as folder:
        frozen_copy.write(files, Path(folder))
        training = ', tagrun.training' if any(file.path == TRAINING for file in files) else ''
        done = subprocess.run(
            [sys.executable, '-c', TORCH + training],
            cwd=folder,
            capture_output=True,
            env={**os.environ, 'PYTHONPATH': os.path.join(folder, 'code')},
        )
    if done.returncode:
        raise UserError(f'{what}, and torch cannot be loaded beside it: rename it')
