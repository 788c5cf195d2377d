"""Read a file that somebody else may have planted: a regular one, of bounded size, without waiting.

    content = read_bytes(path)

A FIFO under a file's name does not make it wait, a device does not fill the memory. In `__result__`
and `__statistic__` it follows no link (beneath.py).
"""

import io
import os
import stat
from pathlib import Path

from tagrun.store import beneath

LARGEST = 64 << 20  # bytes; no file of Tagrun's is larger


def read_bytes(path: str | Path) -> bytes:
    """Return the file's bytes. Raises OSError, or ValueError with a reason that names no path."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise ValueError(f'larger than {LARGEST >> 20} MB')
        return file.readall()


def read_or_none(path: str | Path) -> bytes | None:
    """Return the file's bytes; None where it cannot be read."""
    try:
        return read_bytes(path)
    except (OSError, ValueError):
        return None


def start(path: str | Path, size: int) -> bytes:
    """Return the file's first bytes, up to `size`. Raises as `read_bytes` does."""
    with open_file(path) as file:
        content: bytes = file.read(size)
    return content


def open_file(path: str | Path) -> io.FileIO:
    """Return the open file, binary, of whatever size. Raises as `read_bytes` does."""
    file = io.FileIO(path, 'rb', opener=_open_at_once)
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise ValueError('not a regular file')


def _open_at_once(path: str, flags: int) -> int:
    return beneath.open_file(path, flags | os.O_NONBLOCK)
