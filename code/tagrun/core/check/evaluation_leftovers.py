"""Find what a kill left half-made in the evaluations of a run.

    for finding in evaluation_leftovers.find(root, RunRef('t1', 0)): …

An evaluation that did not finish counts nowhere, and is yours to make again or to delete. The link
to its checkpoint keeps a deleted checkpoint's room on the disk: --fix removes it.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tagrun.core.check.finding import Finding, is_old
from tagrun.core.launch import evaluation
from tagrun.store import beneath, checkpoints, evaluations, lock, run_json, statistic
from tagrun.store.run_ref import RunRef

# one that failed has said why
UNFINISHED = (statistic.CREATED, statistic.KILLED, statistic.INTERRUPTED)


def find(root: Path, run: RunRef) -> Iterator[Finding]:
    """Yield the findings of the evaluations that nobody makes now."""
    for ref in evaluations.of_run(root, run):
        folder = ref.folder(root)
        if lock.owner(folder) is None and is_old(folder):
            yield from _of_one(folder, str(ref))


def _of_one(folder: Path, name: str) -> Iterator[Finding]:
    for path in sorted(folder.glob('.*.tmp')):
        what = f'{path.name}: the half-written copy of a file'
        yield Finding(name, what, 'removes it', partial(beneath.remove, path))
    state = evaluation.state(folder)
    has_link = (folder / checkpoints.FOLDER).is_dir()
    is_prepared = (folder / run_json.NAME).is_file()
    if has_link and (state != statistic.CREATED or not is_prepared):
        what = f'it is {state}, and keeps a link to its checkpoint'
        yield Finding(name, what, 'removes that', partial(evaluation.remove_checkpoint, folder))
    if not is_prepared:
        what = 'it was killed while it was prepared'
        yield Finding(name, what, f'nothing uses it; yours to delete: {folder}', is_harmless=True)
    elif state in UNFINISHED:
        what, remedy = f'it is {state}', f'tagrun evaluate {name}'
        yield Finding(name, what, remedy, is_harmless=True)
