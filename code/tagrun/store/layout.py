"""Where everything lies, as DESIGN's tree has it. Paths only; nothing here opens a file.

    run_folder(root, 't1', 0)            # <root>/__result__/t1/0
"""
import errno
import os
import re
from pathlib import Path

NUMBER = '0|[1-9][0-9]{0,8}'   # a run's id
SCRATCH = 'scratch'  # the tag's place of runs by hand, which have no tag


def root_of(code):
    """The project's folder, from its code folder."""
    return Path(code).resolve().parent


def result(root):
    return Path(root) / '__result__'


def run_folder(root, tag, number):
    return result(root) / tag / str(number)


def statistic(root):
    return Path(root) / '__statistic__'


def list_file(root, name):
    return statistic(root) / 'exper-list' / f'{name}.txt'


def title_file(root, name):
    return statistic(root) / 'title' / f'{name}.json'


def table_file(root, name):
    return statistic(root) / 'table' / f'{name}.csv'


def tags(root):
    """Names of the tags that have a folder, in no order."""
    return [entry.name for entry in _folders(result(root)) if not entry.name.startswith('.')]


def numbers(root, tag):
    """The ids of a tag's runs, rising: [0, 1, 2]. A tag's folder is no link to another place."""
    place = result(root) / tag
    found = [] if place.is_symlink() else _folders(place)
    return sorted(int(entry.name) for entry in found if re.fullmatch(NUMBER, entry.name))


def claim(root, tag, first=0):
    """Make the folder of the next free id at or after `first`; (id, folder). Whoever makes a folder owns its id."""
    place = result(root) / tag
    place.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, 'a link to another place', str(place))
    number = max([first - 1, *numbers(root, tag)]) + 1
    while True:
        try:
            (place / str(number)).mkdir()
            return number, place / str(number)
        except FileExistsError:
            number += 1


def _folders(place):
    try:
        return [entry for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
