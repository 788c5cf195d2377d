"""Write the frozen copy of a commit's code that a run trains from: <run folder>/code.

    write(snapshot.read(repository, commit), folder)
    repair(repository, folder, commit)                      # before each training

Files are read-only; those equal to the copy of the tag's run before are hard links to it. Every
path is checked, and opened relative to the folder before it: no link is followed. What the commit
lacks, e.g. a planted torch.py, is moved into <run folder>/code.removed.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.repository import Repository
from tagrun.core.record import snapshot, tree_paths
from tagrun.core.record.snapshot import EXECUTABLE, LINK, File
from tagrun.store import beneath, layout

CODE = 'code'
REMOVED = 'code.removed'
BYTECODE = '__pycache__'
SHOWN = 5  # paths named before '…'
Seen = dict[tuple[int, ...], bytes]
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Changes(NamedTuple):
    """What was wrong with a frozen copy, as paths below code/."""

    changed: list[str]  # of the commit's files, those that differed or were missing
    strange: list[str]  # what the commit lacks: files, links and folders


def repair(repository: Repository, folder: Path, commit: str | None) -> None:
    """Make the frozen copy in a run's folder the commit's again, and say what was not.

    Nothing is done for a run without a commit. Raises UserError.
    """
    if not commit:
        return
    found = write(snapshot.read(repository, commit), folder)
    if found.changed:
        echo(
            f"tagrun: the frozen code had been changed ({_named(found.changed)}); it is the tag's "
            'again'
        )
    if found.strange:
        echo(
            f'tagrun: the frozen code had what its commit lacks ({_named(found.strange)}); that is '
            f'in {REMOVED} now, and the run does not use it'
        )


def write(files: list[File], folder: Path) -> Changes:
    """Make <folder>/code hold just these files; return what was wrong with it.

    Nothing was where it is new. Raises UserError, before anything is written, for a path that leads
    out of it.
    """
    tree_paths.check(file.path for file in files)
    code, earlier = folder / CODE, _earlier_copy(folder)
    is_new = not os.path.lexists(code)
    strange = strangers(files, folder)
    for path in strange:
        _set_aside(folder, path)
    clean(folder)
    try:
        beneath.make_folder(code)
        changed = [file.path for file in files if _replace(code, file, earlier)]
    # ValueError: a link to a name with a NUL
    except (OSError, ValueError) as error:
        why = getattr(error, 'strerror', None) or error
        raise UserError(f'the frozen copy in {code} cannot be written: {why}') from None
    return Changes([] if is_new else changed, strange)


def differences(files: list[File], folder: Path, seen: Seen | None = None) -> Changes:
    """Return what of <folder>/code differs from the commit. Python's bytecode is left out.

    seen: keeps which files are right, where many copies are looked at: most are hard links.
    """
    seen = {} if seen is None else seen
    code = folder / CODE
    changed = []
    for file in files:
        key = _key(code, file)
        # of one content: the files of a commit come out of one cache
        if key is None or seen.get(key) is not file.content:
            if not _is_same_below(code, file):
                changed.append(file.path)
            elif key is not None:
                seen[key] = file.content
    return Changes(changed, strangers(files, folder))


def _key(code: Path, file: File) -> tuple[int, ...] | None:
    """Return what stands for a file's content while nobody writes it; None for a link."""
    if file.mode == LINK:
        return None
    try:
        status = os.stat(os.path.join(code, file.path), follow_symlinks=False)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    times = status.st_mtime_ns, status.st_ctime_ns
    return (status.st_dev, status.st_ino, status.st_size, status.st_mode, *times)


def strangers(files: list[File], folder: Path) -> list[str]:
    """Return what lies in <folder>/code and is not of the commit; '' is code itself, if a link."""
    code = folder / CODE
    if code.is_symlink() or not code.is_dir():
        return [''] if os.path.lexists(code) else []
    paths = {file.path for file in files}
    folders = {os.path.dirname(path) for path in paths}
    for path in list(folders):
        while path := os.path.dirname(path):
            folders.add(path)
    return sorted(_strangers(os.fspath(code), '', paths, folders))


def clean(folder: Path) -> None:
    """Remove the bytecode that Python left in the copy: each of many runs would keep it."""
    for path in bytecode(folder):
        shutil.rmtree(path, ignore_errors=True)


def bytecode(folder: Path) -> list[str]:
    """Return the folders of bytecode in the copy."""
    code = folder / CODE
    if code.is_symlink():
        return []
    # os.walk follows no link
    return [os.path.join(top, BYTECODE) for top, names, _ in os.walk(code) if BYTECODE in names]


def _strangers(code: str, prefix: str, paths: set[str], folders: set[str]) -> Iterator[str]:
    for entry in os.scandir(os.path.join(code, prefix)):
        path = f'{prefix}{entry.name}'
        if not entry.is_dir(follow_symlinks=False):
            if path not in paths:
                yield path
        elif path in folders:
            yield from _strangers(code, f'{path}/', paths, folders)
        elif entry.name != BYTECODE:
            yield path


def _set_aside(folder: Path, path: str) -> None:
    """Move what the commit lacks out of the copy. Raises UserError."""
    source = folder / CODE / path
    name = os.path.join(folder, REMOVED, path or CODE)
    target, count = name, 1
    while os.path.lexists(target):
        target, count = f'{name}.{count}', count + 1
    try:
        with (
            beneath.parent(source, top=folder) as (old, old_name),
            beneath.parent(target, top=folder, make=True) as (new, new_name),
        ):
            os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
    except OSError as error:
        raise UserError(
            f'{source} is not of the commit, and cannot be moved ({error.strerror}): remove it'
        ) from None


def _replace(code: Path, file: File, earlier: Path | None) -> bool:
    """Write a file of the commit unless it is there; return whether it was written."""
    with beneath.parent(code / file.path, top=code, make=True) as (folder, name):
        is_written = not _is_same(folder, name, file)
        if is_written:
            _write_file(folder, name, file, earlier)
        return is_written


def _write_file(folder: int, name: str, file: File, earlier: Path | None) -> None:
    """Write one file in a folder, in place of what has its name. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    if file.mode == LINK:
        os.symlink(file.content, os.fsencode(name), dir_fd=folder)
    elif not earlier or not _link_to(earlier, file, folder, name):
        descriptor = os.open(name, NEW, 0o600, dir_fd=folder)
        with open(descriptor, 'wb') as output:
            output.write(file.content)
            os.fchmod(descriptor, 0o555 if file.mode == EXECUTABLE else 0o444)


def _link_to(earlier: Path, file: File, folder: int, name: str) -> bool:
    """Make a hard link to the file of an earlier copy, if it is the same; return whether it is."""
    try:
        with beneath.parent(earlier / file.path, top=earlier) as (old, old_name):
            is_mine = os.stat(old_name, dir_fd=old, follow_symlinks=False).st_uid == os.geteuid()
            if not is_mine or not _is_same(old, old_name, file):
                return False
            os.link(old_name, name, src_dir_fd=old, dst_dir_fd=folder, follow_symlinks=False)
            return True
    except OSError:
        return False


def _is_same_below(code: Path, file: File) -> bool:
    try:
        with beneath.parent(code / file.path, top=code) as (folder, name):
            return _is_same(folder, name, file)
    except OSError:
        return False


def _is_same(folder: int, name: str, file: File) -> bool:
    """Return whether a name in a folder is the commit's file: its content, or where it leads."""
    try:
        if file.mode == LINK:
            return os.fsencode(os.readlink(name, dir_fd=folder)) == file.content
        # a FIFO would be waited for
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=folder), 'rb') as content:
            status = os.fstat(content.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size != len(file.content):
                return False
            is_executable = bool(status.st_mode & 0o100)
            return is_executable == (file.mode == EXECUTABLE) and content.read() == file.content
    except OSError:
        return False


def _earlier_copy(folder: Path) -> Path | None:
    """Return the code folder of the newest earlier run of the same tag, or None."""
    if not folder.name.isdigit():
        return None
    numbers = layout.numbers(folder.parents[2], folder.parent.name)
    earlier = [number for number in numbers if number < int(folder.name)]
    return folder.parent / str(earlier[-1]) / CODE if earlier else None


def _named(paths: list[str]) -> str:
    names = [path or CODE for path in paths[:SHOWN]]
    return ', '.join(names) + (', …' if len(paths) > SHOWN else '')
