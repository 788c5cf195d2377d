"""Runs that a kill left unfinished: their state, the files they lack, results that git has not.

    folder = complete(repository, RunRef('t1', 0))      # write the files that it lacks
    record_results(repository, [folder])                # give git the result that it lacks

A sweep and the queue do this before they go on with a run. It trains nothing.
"""

from collections.abc import Iterable
from pathlib import Path

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch
from tagrun.core.record import claim
from tagrun.store import run_json, safe_read, statistic
from tagrun.store.run_ref import RunRef

# what needs no further training
DONE = (statistic.FINISHED, statistic.PRUNED)


def state(folder: Path) -> str:
    """Return the run's state; killed where its statistic.json is invalid: training rewrites it."""
    try:
        return statistic.state(folder)
    except (OSError, ValueError):
        return statistic.KILLED


def complete(repository: Repository, run: RunRef) -> Path:
    """Write what a run lacks that was killed while it was recorded; return its folder.

    Raises UserError where git does not have its code.
    """
    folder = run.folder(repository.root)
    if not (folder / run_json.NAME).is_file():
        commit = repository.resolve(run.code_ref)
        if not commit:
            raise UserError(f'{run} was recorded in part, and git has no {run.code_ref}')
        claim.complete(repository, folder, commit)
    return folder


def record_results(repository: Repository, folders: Iterable[Path]) -> None:
    """Give git the results that it lacks: the launcher of these runs was killed before it could."""
    files = [folder / statistic.NAME for folder in folders]
    names = {file: _recorded_name(file) for file in files if file.is_file()}
    recorded = repository.blobs(names.values(), missing=None)
    for file, name in names.items():
        if recorded[name] != safe_read.read_or_none(file):
            launch.record_result(repository, file.parent, run_json.read(file.parent))


def _recorded_name(file: Path) -> str:
    """Return how git names a file of a run's recorded result."""
    return f'{RunRef.of_folder(file.parent).result_ref}:{file.name}'
