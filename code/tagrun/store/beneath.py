"""Reach what lies in a folder of records without following a link there.

    with beneath.parent(folder / 'run.json') as (descriptor, name):
        os.unlink(name, dir_fd=descriptor)

`__result__` and `__statistic__` may be links of yours, e.g. to a large disk. What lies in them may
have come from somebody else, and a link there could lead a reader or a writer anywhere. So each
folder on the way is opened relative to the one before, and a link is refused. Elsewhere links are
followed.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RECORDS = ('__result__', '__statistic__')
LINK = 'a link to another place, which Tagrun does not follow'
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# what the kernel says of a link that is not followed: Linux, Linux with O_DIRECTORY, BSD
OF_A_LINK = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)


def top_of(path: str | Path) -> str | None:
    """Return the folder of records that a path lies in, e.g. '/x/__result__'; None outside one."""
    parts = os.fspath(path).split(os.sep)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] in RECORDS:
            return os.sep.join(parts[: index + 1])
    return None


@contextmanager
def parent(
    path: str | Path, top: str | Path | None = None, make: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield the descriptor of a path's folder, and the path's name in it.

    top: links are followed up to this folder; None: up to the folder of records, or, where there is
    none, up to the path's own folder. make: make the folders between. Raises OSError.
    """
    start, names = _split(path, top)
    descriptor = os.open(start, FOLDER)
    try:
        for count, name in enumerate(names[:-1], 1):
            shown = os.path.join(start, *names[:count])
            try:
                inner = _open(descriptor, name, FOLDER, 0, shown)
            except FileNotFoundError:
                if not make:
                    raise
                _make(descriptor, name)
                inner = _open(descriptor, name, FOLDER, 0, shown)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, names[-1]
    finally:
        os.close(descriptor)


def open_file(path: str | Path, flags: int, mode: int = 0o666, follow: bool = True) -> int:
    """Return the descriptor of a file. In a folder of records no link is followed.

    follow: elsewhere the file itself may be a link. Raises OSError.
    """
    if follow and top_of(path) is None:
        return os.open(path, flags | os.O_CLOEXEC, mode)
    with parent(path) as (folder, name):
        return _open(folder, name, flags | os.O_CLOEXEC, mode, path)


def make_folder(path: str | Path) -> None:
    """Make a folder, with those that it lies in, unless it is there. Raises OSError."""
    top = top_of(path)
    Path(top or path).mkdir(parents=True, exist_ok=True)
    if top:
        # of any name in it: all folders on the way are made
        with parent(os.path.join(path, 'any'), make=True):
            pass


def remove(path: str | Path) -> None:
    """Remove a file or link, unless it is gone. Raises OSError."""
    with suppress(FileNotFoundError), parent(path) as (folder, name):
        os.unlink(name, dir_fd=folder)


def check(path: str | Path) -> None:
    """Raise OSError if a link leads to a path in a folder of records, or is there itself.

    A path that does not exist is right.
    """
    if top_of(path):
        with suppress(FileNotFoundError), parent(path) as (folder, name):
            _refuse_link(folder, name, path)


def _split(path: str | Path, top: str | Path | None) -> tuple[str, list[str]]:
    """Return the folder up to which links are followed, and the names that follow it."""
    text = os.fspath(path)
    start = top_of(text) if top is None else os.fspath(top)
    if start is None:
        return os.path.dirname(text) or os.curdir, [os.path.basename(text)]
    names = [name for name in text[len(start) :].split(os.sep) if name]
    if not names or os.pardir in names:
        raise OSError(errno.EINVAL, 'not a path in its folder', text)
    return start, names


def _make(folder: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)


def _open(folder: int, name: str, flags: int, mode: int, path: str | Path) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in OF_A_LINK:
            _refuse_link(folder, name, path)
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def _refuse_link(folder: int, name: str, path: str | Path) -> None:
    """Raise OSError, with a sentence's end that says so, if a name is a link."""
    with suppress(FileNotFoundError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, LINK, os.fspath(path)) from None
