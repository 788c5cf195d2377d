"""Something that `tagrun doctor` reports, and what several searches for it share.

Finding('t1/0', 'an empty folder, …', 'removes it', fix=folder.rmdir)
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

STALE_S = 600  # what is younger may belong to a process at work
SHOWN = 3


class Finding(NamedTuple):
    """Something half-written, or lost.

    remedy: what --fix does if there is a `fix`, else what the user can do. fix: a function that
    raises OSError, UserError or ValueError where it fails. is_harmless: nothing is wrong, and it is
    only reported.
    """

    where: str
    what: str
    remedy: str
    fix: Callable[[], object] | None = None
    is_harmless: bool = False


def is_old(path: Path) -> bool:
    """Return whether nothing has changed a path for STALE_S; False where it is gone.

    A clock that was set back does not make it old.
    """
    try:
        return time.time() - path.lstat().st_mtime > STALE_S
    except OSError:
        return False


def shorten(names: Sequence[str]) -> str:
    """Return the first names of a list as text, and how many there are if not all are shown."""
    rest = f', … ({len(names)} in all)' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + rest
