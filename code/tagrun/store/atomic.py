"""Write files so that a reader, a kill or a power cut finds the old content or the new, never a part.

    write(folder / 'statistic.json', text)

Nothing else in Tagrun opens a file for writing that somebody reads, but for three that grow: log, trace.csv and the lists.
"""
import fcntl
import os
import secrets
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """A binary file to write; when the block ends well it is on disk and has replaced `path`, else nothing changed.

    It is made in the same folder (a rename does not cross file systems), with a name nobody can guess or has planted.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write(path, content):
    """Replace `path` by `content` (str or bytes)."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def link(path, target):
    """Make the symlink `path` point to `target` by one rename: a reader always finds a link."""
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
    os.symlink(target, temporary)
    os.replace(temporary, path)


def append_line(path, line):
    """Add `line` to a list unless it stands there; True if it was added. A torn last line is ended first."""
    return bool(append_lines(path, [line]))


def append_lines(path, lines):
    """Add those of `lines` that do not stand in a list, in one write; returns them. A torn last line is ended first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o666), 'r+', encoding='utf-8', errors='replace') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read()
        there = set(content.splitlines())
        new = [line for line in lines if line not in there]
        if new:
            file.write(('\n' if content and not content.endswith('\n') else '') + '\n'.join(new) + '\n')
            file.flush()
            os.fsync(file.fileno())
    return new


def sync_folder(folder):
    """Put a folder's entries on disk: without it a rename may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
