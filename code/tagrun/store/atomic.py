"""Write files so that a reader, a kill or a power cut finds them old or new, never a part.

    write(folder / 'statistic.json', text)

Nothing else in Tagrun opens a file for writing that somebody reads, but for those that grow: log,
trace.csv, TensorBoard's and the lists.
"""

import errno
import fcntl
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: str | Path, needed: int = 0, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces `path` when the block ends without an error.

    It is made in the same folder, since a rename does not cross file systems, under a name that
    nobody can guess or has planted. After an error nothing has changed. Raises OSError, with the
    bytes that are missing where the disk is full. needed: about how many bytes will come. durable:
    force it to disk; False for what can be made again.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        with open(temporary, 'xb', opener=_open_new) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            described = with_context(error, path, needed)
            if described is not error:
                raise described from error
        raise


def write(path: str | Path, content: str | bytes, durable: bool = True) -> None:
    """Replace `path` by `content`."""
    if isinstance(content, str):
        content = content.encode()
    with replacing(path, durable=durable) as file:
        file.write(content)


def link(path: str | Path, target: str | Path) -> None:
    """Make the symlink `path` point to `target` by one rename: a reader always finds a link."""
    path = Path(path)
    temporary = _temporary(path)
    os.symlink(target, temporary)
    os.replace(temporary, path)


def write_all(file: io.FileIO, content: bytes) -> None:
    """Write all of `content` to a file opened with buffering=0.

    A disk that fills up takes a part of it, and raises at the next write.
    """
    try:
        while content:
            content = content[file.write(content) :]
    except OSError as error:
        raise with_context(error, str(file.name)) from None


def append_line(path: str | Path, line: str) -> bool:
    """Add `line` to a list unless the list has it; return whether it was added."""
    return bool(append_lines(path, [line]))


def append_lines(path: str | Path, lines: Iterable[str]) -> list[str]:
    """Add the lines that a list does not have yet, in one write; return them.

    A torn last line is ended first. Raises OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(_regular(os.open(path, flags, 0o666), path), 'r+b') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read().decode('utf-8', 'replace')
        known = set(content.splitlines())
        new = [line for line in lines if line not in known]
        if new:
            is_torn = bool(content) and not content.endswith('\n')
            text = ('\n' if is_torn else '') + '\n'.join(new) + '\n'
            file.write(text.encode('utf-8', 'backslashreplace'))
            file.flush()
            os.fsync(file.fileno())
    return new


def append(path: str | Path, line: str) -> None:
    """Add `line` to a list that does not have it, after a torn last line on one of its own.

    It is not forced to disk. Raises OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(_regular(os.open(path, flags, 0o666), path), 'r+b', buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        is_torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b'\n'
        text = ('\n' if is_torn else '') + line + '\n'
        write_all(file, text.encode('utf-8', 'backslashreplace'))


def complete_torn(path: str | Path, line: str, is_whole: Callable[[str], bool]) -> None:
    """Complete a last line that a kill left as the beginning of `line`. Raises OSError.

    is_whole: whether what stands there is a line of its own, which nobody ended.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(_regular(os.open(path, flags), path), 'r+b', buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size, wanted = file.seek(0, os.SEEK_END), line.encode('utf-8', 'backslashreplace')
        tail = os.pread(file.fileno(), len(wanted) + 1, max(0, size - len(wanted) - 1))
        torn = tail.rpartition(b'\n')[2]
        if torn and wanted.startswith(torn) and not is_whole(torn.decode('utf-8', 'replace')):
            write_all(file, wanted[len(torn) :] + b'\n')


def with_context(error: OSError, path: str | Path, needed: int = 0) -> OSError:
    """Return the OSError of a write with the path in it.

    Where the disk was full, it has the bytes needed and free too.
    """
    if error.errno not in FULL:
        if error.filename:
            return error
        return OSError(error.errno, f'{error.strerror} while writing {path}')
    disk = os.statvfs(os.path.dirname(path) or '.')
    if disk.f_favail or not disk.f_files:
        free = f'{disk.f_bavail * disk.f_frsize:,} bytes are free'
    else:
        free = 'it can take no further file'
    if needed:
        free = f'about {needed:,} bytes are needed, {free}'
    return OSError(error.errno, f'{os.strerror(error.errno)} while writing {path}: {free}')


def sync_folder(folder: str | Path) -> None:
    """Put a folder's entries on disk: without it a rename may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')


def _open_new(path: str, flags: int) -> int:
    """Open with the permissions that the umask gives; a planted link is not followed."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _regular(descriptor: int, path: str | Path) -> int:
    """Return the descriptor, if it is of a file: a FIFO under a list's name would be waited for."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, 'not a regular file', str(path))
