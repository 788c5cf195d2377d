"""Find what a killed git left in the git folder; and read what git has of the runs.

    for finding in git_leftovers.find(repository): print(finding.what, finding.remedy)

A lock is removed only where it is old and no git works in this repository.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from tagrun.core.check.finding import Finding, is_old
from tagrun.core.git.index import TEMPORARY
from tagrun.core.git.objects import Objects
from tagrun.core.git.repository import Repository
from tagrun.core.record import frozen_copy
from tagrun.store import experlist, run_ref, statistic
from tagrun.store.run_ref import RunRef

LOCKS = ('*.lock', 'refs/**/*.lock', 'reftable/*.lock', 'logs/**/*.lock')


def find(repository: Repository) -> Iterator[Finding]:
    """Yield the locks and the temporary indexes that a killed process left."""
    git = git_at_work(repository)
    for path in _locks(repository):
        yield _of_lock(path, git)
    for path in sorted(repository.directory.glob(f'{TEMPORARY}*')):
        if path.is_dir() and not path.is_symlink() and is_old(path):
            what = 'the temporary index of a killed `run`'
            yield Finding(str(path), what, 'removes it; it is a copy', partial(shutil.rmtree, path))


def _locks(repository: Repository) -> list[Path]:
    paths: set[Path] = set()
    for folder in (repository.directory, repository.common):
        for pattern in LOCKS:
            paths.update(folder.glob(pattern))
    return sorted(paths)


def _of_lock(path: Path, git: int) -> Finding:
    """Return the finding of a lock; git: the process id of a git at work, or 0."""
    if not is_old(path):
        what = 'a lock of git, taken a moment ago'
        return Finding(str(path), what, 'wait, and look again', is_harmless=True)
    if git:
        what = f'a lock of git, and process {git} is a git at work here'
        return Finding(str(path), what, 'let that end, and look again')
    what = 'a lock that a killed git left: it stops the next one'
    return Finding(str(path), what, 'removes it; a lock holds nothing', path.unlink)


def git_at_work(repository: Repository) -> int:
    """Return the process id of a git that works in this repository, or 0.

    Without /proc nobody can know: it is then the id of this process.
    """
    if not Path('/proc/self/cwd').exists():
        return os.getpid()
    folders = (str(repository.top), str(repository.common))
    for process in Path('/proc').glob('[0-9]*'):
        if _is_git_in(process, folders):
            return int(process.name)
    return 0


def _is_git_in(process: Path, folders: tuple[str, ...]) -> bool:
    try:
        name = (process / 'comm').read_text().strip()
        return name == 'git' and os.readlink(process / 'cwd').startswith(folders)
    except OSError:
        # it has ended, or belongs to another user
        return False


class References:
    """What git and finished.txt have of the runs, read once.

    code: {'t1/0': commit} of all runs. result: {'t1/0': statistic.json} of the given runs that have
    a result, b'' where it lacks that. finished: {'t1/0', …}. objects: reads commits and their code,
    as often as it is asked, by one git process. seen: files of frozen copies that are right.
    """

    def __init__(self, repository: Repository, runs: Iterable[RunRef]) -> None:
        self.code: dict[str, str] = _commits(repository, run_ref.CODE)
        results = _commits(repository, run_ref.RESULT)
        names = [str(run) for run in runs if str(run) in results]
        self.result: dict[str, bytes] = _statistics(repository, names)
        self.finished = _finished(repository.root)
        self.objects = Objects(repository.top)
        self.seen: frozen_copy.Seen = {}


def _commits(repository: Repository, prefix: str) -> dict[str, str]:
    refs = repository.refs(prefix, ('refname', 'objectname'))
    return {name.removeprefix(prefix): commit for name, commit in refs}


def _statistics(repository: Repository, names: list[str]) -> dict[str, bytes]:
    """Return {'t1/0': statistic.json}, by one git process; b'' where a result has none."""
    blobs = {name: f'{run_ref.RESULT}{name}:{statistic.NAME}' for name in names}
    contents = repository.blobs(blobs.values(), missing=None)
    return {name: contents[blob] or b'' for name, blob in blobs.items()}


def _finished(root: Path) -> set[str]:
    try:
        return {str(run) for run in experlist.read(root, experlist.FINISHED).runs}
    except (OSError, ValueError):
        return set()
