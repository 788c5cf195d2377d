"""Refuse links whose content a run's frozen copy of code/ would not have.

    check(root, files)                   # raises UserError for the first, with what to do
    target(root, 'code/config.py')       # 'code/configs/base.py', if config.py is a link to it

A link is recorded as a link. What it leads to is in the frozen copy only if it lies in code/, too,
and git records it.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from tagrun.core.cli.messages import UserError, quote
from tagrun.core.record import snapshot
from tagrun.store import layout

CODE = 'code'


def target(root: Path, path: str) -> str | None:
    """Return the path of the project that a file's path leads to; None outside the project."""
    real, top = os.path.realpath(root / path), os.path.realpath(root)
    if os.path.commonpath([real, top]) != top:
        return None
    return os.path.relpath(real, top)


def check(root: Path, files: Iterable[snapshot.File]) -> None:
    """Raise UserError for a link of code/ that leads out of it, or to a file that git ignores.

    A link to nothing is harmless: editors leave them.
    """
    files = list(files)
    known = {f'{CODE}/{file.path}' for file in files}
    for file in files:
        if file.mode == snapshot.LINK:
            _check_link(root, known, f'{CODE}/{file.path}', os.fsdecode(file.content))


def check_result_folder(root: Path) -> None:
    """Raise UserError if __result__ is a link to nothing, e.g. to a disk that is not mounted."""
    folder = layout.result(root)
    if folder.is_symlink() and not folder.exists():
        goal = os.readlink(folder)
        raise UserError(
            f'{folder.name} is a link to {goal}, which does not exist: mount that disk, or '
            f'mkdir -p {quote(os.path.join(root, goal))}'
        )


def _check_link(root: Path, known: set[str], path: str, text: str) -> None:
    if not os.path.exists(root / path):
        return
    written = os.path.normpath(os.path.join(os.path.dirname(path), text))
    real = target(root, path)
    if real is None or not _is_in_code(written) or not _is_in_code(real):
        raise UserError(
            f'{path} is a link to {text}, and a run has a frozen copy of code/ alone: put what it '
            f'leads to into code/ itself; for data, use a path in __data__'
        )
    if real not in known and not any(name.startswith(f'{real}/') for name in known):
        raise UserError(
            f'{path} is a link to {text}, which git ignores, and the run would lack it: '
            f'git add -f {quote(real)}'
        )


def _is_in_code(path: str) -> bool:
    return path == CODE or path.startswith(f'{CODE}/')
