"""Write files so that a reader, a kill or a power cut finds the old content or the new, never a part.

    write(folder / 'statistic.json', text)

Nothing else in Tagrun opens a file for writing that somebody reads, but for those that grow: log, trace.csv, TensorBoard's and the lists.
"""
import errno
import fcntl
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path, needed=0, durable=True):
    """A binary file to write; when the block ends well it is on disk and has replaced `path`, else nothing changed.

    It is made in the same folder (a rename does not cross file systems), with a name nobody can guess or has planted.
    Raises OSError; where there is no room it says how much: `needed` is about how many bytes will come. Not `durable`: of what can be
    made again, it is left to the system when it comes to disk.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
    try:
        with open(temporary, 'xb', opener=_as_we_make) as file:
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
        raise (explained(error, path, needed) if isinstance(error, OSError) else error)


def write(path, content, durable=True):
    """Replace `path` by `content` (str or bytes)."""
    with replacing(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def link(path, target):
    """Make the symlink `path` point to `target` by one rename: a reader always finds a link."""
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
    os.symlink(target, temporary)
    os.replace(temporary, path)


def put(file, content):
    """Write all of `content` (bytes) to a file opened with buffering=0: a disk that fills up takes a part of it, and then says so."""
    try:
        while content:
            content = content[file.write(content):]
    except OSError as error:
        raise explained(error, file.name) from None


def append_line(path, line):
    """Add `line` to a list unless it stands there; True if it was added. A torn last line is ended first."""
    return bool(append_lines(path, [line]))


def append_lines(path, lines):
    """Add those of `lines` that do not stand in a list, in one write; returns them. A torn last line is ended first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(_regular(os.open(path, flags, 0o666), path), 'r+b') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read().decode('utf-8', 'replace')
        there = set(content.splitlines())
        new = [line for line in lines if line not in there]
        if new:
            file.write((('\n' if content and not content.endswith('\n') else '') + '\n'.join(new) + '\n').encode('utf-8', 'backslashreplace'))
            file.flush()
            os.fsync(file.fileno())
    return new


def explained(error, path, needed=0):
    """The OSError that `writing path` met, with the path in it and, where there was no room, the bytes needed and free."""
    if error.errno not in FULL:
        return error if error.filename else OSError(error.errno, f'{error.strerror} while writing {path}')
    room = os.statvfs(os.path.dirname(path))
    free = f'{room.f_bavail * room.f_frsize:,} bytes are free' if room.f_favail or not room.f_files else 'it can take no further file'
    return OSError(error.errno, f'{os.strerror(error.errno)} while writing {path}: {f"about {needed:,} bytes are needed, " if needed else ""}{free}')


def _regular(descriptor, path):
    """The descriptor, if it is of a file: a FIFO under a list's name would be waited for."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, 'not a regular file', str(path))


def _as_we_make(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def sync_folder(folder):
    """Put a folder's entries on disk: without it a rename may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
