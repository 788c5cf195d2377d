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
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tagrun.store import beneath, safe_read

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
    with beneath.parent(path) as (folder, name):
        temporary = _temporary(name)
        try:
            with _open_new(path.with_name(temporary), folder) as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            if durable:
                os.fsync(folder)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
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
    with beneath.parent(path) as (folder, name):
        temporary = _temporary(name)
        os.symlink(target, temporary, dir_fd=folder)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def write_all(file: io.FileIO, content: bytes) -> None:
    """Write all of `content` to a file opened with buffering=0.

    A disk that fills up takes a part of it, and raises at the next write.
    """
    try:
        while content:
            content = content[file.write(content) :]
    except OSError as error:
        raise with_context(error, str(file.name)) from None


def copy(source: str | Path, target: str | Path) -> None:
    """Put a file under another name: a hard link, or a copy on another file system.

    Raises OSError, for a link that lies in a folder of records too.
    """
    beneath.check(source)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        copy_content(source, target)


def copy_content(source: str | Path, target: str | Path) -> None:
    """Write what a file holds into a file of its own. Raises as `copy` does."""
    with safe_read.open_file(source) as content, replacing(target, durable=False) as file:
        shutil.copyfileobj(content, file)


def append_line(path: str | Path, line: str) -> bool:
    """Add `line` to a list unless the list has it; return whether it was added."""
    return bool(append_lines(path, [line]))


def append_lines(path: str | Path, lines: Iterable[str]) -> list[str]:
    """Add the lines that a list does not have yet, in one write; return them.

    A torn last line is ended first. Raises OSError.
    """
    with os.fdopen(open_to_append(path), 'r+b') as file:
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
    with os.fdopen(open_to_append(path), 'r+b', buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        is_torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b'\n'
        text = ('\n' if is_torn else '') + line + '\n'
        write_all(file, text.encode('utf-8', 'backslashreplace'))


def complete_torn(path: str | Path, line: str, is_whole: Callable[[str], bool]) -> None:
    """Complete a last line that a kill left as the beginning of `line`. Raises OSError.

    is_whole: whether what stands there is a line of its own, which nobody ended.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK
    descriptor = _regular(beneath.open_file(path, flags, follow=False), path)
    with os.fdopen(descriptor, 'r+b', buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size, wanted = file.seek(0, os.SEEK_END), line.encode('utf-8', 'backslashreplace')
        tail = os.pread(file.fileno(), len(wanted) + 1, max(0, size - len(wanted) - 1))
        torn = tail.rpartition(b'\n')[2]
        if torn and wanted.startswith(torn) and not is_whole(torn.decode('utf-8', 'replace')):
            write_all(file, wanted[len(torn) :] + b'\n')


def open_to_append(path: str | Path) -> int:
    """Return the descriptor of a file that grows, made if it is not there. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    return _regular(beneath.open_file(path, flags, follow=False), path)


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


def _temporary(name: str) -> str:
    return f'.{name}.{secrets.token_hex(4)}.tmp'


def _open_new(path: Path, folder: int) -> BinaryIO:
    """Open a new file in an open folder, with the permissions that the umask gives."""

    def opener(_: str, flags: int) -> int:
        return os.open(path.name, flags | os.O_NOFOLLOW, 0o666, dir_fd=folder)

    return open(path, 'xb', opener=opener)


def _regular(descriptor: int, path: str | Path) -> int:
    """Return the descriptor, if it is of a file: a FIFO under a list's name would be waited for."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, 'not a regular file', str(path))
