"""Variants of a sweep's code: the tag's own, that with a patch, a branch's, another tag's.

    variant = read_variant(repository, commit, 'fast.patch')
    variant.config                        # the text of its config.py

Trials put values into a variant's config.py. No file of the user's is touched.
"""

import re
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import UserError
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.store import run_ref

CONFIG, SEED = 'code/config.py', 'code/seed'
LARGEST = 1 << 20  # bytes of a patch

# What code/ has besides config.py and seed: (mode, name, id) of each entry of its tree.
OtherFiles = tuple[tuple[bytes, bytes, bytes], ...]


class Variant(NamedTuple):
    """The code that a trial's values are put into."""

    name: str  # '', 'fast.patch', 'branch:other'
    tree: str  # git's id of the whole project's tree
    other_files: OtherFiles
    config: str  # config.py's text


def read_variant(repository: Repository, commit: str, word: str = '') -> Variant:
    """Return the code that a word of --vary names, for the commit of a sweep.

    word: a patch's file, branch:<name>, tag:<name>; '' and '.' are the commit as it is. Raises
    UserError.
    """
    tree = repository.git(
        'rev-parse', '--verify', '--end-of-options', _tree(repository, commit, word)
    ).strip()
    config = repository.file(tree, CONFIG)
    files = other_files(repository, [tree])[tree]
    if config is None or files is None:
        raise UserError(f'--vary {word}: it has no {CONFIG}')
    return Variant(short_name(word), tree, files, config.decode(errors='surrogateescape'))


def short_name(word: str) -> str:
    """Return how a variant is named: of a patch the file's name alone, '' for the code as it is."""
    return word if _names_ref(word) else Path(word).name


def other_files(repository: Repository, trees: list[str]) -> dict[str, OtherFiles | None]:
    """Return {tree or commit: its code/ without config.py and seed}; None where git lacks it."""
    names = {tree: f'{tree}:{repository.prefix}code' for tree in trees}
    contents = repository.blobs(names.values(), missing=None)
    return {tree: _entries(contents[name], len(tree) // 2) for tree, name in names.items()}


def _names_ref(word: str) -> bool:
    return word.startswith(('branch:', 'tag:'))


def _tree(repository: Repository, commit: str, word: str) -> str:
    kind, _, name = word.partition(':')
    if word in ('', '.'):
        return f'{commit}^{{tree}}'
    if not _names_ref(word):
        return _patched_tree(repository, commit, word)
    prefix = run_ref.HEADS if kind == 'branch' else run_ref.TAGS
    other = repository.resolve(prefix + name)
    if not other:
        raise UserError(f'--vary {word}: there is no {kind} {name!r}')
    return f'{other}^{{tree}}'


def _patched_tree(repository: Repository, commit: str, word: str) -> str:
    try:
        patch = Path(word).read_bytes()
    except OSError as error:
        raise UserError(
            f'--vary {word}: {error.strerror}; a patch is what git diff prints, and '
            'branch:<name> is a branch'
        ) from None
    if not patch or len(patch) > LARGEST:
        raise UserError(f'--vary {word}: a file of {len(patch):,} bytes is not a patch')
    try:
        return repository.patched_tree(commit, patch)
    except GitError as error:
        raise UserError(
            f'--vary {word}: it does not apply to the recorded code ({error})'
        ) from None


def _entries(tree: bytes | None, size: int) -> OtherFiles | None:
    """Return a tree object's entries, each with an id of `size` bytes."""
    if tree is None:
        return None
    entries = re.findall(rb'(?s)([0-7]+) ([^\0]+)\0(.{%d})' % size, tree)
    return tuple(entry for entry in entries if entry[1] not in (b'config.py', b'seed'))
