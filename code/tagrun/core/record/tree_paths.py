"""Refuse names in a commit's tree that would lead out of the folder they are written to.

    check(['model.py', 'nets/a.py'])     # raises UserError for the first that may not be written

git checks names when it makes a tree, and writes any tree that somebody sends. A name may be '..',
have a '/' in it, or be '.git' in a spelling that another file system takes for it.
"""

import os
import re
from collections.abc import Iterable

from tagrun.core.cli.messages import UserError

LONGEST = 255  # bytes of a name
# characters that HFS+ leaves out of a name
IGNORED = re.compile('[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]')
GIT = ('.git', 'git~1')  # the second: NTFS's short name


def check(paths: Iterable[str]) -> None:
    """Raise UserError for a path that may not be written, or for two that exclude each other."""
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        _refuse(path, fault(path) or ('the commit has it twice' if path in files else ''))
        files.add(path)
        names = path.split('/')
        folders.update('/'.join(names[:count]) for count in range(1, len(names)))
    for path in sorted(files & folders):
        _refuse(path, 'the commit has a file and a folder of that name')


def fault(path: str) -> str:
    """Return why a path of a tree may not be written, as a clause; '' if it may."""
    for name in path.split('/'):
        # a name as Windows and NTFS divide it
        parts = [part.partition(':')[0].rstrip('. ') for part in _plain(name).split('\\')]
        if name in ('', '.', '..') or '..' in name.split('\\'):
            return f'{name!r} is not the name of a file'
        if any(part in GIT for part in parts):
            return f'{name!r} is a name of git itself'
        if len(os.fsencode(name)) > LONGEST:
            return f'a name has at most {LONGEST} bytes'
    return ''


def _plain(name: str) -> str:
    return IGNORED.sub('', name).lower()


def _refuse(path: str, why: str) -> None:
    if why:
        shown = path if len(path) <= LONGEST else f'{path[:LONGEST]}…'
        raise UserError(
            f'the commit has a file {shown!r} in code/, which Tagrun does not write: {why}. '
            'Nothing of it was written'
        )
