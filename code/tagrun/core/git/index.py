"""A copy of the user's index, in which no file of the work tree is hidden from git.

    changes(top, directory)                 # [Change('modified', 'code/config.py')]
    with taken(top, directory) as env:
        process.run(top, 'add', '--all', env=env)

Git passes over a file whose entry has the flag skip-worktree or assume-unchanged; the copy's
entries have neither. What was staged counts by what the file is now. The user's index is only read.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tagrun.core.git import process, status
from tagrun.core.git.process import GitError
from tagrun.core.git.status import Change

DIFFERING = (
    *('diff', '--name-only', '-z', '--no-ext-diff', '--no-textconv', '--no-renames'),
    '--ignore-submodules=none',
)
TEMPORARY = 'tagrun-'  # how the folder of a temporary index begins, in the git folder


@contextmanager
def temporary(directory: Path) -> Iterator[dict[str, str]]:
    """Yield an environment in which git works on a copy of the index of a git folder.

    The copy lies in the git folder: a split index refers to its neighbours.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=directory)
    except OSError as error:
        raise GitError(f'{directory} cannot be written: {error.strerror}') from None
    with folder as name:
        copy, index = Path(name) / 'index', directory / 'index'
        if index.exists():
            shutil.copyfile(index, copy)
            shutil.copystat(index, copy)
        yield {'GIT_INDEX_FILE': str(copy)}


def changes(top: Path, directory: Path, left_out: Sequence[str] = ()) -> list[Change]:
    """Return what differs from HEAD in the work tree, but for what is left out."""
    with taken(top, directory, left_out, for_writing=False) as env:
        changes = status.parse(process.run(top, *status.WORDS, *all_but(left_out), env=env))
        if any(change.what == 'modified' for change in changes):
            differing = _differing(top, directory, env)
            changes = [one for one in changes if one.what != 'modified' or one.path in differing]
    known = {change.path for change in changes}
    paths = (path for path in _submodules(top) if path not in known)
    return changes + [Change('submodule', path) for path in paths if _has_changes(top / path)]


def _submodules(top: Path) -> list[str]:
    """Return the paths of the submodules that are checked out."""
    lines = process.run(top, 'ls-files', '-s', '-z').split('\0')
    paths = [line.partition('\t')[2] for line in lines if line.startswith('160000')]
    return [path for path in paths if os.path.lexists(top / path / '.git')]


def _has_changes(submodule: Path) -> bool:
    """Tell whether files in a submodule differ from its HEAD.

    Git's own status of the project believes the flags in there.
    """
    directory = process.run(submodule, 'rev-parse', '--absolute-git-dir').removesuffix('\n')
    return bool(changes(submodule, Path(directory)))


def _differing(top: Path, directory: Path, env: dict[str, str]) -> set[str]:
    """Return the tracked files whose content or mode differs from the index.

    Git's status also names a file of another size that differs in its line endings alone.
    """
    # git diff may write into the index, so it gets a copy
    with nullcontext(env) if env else temporary(directory) as copy:
        return set(process.run(top, *DIFFERING, env=copy).split('\0'))


@contextmanager
def taken(
    top: Path, directory: Path, left_out: Sequence[str] = (), for_writing: bool = True
) -> Iterator[dict[str, str]]:
    """Yield an environment in which git sees each file of the work tree as it is.

    left_out: paths that stay as they are in HEAD, with all that lies below them. for_writing:
    False where git only reads: then the user's own index serves, if it hides nothing.
    """
    assumed, skipped = _hidden(top)
    staged = _staged(top, left_out)
    if not (for_writing or assumed or skipped or staged):
        yield {}
        return
    with temporary(directory) as env:
        for option, paths in (('--no-assume-unchanged', assumed), ('--no-skip-worktree', skipped)):
            if paths:
                words = ('update-index', '-z', option, '--stdin')
                process.run(top, *words, data=_with_nul(paths), env=env)
        if staged:
            words = ('reset', '-q', '--pathspec-from-file=-', '--pathspec-file-nul')
            pathspecs = [f':(top,literal){path}' for path in staged]
            process.run(top, *words, data=_with_nul(pathspecs), env=env)
        yield env


def all_but(paths: Sequence[str]) -> list[str]:
    """Return the end of a git command that looks at the whole work tree but for some paths."""
    return ['--', *(f':(top,exclude,literal){path}' for path in paths)]


def content(top: Path, directory: Path, path: str) -> bytes:
    """Return what git would record of a file: the work tree's bytes through git's own filters.

    path: from the top. Nothing stays in the object database. Raises GitError.
    """
    with taken(top, directory) as env:
        objects = Path(env['GIT_INDEX_FILE']).with_name('objects')
        objects.mkdir()
        real = process.run(top, 'rev-parse', '--path-format=absolute', '--git-path', 'objects')
        quoted = real.removesuffix('\n').replace('\\', '\\\\').replace('"', '\\"')
        env |= {
            'GIT_OBJECT_DIRECTORY': str(objects),
            'GIT_ALTERNATE_OBJECT_DIRECTORIES': f'"{quoted}"',
        }
        process.run(top, 'update-index', '--add', '--', path, env=env)
        return process.run_bytes(top, 'cat-file', 'blob', f':{path}', env=env)


def put(top: Path, env: Mapping[str, str], ids: Mapping[str, str], removed: list[str]) -> None:
    """Put blobs, {path: id}, into a temporary index, and remove other paths from it.

    A file that is there already keeps its mode.
    """
    if removed:
        words = ('update-index', '-z', '--force-remove', '--stdin')
        process.run(top, *words, data=_with_nul(removed), env=env)
    if ids:
        modes = _modes(top, env, ids)
        lines = [f'{modes.get(path, "100644")} {ids[path]}\t{path}' for path in ids]
        words = ('update-index', '--add', '-z', '--index-info')
        process.run(top, *words, data=_with_nul(lines), env=env)


def _modes(top: Path, env: Mapping[str, str], paths: Iterable[str]) -> dict[str, str]:
    """Return {path: its mode} of those that are plain files of an index."""
    pathspecs = [f':(top,literal){path}' for path in paths]
    modes = {}
    for line in process.run(top, 'ls-files', '-s', '-z', '--', *pathspecs, env=env).split('\0'):
        facts, _, path = line.partition('\t')
        if facts.startswith('100'):
            modes[path] = facts.partition(' ')[0]
    return modes


def _hidden(top: Path) -> tuple[list[str], list[str]]:
    """Return the paths that are assumed unchanged, and those that are skipped and are there.

    A file that a sparse checkout left out is not there: it keeps its flag, and is as in HEAD.
    """
    assumed, skipped = [], []
    for line in process.run(top, 'ls-files', '-v', '-z').split('\0'):
        tag, path = line[:1], line[2:]
        if tag.islower():
            assumed.append(path)
        if tag in ('S', 's') and os.path.lexists(top / path):
            skipped.append(path)
    return assumed, skipped


def _staged(top: Path, left_out: Sequence[str]) -> list[str]:
    """Return the paths that must be in the index as in HEAD.

    These are the files staged in another form, staged as new and not there any more, or staged as
    removed though git would add them again, and what is left out. A new file that was staged and
    is there stays, for git may ignore it.
    """
    words = ('diff-index', '--cached', '--raw', '-z', '--ignore-submodules=none')
    try:
        output = process.run(top, *words, '--ita-visible-in-index', 'HEAD', '--')
    except GitError:  # there is no commit yet
        return []
    parts = output.split('\0')
    letters = {path: facts[-1] for facts, path in zip(parts[::2], parts[1::2], strict=False)}
    below = tuple(f'{name}/' for name in left_out)
    restored = [name for name in left_out if any(f'{path}/'.startswith(below) for path in letters)]
    other = [path for path, letter in letters.items() if letter in 'MT']
    other += [
        path
        for path, letter in letters.items()
        if letter == 'A' and not os.path.lexists(top / path)
    ]
    removed = [path for path, letter in letters.items() if letter == 'D']
    return [*restored, *other, *_untracked(top, removed)]


def _untracked(top: Path, paths: Iterable[str]) -> list[str]:
    """Return those of the paths that are files which git would add."""
    existing = [path for path in paths if os.path.lexists(top / path)]
    if not existing:
        return []
    pathspecs = [f':(top,literal){path}' for path in existing]
    words = ('ls-files', '-z', '--others', '--exclude-standard', '--')
    return sorted(set(process.run(top, *words, *pathspecs).split('\0')) & set(existing))


def _with_nul(paths: Iterable[str]) -> bytes:
    return b''.join(os.fsencode(path) + b'\0' for path in paths)
