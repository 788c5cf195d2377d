"""Find what a kill, a full disk or a deleted folder left half-written in a whole project.

    for finding in leftovers.find(repository, runs): print(finding.where, finding.what)

--fix deletes only what can be recreated: an old lock, a copy of an index, the half-written copy of
a file, an empty folder, bytecode, the trainings of a selftest. A run that is being trained is left
alone. Each file extra/<x>/doctor_<name>.py adds what its folder knows: find(root) yields Findings.
"""

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tagrun.core import finder
from tagrun.core.check import (
    evaluation_leftovers,
    failed_leftovers,
    git_leftovers,
    run_leftovers,
    selftest_runs,
)
from tagrun.core.check.finding import Finding, is_old, shorten
from tagrun.core.git.repository import Repository
from tagrun.core.launch import tensorboard
from tagrun.store import atomic, beneath, experlist, incoming, layout, lock
from tagrun.store.run_ref import RunRef


def find(repository: Repository, runs: Sequence[RunRef]) -> Iterator[Finding]:
    """Yield the findings of the git folder, of these runs, and of what lists them."""
    yield from git_leftovers.find(repository)
    references = git_leftovers.References(repository, runs)
    with references.objects:
        for run in runs:
            if lock.owner(run.folder(repository.root)) is None:
                yield from run_leftovers.find(repository, run, references)
            yield from evaluation_leftovers.find(repository.root, run)
    yield from failed_leftovers.find(repository)
    yield from _without_files(repository.root, references)
    yield from _incoming(repository.root)
    yield from _lists(repository.root)
    yield from _tensorboards(repository.root)
    yield from _selftests(repository.root)
    for path in finder.modules('doctor_*.py'):
        yield from finder.load(path).find(repository.root)


def _without_files(root: Path, references: git_leftovers.References) -> Iterator[Finding]:
    """Yield the tags whose runs git has and that have no folder: fetched, or deleted."""
    gone: dict[str, list[str]] = {}
    for name in sorted(references.code):
        tag, _, number = name.rpartition('/')
        if not (layout.result(root) / name).is_dir():
            gone.setdefault(tag, []).append(number)
    for tag, numbers in gone.items():
        absent = 'their files are not here: fetched, or deleted'
        what = f'git has its code (runs {shorten(numbers)}), and {absent}'
        yield Finding(tag, what, f'rerun {tag}/{numbers[0]}', is_harmless=True)


def _incoming(root: Path) -> Iterator[Finding]:
    """Yield what a killed `fetch` or `import` left of runs that were not whole yet."""
    if incoming.is_left(root):
        what = 'a `fetch` or an `import` was killed'
        remedy = 'removes what was not whole; the same command again goes on'
        yield Finding(incoming.NAME, what, remedy, partial(incoming.finish, root))


def _lists(root: Path) -> Iterator[Finding]:
    """Yield the lines of finished.txt that name no run, and half-written lists and tables."""
    try:
        bad = experlist.read(root, 'finished').bad
    except FileNotFoundError:
        bad = []
    except (OSError, ValueError) as error:
        remedy = 'move it away, and `tagrun doctor --fix` writes it again'
        yield Finding('finished.txt', f'it cannot be read ({error})', remedy)
        return
    for line in bad:
        what = f'line {line.number}, {line.text}: {line.reason}'
        remedy = 'tables leave it out; the list is yours to edit'
        yield Finding('finished.txt', what, remedy, is_harmless=True)
    for path in sorted(layout.statistic(root).glob('*/.*.tmp')):
        if is_old(path):
            what = f'{path.name}: the half-written copy of a file'
            yield Finding(path.parent.name, what, 'removes it', partial(beneath.remove, path))


def _tensorboards(root: Path) -> Iterator[Finding]:
    """Yield what a TensorBoard wrote about itself before it was killed."""
    folder = tensorboard.place(root)
    for path in sorted([folder / 'server.json', *folder.glob('*/server.json')]):
        has_content = path.is_file() and path.stat().st_size
        if has_content and tensorboard.running(path.parent) is None:
            what = 'server.json describes a TensorBoard that is dead'
            yield Finding(path.parent.name, what, 'empties it', partial(atomic.write, path, b''))


def _selftests(root: Path) -> Iterator[Finding]:
    """Yield the folders of trainings that a selftest kept, or left when it was killed."""
    for folder in sorted(layout.result(root).glob(f'{selftest_runs.PREFIX}*')):
        if folder.is_symlink() or not folder.is_dir():
            continue
        owners = (lock.owner(path) for path in [folder, *folder.iterdir()])
        owner = next((owner for owner in owners if owner is not None), None)
        if owner is not None:
            what = f'a selftest at work: process {owner.get("pid")}'
            yield Finding(folder.name, what, 'wait for it', is_harmless=True)
        else:
            what = 'trainings that a selftest kept or was killed in'
            remedy = 'removes them; `tagrun selftest` makes them again'
            yield Finding(folder.name, what, remedy, partial(shutil.rmtree, folder))
