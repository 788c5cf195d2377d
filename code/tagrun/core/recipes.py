"""Recipes: what other kinds of training change in the template, a folder of recipes/ each.

    recipe = recipes.find('gan')
    change = recipes.plan(repository, recipe)       # what it would make of HEAD; nothing is written
    recipes.apply(repository, change)               # all of it, or nothing

A folder holds README.md, whose first line is the recipe's sentence; changes.patch, a `git diff` of
files of the template; removed.txt, the files of code/ that have no use with it; requirements.txt,
the packages that it needs besides; and whole files, which go into code/. It fits files that are as
the template has them.
"""

import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import UserError, did_you_mean, plural
from tagrun.core.environment import check
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.project import TOOL
from tagrun.store import atomic, safe_read

FOLDER = TOOL / 'recipes'
README, PATCH = 'README.md', 'changes.patch'
REMOVED, REQUIREMENTS = 'removed.txt', 'requirements.txt'
OWN = (README, PATCH, REMOVED, REQUIREMENTS)  # of a recipe's files, those that code/ does not get
CACHE = '__pycache__'
INDENT = '    '  # of what to type, in Markdown
SHOWN = 4  # files that a message names


class Recipe(NamedTuple):
    """A folder of recipes/. sentence: what it is, the first line of its README."""

    name: str
    folder: Path
    sentence: str

    def readme(self) -> str:
        return (self.folder / README).read_text(encoding='utf-8')

    def commands(self) -> list[str]:
        """Return what to type to train it: the first indented block of its README."""
        lines = self.readme().splitlines()
        rest = itertools.dropwhile(lambda line: not line.startswith(INDENT), lines)
        block = itertools.takewhile(lambda line: line.startswith(INDENT), rest)
        return [line.removeprefix(INDENT) for line in block]

    def removed(self) -> list[str]:
        """Return the paths in the project of the files that it removes."""
        text = check.read_or_none(self.folder / REMOVED) or ''
        return [f'code/{name}' for name in text.split()]

    def files(self) -> dict[str, bytes]:
        """Return {path below code/: bytes} of its whole files."""
        paths = [path for path in sorted(self.folder.rglob('*')) if path.is_file()]
        names = {path: path.relative_to(self.folder).as_posix() for path in paths}
        return {
            name: path.read_bytes()
            for path, name in names.items()
            if name not in OWN and CACHE not in path.parts
        }


class Change(NamedTuple):
    """What a recipe makes of the commit that is checked out.

    tree: git's tree of it, for a diff. before, after: {path in the project: bytes, or None} of the
    files that it writes, adds or deletes.
    """

    head: str
    tree: str
    before: dict[str, bytes | None]
    after: dict[str, bytes | None]


def listed() -> list[Recipe]:
    """Return all recipes, by name."""
    return [_read(file.parent) for file in sorted(FOLDER.glob(f'*/{README}'))]


def find(name: str) -> Recipe:
    """Return the recipe of that name. Raises UserError for an unknown name."""
    recipes = {recipe.name: recipe for recipe in listed()}
    if name not in recipes:
        hint = did_you_mean(name, recipes) or ' `tagrun recipe` lists all.'
        raise UserError(f'there is no recipe {name!r}.{hint}')
    return recipes[name]


def _read(folder: Path) -> Recipe:
    first = (folder / README).read_text(encoding='utf-8').partition('\n')[0]
    return Recipe(folder.name, folder, first.lstrip('# '))


# --- what it would change ---


def plan(repository: Repository, recipe: Recipe) -> Change:
    """Return what the recipe makes of HEAD. Raises UserError where it does not fit there."""
    head = repository.resolve('HEAD')
    if not head:
        raise UserError('nothing is committed here yet: git add -A && git commit -m start')
    patched = _patched(repository, recipe, head)
    whole = {f'code/{name}': content for name, content in recipe.files().items()}
    whole |= _requirements(repository, recipe, head)
    tree = repository.write_tree(patched, whole, recipe.removed())
    return Change(head, tree, *_contents(repository, head, tree))


def _patched(repository: Repository, recipe: Recipe, head: str) -> str:
    """Return the tree of HEAD with the recipe's patch."""
    patch = safe_read.read_or_none(recipe.folder / PATCH)
    if patch is None:
        return f'{head}^{{tree}}'
    below = [f'--directory={repository.prefix}'] if repository.prefix else []
    try:
        return repository.patched_tree(head, patch, *below)
    except GitError as error:
        if _fits(repository, head, patch, '--reverse', *below):
            raise UserError(f'HEAD has the recipe {recipe.name!r} already') from None
        raise UserError(
            f'the recipe {recipe.name!r} does not fit your files: HEAD has changed the lines '
            f"that it changes ({str(error).removeprefix('git: ')}). Nothing was written. "
            f'Make its changes by hand: they are in code/tagrun/recipes/{recipe.name}, '
            'or apply it to a fresh copy of the template'
        ) from None


def _fits(repository: Repository, head: str, patch: bytes, *options: str) -> bool:
    try:
        repository.patched_tree(head, patch, *options)
    except GitError:
        return False
    return True


def _requirements(repository: Repository, recipe: Recipe, head: str) -> dict[str, bytes]:
    """Return {path: content} of code/requirements.txt with what the recipe needs besides."""
    path = f'code/{check.REQUIREMENTS.name}'
    before = (repository.file(head, path) or b'').decode()
    known = {name.lower() for name in filter(None, map(check.package, before.splitlines()))}
    lines = (check.read_or_none(recipe.folder / REQUIREMENTS) or '').splitlines()
    new = [line for line in lines if _adds(line, known)]
    if not new:
        return {}
    ended = before if before.endswith('\n') or not before else before + '\n'
    return {path: (ended + '\n'.join(new) + '\n').encode()}


def _adds(line: str, known: Iterable[str]) -> bool:
    name = check.package(line)
    return name is not None and name.lower() not in known


def _contents(
    repository: Repository, head: str, tree: str
) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
    """Return {path in the project: bytes, or None} of what differs in code/, before and after."""
    ids_before = {entry.path: entry.id for entry in repository.tree(head, 'code')}
    ids_after = {entry.path: entry.id for entry in repository.tree(tree, 'code')}
    both = sorted(ids_before.keys() | ids_after.keys())
    paths = [path for path in both if ids_before.get(path) != ids_after.get(path)]
    sides = []
    for ids in (ids_before, ids_after):
        blobs = repository.blobs(ids[path] for path in paths if path in ids)
        sides.append({f'code/{path}': blobs.get(ids.get(path, '')) for path in paths})
    return sides[0], sides[1]


# --- the change, to the files ---


def apply(repository: Repository, change: Change) -> None:
    """Write a change into the work tree: all of it, or nothing.

    Raises UserError where a file that it touches is not as HEAD has it.
    """
    now = {path: _content(repository.root / path) for path in change.after}
    if all(_same(now[path], content) for path, content in change.after.items()):
        raise UserError('your files have it already, not committed: git diff shows it')
    _refuse_uncommitted([path for path in now if not _same(now[path], change.before[path])])
    try:
        for path, content in change.after.items():
            _write(repository.root / path, content)
    except BaseException as error:
        _restore(repository.root, now)
        if isinstance(error, OSError):
            reason = f'{error.filename or "a file"}: {error.strerror}'
            raise UserError(f'{reason}. Your files are as they were') from None
        raise


def _refuse_uncommitted(paths: list[str]) -> None:
    if paths:
        shown = ', '.join(paths[:SHOWN]) + (' …' if len(paths) > SHOWN else '')
        raise UserError(
            f'the recipe writes {plural(len(paths), "file")} whose present content is not '
            f'committed: {shown}. Commit first: git add -A && git commit'
        )


def _same(content: bytes | None, committed: bytes | None) -> bool:
    """Return whether both are the same, whatever line ends git has written into the work tree."""
    if content is None or committed is None:
        return content is committed
    return content.replace(b'\r\n', b'\n') == committed.replace(b'\r\n', b'\n')


def _content(path: Path) -> bytes | None:
    """Return the bytes of a file; None if it does not exist. Raises UserError for all else."""
    if not os.path.lexists(path):
        return None
    try:
        return safe_read.read_bytes(path)
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: {getattr(error, "strerror", None) or error}') from None


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, content)


def _restore(root: Path, before: Mapping[str, bytes | None]) -> None:
    for path, content in before.items():
        if _content(root / path) != content:
            _write(root / path, content)
