"""Which files of the project a training wrote: those that changed between two looks.

    before = look(root); train(); changed(before, look(root))       # ['cache.pt']

It looks at names, sizes and times, in no folder that is the code's, the data's or the runs' own,
and at no more than MOST files.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

MOST = 20_000
LEFT_OUT = {'code', '__data__', '__result__', '__statistic__', '__pycache__'}

# {path relative to the project: (size, time of the last change in ns)}
Files = dict[str, tuple[int, int]]


def look(root: Path) -> Files:
    """Return the files of a project. Hidden ones are left out."""
    files: Files = {}
    for path in islice(_paths(root), MOST):
        try:
            status = os.lstat(path)
        except OSError:
            continue
        files[os.path.relpath(path, root)] = status.st_size, status.st_mtime_ns
    return files


def changed(before: Files, after: Files) -> list[str]:
    """Return the files that are new or changed, sorted."""
    return sorted(path for path, status in after.items() if before.get(path) != status)


def _paths(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith('.')]
        yield from (os.path.join(folder, name) for name in files if not name.startswith('.'))
