"""Where everything lies, as DESIGN's tree has it. Paths only; nothing here opens a file.

run_folder(root, 't1', 0)            # <root>/__result__/t1/0
"""

import os
import re
from pathlib import Path

from tagrun.store import beneath

NUMBER = '0|[1-9][0-9]{0,8}'  # a run's id
SCRATCH = 'scratch'  # the folder of runs by hand, which have no tag


def root_of(code: str | Path) -> Path:
    """Return the project's folder, from its code folder."""
    return Path(code).resolve().parent


def result(root: str | Path) -> Path:
    """Return the folder of all runs."""
    return Path(root) / '__result__'


def run_folder(root: str | Path, tag: str, number: int | str) -> Path:
    """Return the folder of a run."""
    return result(root) / tag / str(number)


def failed(root: str | Path) -> Path:
    """Return the folder of runs that failed before their first training step."""
    return result(root) / '.failed'


def statistic(root: str | Path) -> Path:
    """Return the folder of lists, titles and tables."""
    return Path(root) / '__statistic__'


def list_file(root: str | Path, name: str) -> Path:
    """Return the file that lists the runs of a set."""
    return statistic(root) / 'exper-list' / f'{name}.txt'


def title_file(root: str | Path, name: str) -> Path:
    """Return the file with the columns of a set's table."""
    return statistic(root) / 'title' / f'{name}.json'


def table_file(root: str | Path, name: str) -> Path:
    """Return the file of a set's table."""
    return statistic(root) / 'table' / f'{name}.csv'


def evaluation_table_file(root: str | Path, name: str) -> Path:
    """Return the file of the table of a set's evaluations."""
    return statistic(root) / 'evaluation' / f'{name}.csv'


def tags(root: str | Path) -> list[str]:
    """Return the names of the tags that have a folder, in no order."""
    return [name for name in _folders(result(root)) if not name.startswith('.')]


def is_number(name: str) -> bool:
    """Return whether a folder's name is a number that `claim_in` gives."""
    return re.fullmatch(NUMBER, name) is not None


def numbers(root: str | Path, tag: str) -> list[int]:
    """Return the ids of a tag's runs, rising; none where the tag's folder is a link."""
    return numbers_in(result(root) / tag)


def numbers_in(folder: Path) -> list[int]:
    """Return the numbers of a folder's folders, rising; none where it is a link, or not there."""
    if folder.is_symlink():
        return []
    return sorted(int(name) for name in _folders(folder) if is_number(name))


def claim(root: str | Path, tag: str, first: int = 0) -> tuple[int, Path]:
    """Make the folder of the next free id at or after `first`; return (id, folder).

    Whoever makes a folder owns its id.
    """
    return claim_in(result(root) / tag, first)


def claim_in(folder: Path, first: int = 0) -> tuple[int, Path]:
    """Make the next free number's folder in a folder; return (number, its folder).

    Raises OSError where a link would be followed.
    """
    beneath.make_folder(folder)
    number = max([first - 1, *numbers_in(folder)]) + 1
    while True:
        try:
            (folder / str(number)).mkdir()
            return number, folder / str(number)
        except FileExistsError:
            number += 1


def _folders(parent: Path) -> list[str]:
    """Return the names of the folders in a folder, links left out."""
    try:
        return [entry.name for entry in os.scandir(parent) if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
