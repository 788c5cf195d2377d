"""Reads a file that somebody else may have planted: a regular one, of bounded size, without waiting.

    content = regular(path)                  # bytes

A FIFO under a file's name does not make it wait, a device does not fill the memory. It follows a link: it only reads.
"""
import os
import stat

LARGEST = 64 << 20  # bytes; what is larger is no file of ours


def regular(path):
    """The file's bytes. Raises OSError, or ValueError with a reason that names no path."""
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise ValueError(f'larger than {LARGEST >> 20} MB')
        return file.readall()


def opened(path):
    """The open file, binary, of whatever size. Raises as `regular` does."""
    file = open(path, 'rb', buffering=0, opener=_at_once)
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise ValueError('not a regular file')


def _at_once(path, flags):
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
