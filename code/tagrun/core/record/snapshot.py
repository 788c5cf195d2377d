"""Read what a run's frozen copy will hold of a commit's code, out of git's objects.

    files = read(repository, commit)     # code_check.py looks at them, frozen_copy.py writes them

Of the tool it holds only what training imports.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tagrun.core.cli.messages import UserError
from tagrun.core.git.objects import Entry, Objects
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.record import contract

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
LINK, EXECUTABLE, SUBMODULE = '120000', '100755', '160000'


class File(NamedTuple):
    """A file of a commit's code folder."""

    path: str  # relative to code/
    mode: str  # git's: 100644, 100755, 120000 (a link: its content is where to)
    content: bytes


def read(repository: Repository, commit: str, objects: Objects | None = None) -> list[File]:
    """Return the files of a commit's code folder.

    objects: reads many commits by one git process. Raises UserError if Tagrun cannot run the
    commit, or git does not have it.
    """
    try:
        entries = _entries(repository, commit, objects)
        ids = [entry.id for entry in entries if entry.mode != SUBMODULE]
        blobs = {one: objects.blob(one) for one in ids} if objects else repository.blobs(ids)
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


def _entries(repository: Repository, commit: str, objects: Objects | None) -> list[Entry]:
    if objects:
        entries = objects.files(f'{commit}:{repository.prefix}code')
    else:
        entries = repository.tree(commit, 'code')
    return [entry for entry in entries if not entry.path.startswith(LEFT_OUT)]


def absent(commit: str, why: str = '') -> str:
    """Return the sentence about a commit that git does not have."""
    return (
        f'the code of commit {commit[:10]} is not in this repository{why}: '
        f'git fetch origin {commit} brings it, if it was pushed'
    )
