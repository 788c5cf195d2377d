"""The files of code/ as they stand: those that a run would record now.

    files = read_files(repository)       # [File('main.py', '100644', b'…'), …]

What git ignores is not among them. It writes nothing.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Change, Repository
from tagrun.core.record import snapshot


def read_files(
    repository: Repository, changes: Iterable[Change] | None = None
) -> list[snapshot.File]:
    """Return the files of code/ as `run` would record them, read from the work tree.

    These are the files of HEAD and new ones, without what git ignores. changes: what is
    uncommitted, where that is known already.
    """
    code = repository.root / 'code'
    prefix = f'{repository.prefix}code/'
    head = repository.resolve('HEAD')
    paths = {entry.path for entry in repository.tree(head, 'code')} if head else set()
    for change in repository.changes() if changes is None else changes:
        if change.path.startswith(prefix):
            if change.what == 'repository':
                refuse_repository(change.path)
            paths.add(change.path.removeprefix(prefix))
    recorded = [path for path in sorted(paths) if not path.startswith(snapshot.LEFT_OUT)]
    if 'main.py' not in recorded or not os.path.lexists(code / 'main.py'):
        raise UserError('code/main.py is missing, or git ignores it: there is nothing to train')
    snapshot.refuse_submodules(path for path in recorded if _is_folder(code / path))
    return [_read(code / path, path) for path in recorded if os.path.lexists(code / path)]


def refuse_repository(path: str) -> NoReturn:
    """Raise UserError for a folder that is a git repository of its own."""
    raise UserError(
        f'{path} is a git repository of its own, so a run would record none of its files: name '
        f'{path}/ in .gitignore, or move {path}/.git away'
    )


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _read(path: Path, name: str) -> snapshot.File:
    try:
        if path.is_symlink():
            return snapshot.File(name, snapshot.LINK, os.fsencode(os.readlink(path)))
        is_executable = path.stat().st_mode & stat.S_IXUSR
        mode = snapshot.EXECUTABLE if is_executable else '100644'
        return snapshot.File(name, mode, path.read_bytes())
    except OSError as error:
        raise UserError(f'code/{name} cannot be read: {error.strerror}') from None
