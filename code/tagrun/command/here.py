"""The runs of the commit one stands on: those that ran HEAD itself, and those of the side commits that were made from it.

    found = runs(repository)             # [('t1', 0), ('t1', 1)], the one that was at work last is the last

From refs/tagrun/code alone. A commit of one's own that follows HEAD is another code and does not count, though it was run too.
"""
from tagrun.store import layout, names

PREFIX = 'refs/tagrun/code/'
SIDE = 'tagrun: '       # how the message of a side commit begins


def runs(repository):
    """[(tag, id), …] that have a folder; [] also where there is no commit yet."""
    head = repository.resolve('HEAD')
    if not head:
        return []
    rows = repository.refs(PREFIX, ('refname', 'objectname', 'parent', 'contents:subject'))
    side = {commit: parent for _, commit, parent, subject in rows if subject.startswith(SIDE)}
    found = [names.split_run(name.removeprefix(PREFIX)) for name, commit, *_ in rows if _descends(commit, head, side)]
    there = [(tag, number, layout.run_folder(repository.root, tag, number)) for tag, number in filter(None, found)]
    there = sorted((folder.stat().st_ctime_ns, tag, number) for tag, number, folder in there if folder.is_dir())
    return [(tag, number) for _, tag, number in there]


def _descends(commit, head, side):
    """Whether only side commits lie between: another seed's is made from the run's it repeats."""
    while commit != head and commit in side:
        commit = side[commit]
    return commit == head
