"""The code of a run, ready to be imported: its frozen copy, or the files of its commit out of git.

    code = run_code.of_run(root, RunRef('first', 0))     # a FrozenCode

A frozen copy is compared with the commit first. Where it was changed or is not here, as for a run
that was fetched, the commit's files are written into a temporary folder, until Python ends.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.repository import Repository
from tagrun.core.record import frozen_copy, snapshot
from tagrun.extra.loading.frozen_import import FrozenCode
from tagrun.store import run_json
from tagrun.store.run_ref import RunRef

# by the run's folder and commit: a run that is loaded twice has the same classes
_loaded: dict[tuple[Path, str], FrozenCode] = {}


def of_run(root: Path, ref: RunRef) -> FrozenCode:
    """Return the code of a run. Raises UserError where nothing has it."""
    folder = ref.folder(root)
    commit = _commit(folder, ref)
    if commit is None:
        return FrozenCode(str(ref), folder / 'code')
    key = folder, commit
    if key not in _loaded:
        _loaded[key] = FrozenCode(str(ref), _folder(root, ref, commit))
    return _loaded[key]


def _commit(folder: Path, ref: RunRef) -> str | None:
    """Return the commit that ran; None for one that has a frozen copy alone."""
    try:
        info = run_json.read(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'{ref}: {run_json.NAME} cannot be read: {reason}') from None
    if info.get('imported'):
        raise UserError(f'{ref} was imported from another tool: nothing recorded its code')
    commit: str | None = info['commit']
    if commit is None and not (folder / 'code' / 'main.py').is_file():
        raise UserError(
            f'{ref} was trained by hand: nothing recorded its code. `run <tag>` records a run'
        )
    return commit


def _folder(root: Path, ref: RunRef, commit: str) -> Path:
    """Return the folder with the code of a commit."""
    frozen = ref.folder(root) / 'code'
    repository = Repository.at(root)
    if repository.resolve(commit) is None:
        if (frozen / 'main.py').is_file():
            return frozen
        raise UserError(snapshot.absent(commit))
    files = snapshot.read(repository, commit)
    if frozen.is_dir():
        changed, more = frozen_copy.differences(files, frozen.parent)
        if not changed and not more:
            return frozen
        if changed:
            echo(
                f'{ref}: its frozen copy was changed ({", ".join(changed[:3])}): '
                "the commit's own files are used"
            )
    return _temporary(files)


def _temporary(files: list[snapshot.File]) -> Path:
    """Write files into a temporary folder that goes when this process ends; return it."""
    folder, owner = tempfile.mkdtemp(prefix='tagrun-'), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not at the end of a process that was forked from it
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    frozen_copy.write(files, Path(folder))
    return Path(folder, 'code')
