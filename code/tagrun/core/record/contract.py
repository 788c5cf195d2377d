"""Read what a commit's code can do from code/tagrun/CONTRACT in its tree.

    features(repository, commit)         # frozenset({'nproc', 'nodes'})
    frozen_features(folder)              # the same of the frozen copy in a run's folder

The file's first line is a number, and each line below it names a feature. No file name and no
source text decides: whoever gives training a new ability adds a line.
"""

import re
from pathlib import Path

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.store import run_json, safe_read

PATH = 'tagrun/CONTRACT'  # below code/
NPROC = 'nproc'  # trains in several processes
NODES = 'nodes'  # … and on several machines
EVALUATE = 'evaluate'  # measures a trained run again: `tagrun evaluate`
INPUTS = 'inputs'  # begins with another run's checkpoint or weights, as run.json says
OWNED = 'owned'  # owns its run from the first moment on: whoever starts it hands the lock on
# A commit whose file has the number alone is older than feature lines.
FIRST_FEATURES = frozenset((NPROC, NODES))
NUMBER = '[0-9]{1,9}'
FEATURE = '[a-z][a-z0-9-]{0,49}'


# A file's number and features.
Contract = tuple[int, frozenset[str]]


def parse(content: bytes) -> Contract | None:
    """Return what a CONTRACT file says; None for a file that is not one."""
    first, *lines = content.decode(errors='replace').split('\n')
    words = [line.strip() for line in lines if line.strip()]
    if not re.fullmatch(NUMBER, first.strip(), re.ASCII):
        return None
    if not all(re.fullmatch(FEATURE, word) for word in words):
        return None
    return int(first), frozenset(words) or FIRST_FEATURES


def check(content: bytes | None, commit: str) -> frozenset[str]:
    """Return the features of a commit, given its file's bytes, or None for no such file.

    Raises UserError where this Tagrun cannot run the commit.
    """
    contract = parse(content or b'')
    if contract is None:
        raise UserError(
            f'commit {commit[:10]} has no code/{PATH}: it is not code that Tagrun can run'
        )
    number, names = contract
    if number > run_json.CONTRACT:
        raise UserError(
            f'commit {commit[:10]} needs contract {number}, this Tagrun supports '
            f'{run_json.CONTRACT}: update code/tagrun'
        )
    return names


def features(repository: Repository, commit: str) -> frozenset[str]:
    """Return the features of a commit's code. Raises UserError where Tagrun cannot run it."""
    return check(repository.file(commit, f'code/{PATH}'), commit)


def frozen_features(folder: Path) -> frozenset[str]:
    """Return the features of the code in <folder>/code: a run's folder, or the project's.

    There are none where its CONTRACT cannot be read.
    """
    try:
        contract = parse(safe_read.read_bytes(folder / 'code' / PATH))
    except (OSError, ValueError):
        return frozenset()
    return contract[1] if contract else frozenset()
