"""Parse `git status --porcelain=v2 -z`: which files differ from HEAD, and how.

parse('? new.py\\0')             # [Change('new', 'new.py')]
"""

from collections.abc import Iterator
from typing import NamedTuple

WORDS = (
    *('status', '--porcelain=v2', '-z', '--untracked-files=all', '--no-renames'),
    '--ignore-submodules=none',
)
NO_FILE = '000000'  # the mode of what is not there


class Change(NamedTuple):
    """A file that differs from HEAD.

    what: 'modified', 'new', 'deleted', 'unmerged', 'submodule' for one with changes inside, or
    'repository' for a new folder that is a repository of its own.
    """

    what: str
    path: str  # from the top of the work tree


def parse(output: str) -> list[Change]:
    """Return the Changes that git printed for WORDS."""
    return list(_changes(output))


def _changes(output: str) -> Iterator[Change]:
    for line in output.split('\0'):
        kind = line[:1]
        if kind == '?':
            path = line[2:]
            what = 'repository' if path.endswith('/') else 'new'
            yield Change(what, path.removesuffix('/'))
        elif kind == '1':
            # 1 XY submodule, modes in HEAD, index and work tree, two ids, the path
            _, state, submodule, in_head, _, in_work_tree, _, _, path = line.split(' ', 8)
            what = _what(state, submodule, in_head, in_work_tree)
            if what:
                yield Change(what, path)
        elif kind == 'u':
            yield Change('unmerged', line.split(' ', 10)[10])


def _what(state: str, submodule: str, in_head: str, in_work_tree: str) -> str:
    """Return how a file differs; '' for one that was staged and is in neither."""
    if 'D' in state or in_work_tree == NO_FILE:
        return '' if in_head == NO_FILE else 'deleted'
    if 'M' in submodule or 'U' in submodule:
        return 'submodule'
    return 'new' if in_head == NO_FILE else 'modified'
