"""Write the frozen copy of a commit's code that a run trains from: <run folder>/code.

    files = read(repository, commit); check(files); write(files, folder)

Files are read-only; those equal to the snapshot of the tag's run before are hard links to it. Of
the tool it holds only what training imports. It is written from git's objects, not from your files.
"""

import importlib.machinery
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Entry, Repository
from tagrun.core.project import CODE
from tagrun.core.record import contract
from tagrun.store import layout

IMPORTED = ('.py', '.so', '.pth')  # endings of what Python would import or run
LFS = b'version https://git-lfs.github.com/spec/v1\n'  # how a pointer begins
# What training does not import. It is applied to old commits too: prefixes stay.
LEFT_OUT = (
    'tagrun/tests/',
    'tagrun/bench/',
    'tagrun/docs/',
    'tagrun/docker/',
    'tagrun/recipes/',
    'tagrun/core/',
    'tagrun/command/',
    'tagrun/extra/',
    'tagrun/store/experlist.py',
    'tagrun/store/table.py',
    'tagrun/store/title.py',
    'tagrun/__main__.py',
    'tagrun/completion.sh',
    'tagrun/README.md',
    'tagrun/CHANGELOG.md',
    'tagrun/CONTRIBUTING.md',
    'tagrun/mypy.ini',
    'tagrun/ruff.toml',
)
LONGEST = 76  # characters of a line of code in a message
LINK, EXECUTABLE, SUBMODULE = '120000', '100755', '160000'
TORCH = 'import torch, torch.utils.tensorboard, torch.utils.data'
TRAINING = 'tagrun/training/__init__.py'


class File(NamedTuple):
    """A file of a commit's code folder."""

    path: str  # relative to code/
    mode: str  # git's: 100644, 100755, 120000 (a link: its content is where to)
    content: bytes


def read(repository: Repository, commit: str) -> list[File]:
    """Return the files of a commit's code folder.

    Raises UserError if Tagrun cannot run the commit, or git does not have it.
    """
    try:
        entries = _entries(repository, commit)
        blobs = repository.blobs(entry.id for entry in entries if entry.mode != SUBMODULE)
    except GitError as error:
        raise UserError(absent(commit, f' ({error})')) from None
    refuse_submodules(entry.path for entry in entries if entry.mode == SUBMODULE)
    files = [File(entry.path, entry.mode, blobs[entry.id]) for entry in entries]
    contents = {file.path: file.content for file in files}
    if 'main.py' not in contents:
        raise UserError(f'commit {commit[:10]} has no code/main.py: there is nothing to run')
    contract.check(contents.get(contract.PATH), commit)
    return files


def refuse_submodules(paths: Iterable[str]) -> None:
    """Raise UserError for the first of these: repositories of their own in code/."""
    for path in paths:
        raise UserError(
            f"code/{path} is a submodule, which a run's frozen copy would lack: "
            'keep its files in code/ itself'
        )


def _entries(repository: Repository, commit: str) -> list[Entry]:
    entries = repository.tree(commit, 'code')
    return [entry for entry in entries if not entry.path.startswith(LEFT_OUT)]


def absent(commit: str, why: str = '') -> str:
    """Return the sentence about a commit that git does not have."""
    return (
        f'the code of commit {commit[:10]} is not in this repository{why}: '
        f'git fetch origin {commit} brings it, if it was pushed'
    )


def check(files: list[File]) -> None:
    """Find what would stop training, before a tag is spent on it.

    Raises UserError for a file that Python cannot compile, or that hides a module which torch
    needs.
    """
    for file in files:
        if file.content.startswith(LFS):
            echo(
                f'tagrun: code/{file.path} is kept by git LFS: the frozen copy has its '
                'pointer, not its content'
            )
        if not file.path.startswith('tagrun/') and file.path.endswith('.py'):
            _check_module(file)
    _check_hidden({file.path: _module_name(file.path) for file in files}, files)


def _check_hidden(modules: dict[str, str], files: list[File]) -> None:
    """Raise UserError where a file hides a module without which training cannot begin.

    modules: {path: what imports it}.
    """
    standard = [path for path, name in modules.items() if name in sys.stdlib_module_names]
    packages = [path for path, name in modules.items() if path not in standard and _hides(name)]
    if not standard and not packages:
        return
    names = ', '.join(f'code/{path}' for path in standard + packages)
    noun = 'module' if len(standard) == 1 else 'modules'
    what = f"{names} hides Python's own {noun} of that name"
    if packages:
        what = f'{names} hides an installed package of that name'
    _try_torch(files, what)
    # of packages, imported_modules.py has said so
    if standard:
        echo(f'tagrun: {what}; torch can be loaded beside it, but better rename it')


def _hides(name: str) -> bool:
    return '/' not in name and name != 'tagrun' and is_installed(name)


def is_installed(name: str) -> bool:
    """Return whether Python has a module of that name outside code/; nothing is imported."""
    folders = [entry for entry in sys.path if Path(entry or '.').resolve() != CODE]
    spec = importlib.machinery.PathFinder.find_spec(name, folders)
    return spec is not None and spec.origin is not None


def _module_name(path: str) -> str:
    """Return what imports a file: 'queue' of queue.py and of queue/__init__.py."""
    return path.removesuffix('.py').removesuffix('/__init__')


def _check_module(file: File) -> None:
    """Raise UserError for a file that cannot be compiled, or is a link to one out of code/."""
    if file.mode != LINK:
        _compile(file)
        return
    target = os.fsdecode(file.content)
    path = os.path.normpath(os.path.join('code', os.path.dirname(file.path), target))
    if not path.startswith('code/'):
        raise UserError(
            f'code/{file.path} is a link to {target}, and a run has a frozen copy of code/ alone: '
            'put the file itself into code/'
        )


def _compile(file: File) -> None:
    try:
        compile(file.content, file.path, 'exec', dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line, reason = getattr(error, 'lineno', '?'), getattr(error, 'msg', error)
        text = _line(file, line)
        raise UserError(f'code/{file.path}, line {line}: {reason}{text}') from None


def _line(file: File, number: object) -> str:
    """Return a line of a file for the end of a message; '' where it has no such line."""
    lines = file.content.decode(errors='replace').split('\n')
    if not isinstance(number, int) or not 0 < number <= len(lines):
        return ''
    text = lines[number - 1].strip()[:LONGEST]
    return f'\n  {text}' if text else ''


def _try_torch(files: list[File], what: str) -> None:
    """Load torch beside these files, as training will. Raises UserError if that fails."""
    with tempfile.TemporaryDirectory() as folder:
        write(files, Path(folder))
        training = ', tagrun.training' if any(file.path == TRAINING for file in files) else ''
        done = subprocess.run(
            [sys.executable, '-c', TORCH + training],
            cwd=folder,
            capture_output=True,
            env={**os.environ, 'PYTHONPATH': os.path.join(folder, 'code')},
        )
    if done.returncode:
        raise UserError(f'{what}, and torch cannot be loaded beside it: rename it')


def write(files: list[File], folder: Path) -> list[str]:
    """Make <folder>/code hold just these contents; return the paths that it repaired.

    There are none where <folder>/code is new.
    """
    code, earlier = folder / 'code', _earlier_snapshot(folder)
    is_new = not code.exists()
    repaired = _remove_links(code, files)
    for file in files:
        path = code / file.path
        if not _same(path, file):
            repaired.append(file.path)
            _make_room(path)
            _write_file(path, file, earlier)
    return [] if is_new else repaired


def differences(files: list[File], folder: Path) -> tuple[list[str], list[str]]:
    """Return what of <folder>/code differs from the commit, as two lists of paths.

    The first: of the commit's files, those that differ or are missing. The second: files there
    that Python could import and that the commit lacks.
    """
    code = folder / 'code'
    changed = [file.path for file in files if not _same(code / file.path, file)]
    known = {file.path for file in files}
    return changed, sorted(set(_imported(code)) - known)


def _imported(code: Path) -> Iterable[str]:
    """Yield the paths of what Python could import or run."""
    for ending in IMPORTED:
        for path in code.rglob(f'*{ending}'):
            if '__pycache__' not in path.parts:
                yield path.relative_to(code).as_posix()


def clean(folder: Path) -> None:
    """Remove the bytecode that Python left in the snapshot: each of many runs would keep it."""
    for cache in list((folder / 'code').rglob('__pycache__')):
        shutil.rmtree(cache, ignore_errors=True)


def _remove_links(code: Path, files: list[File]) -> list[str]:
    """Remove the links where a folder of the commit belongs; return their paths.

    Nothing is then written through them.
    """
    removed = []
    # sorted: each folder before what lies in it
    for folder in sorted(_folders(files)):
        if (code / folder).is_symlink():
            (code / folder).unlink()
            removed.append(folder.as_posix())
    return removed


def _folders(files: list[File]) -> set[Path]:
    folders: set[Path] = set()
    for file in files:
        folders.update(Path(file.path).parents)
    return folders


def _make_room(path: Path) -> None:
    """Make the folder of `path`, and free its name.

    Raises UserError where something else of yours has that name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f'{path}: a file of the commit belongs there ({error.strerror}): move away '
            'what stands in its place'
        ) from None


def _write_file(path: Path, file: File, earlier: Path | None) -> None:
    if file.mode == LINK:
        os.symlink(file.content, os.fsencode(path))
    elif not (earlier and _same(earlier / file.path, file) and _link(earlier / file.path, path)):
        path.write_bytes(file.content)
        mode = 0o555 if file.mode == EXECUTABLE else 0o444
        path.chmod(mode)


def _link(source: Path, path: Path) -> bool:
    """Make a hard link; return False where the system refuses it, e.g. of another user's file."""
    try:
        os.link(source, path)
        return True
    except OSError:
        return False


def _same(path: Path, file: File) -> bool:
    try:
        if file.mode == LINK:
            return os.fsencode(os.readlink(path)) == file.content
        if path.is_symlink() or path.read_bytes() != file.content:
            return False
        return bool(path.stat().st_mode & 0o100) == (file.mode == EXECUTABLE)
    except OSError:
        return False


def _earlier_snapshot(folder: Path) -> Path | None:
    """Return the code folder of the newest earlier run of the same tag, or None."""
    if not folder.name.isdigit():
        return None
    numbers = layout.numbers(folder.parents[2], folder.parent.name)
    earlier = [number for number in numbers if number < int(folder.name)]
    return folder.parent / str(earlier[-1]) / 'code' if earlier else None
