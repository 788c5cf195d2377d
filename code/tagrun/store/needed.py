"""checkpoint/NEEDED: which checkpoints of a run other runs began with. No save removes these.

    8f75…c398  epoch_3.pth  fine/0
    8f75…c398  epoch_3.pth  until 2026-11-21T09:10:00Z

    add(directory, 'epoch_3.pth', digest, 'fine/0'); digests(directory)      # of <run>/checkpoint

A line counts while the run that it names has a folder; with a time, until then: so a command keeps
a file while it records the run that will need it. Whoever needs a file first adds a line, and then
looks whether SHA256SUMS lists the file. Whoever removes one first drops it from SHA256SUMS, and
then looks here. So no file goes that somebody was given.
"""

import contextlib
import errno
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tagrun.store import atomic, safe_read
from tagrun.store.run_ref import RunRef

NAME = 'NEEDED'
HELD_S = 900  # for which a command keeps a file
LINE = re.compile(r'([0-9a-f]{64})  \S+  (?:until (\S+)|(\S+/\d+))')
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def add(directory: Path, file: str, sha256: str, run: str) -> None:
    """Note that a run, e.g. 'fine/0', needs a checkpoint. directory: checkpoint/ of its run."""
    _append(directory, f'{sha256}  {file}  {run}')


def hold(directory: Path, file: str, sha256: str) -> None:
    """Keep a checkpoint for HELD_S seconds: the run that will need it is not recorded yet."""
    end = datetime.now(timezone.utc) + timedelta(seconds=HELD_S)
    text = end.isoformat(timespec='seconds').replace('+00:00', 'Z')
    _append(directory, f'{sha256}  {file}  until {text}')


def digests(directory: Path) -> set[str]:
    """Return the SHA-256 of each checkpoint that is needed now."""
    content = safe_read.read_or_none(directory / NAME)
    if not content:
        return set()
    needed: set[str] = set()
    for line in content.decode('utf-8', 'replace').splitlines():
        match = LINE.fullmatch(line)
        if match and match[1] not in needed and _counts(directory, match[2], match[3]):
            needed.add(match[1])
    return needed


def _append(directory: Path, line: str) -> None:
    # nothing is written where a link leads; training does not write there either
    if directory.is_symlink() or directory.parent.is_symlink():
        return
    try:
        atomic.append_line(directory / NAME, line)
    except OSError as error:
        # nobody here removes a file of that folder either
        if error.errno not in READ_ONLY:
            raise


def _counts(directory: Path, end: str | None, name: str) -> bool:
    if end:
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.fromisoformat(end.replace('Z', '+00:00')).timestamp() > time.time()
        return False
    run = RunRef.parse(name)
    # <root>/__result__/<tag>/<id>/checkpoint
    return run is not None and run.folder(directory.parents[3]).is_dir()
