"""Find the runs of the commit you stand on: of HEAD, or of a side commit made from it.

runs(repository)             # [RunRef('t1', 0), RunRef('t1', 1)], the newest is the last

It reads git's code refs alone. A commit of your own that follows HEAD is other code: its runs do
not count.
"""

from tagrun.core.git.repository import Repository
from tagrun.store.run_ref import CODE, RunRef

SIDE = 'tagrun: '  # how the message of a side commit begins


def runs(repository: Repository) -> list[RunRef]:
    """Return the runs that have a folder, oldest first; [] also where there is no commit yet."""
    head = repository.resolve('HEAD')
    if not head:
        return []
    rows = repository.refs(CODE, ('refname', 'objectname', 'parent', 'contents:subject'))
    side = {commit: parent for _, commit, parent, subject in rows if subject.startswith(SIDE)}
    of_head = [
        name.removeprefix(CODE) for name, commit, *_ in rows if _descends(commit, head, side)
    ]
    by_time = []
    for run in filter(None, map(RunRef.parse, of_head)):
        folder = run.folder(repository.root)
        if folder.is_dir():
            by_time.append((folder.stat().st_ctime_ns, run))
    return [run for _, run in sorted(by_time)]


def _descends(commit: str, head: str, side: dict[str, str]) -> bool:
    """Return whether only side commits lie between: a rerun's is made from its run's."""
    while commit != head and commit in side:
        commit = side[commit]
    return commit == head
