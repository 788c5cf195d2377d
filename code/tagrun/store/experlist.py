"""exper-list/<set>.txt: which runs a set has.

finished.txt grows by itself, record.txt by `record`, any other by hand.

    # the paper's second table
    base/0
    wide            # a bare tag, or wide/*: all its runs, those to come too

    read(root, 'record').runs            # [RunRef('base', 0), RunRef('wide', 0), …]

It says which runs a list has and which lines are wrong; it opens no run.
"""

import functools
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tagrun.store import atomic, beneath, layout, names, run_ref, safe_read
from tagrun.store.run_ref import RunRef

# the set that a command takes when none is named: the first of these that has a list
FINISHED = 'finished'  # the set that grows by itself
DEFAULTS = ('record', FINISHED)
LONGEST = 80  # characters of a bad line that are shown

Root = str | Path


class BadLine(NamedTuple):
    """A line that names no run: its number from 1, its text, and why."""

    number: int
    text: str
    reason: str


class RunList(NamedTuple):
    """What a list holds."""

    runs: list[RunRef]  # each once, in the list's order
    bad: list[BadLine]


def sets(root: Root) -> list[str]:
    """Return the names of the sets that have a list, sorted."""
    paths = layout.list_file(root, '_').parent.glob('*.txt')
    return sorted(path.stem for path in paths if not names.check_set(path.stem))


def default(root: Root) -> str | None:
    """Return the set that a command takes when none is named; None where there is no list yet."""
    for name in DEFAULTS:
        if layout.list_file(root, name).is_file():
            return name
    return None


def read(root: Root, name: str) -> RunList:
    """Return the runs and the bad lines of a set.

    Raises OSError (FileNotFoundError where there is no list), ValueError for a file that is not a
    list.
    """
    content = safe_read.read_bytes(layout.list_file(root, name))
    text = content.decode('utf-8', 'replace').removeprefix('\ufeff')
    is_folder = _folder_test(root)
    runs: dict[RunRef, None] = {}
    bad = []
    for number, line in enumerate(text.split('\n'), 1):
        line = line.partition('#')[0].strip()  # a tag cannot have a #
        if line:
            of_line, reason = _runs(root, line, is_folder)
            runs.update(dict.fromkeys(of_line))
            if reason:
                bad.append(BadLine(number, _shortened(line), reason))
    return RunList(list(runs), bad)


def add(root: Root, name: str, runs: Iterable[tuple[str, int]]) -> list[RunRef]:
    """Append those of `runs` that the list does not name yet; return them.

    Makes the list if there is none.
    """
    path = layout.list_file(root, name)
    beneath.make_folder(path.parent)
    known = set(read(root, name).runs) if path.is_file() else set()
    new = [RunRef(*run) for run in dict.fromkeys(runs) if run not in known]
    atomic.append_lines(path, [str(run) for run in new])
    return new


class Growing:
    """A list that one process adds many runs to: it is read once, and each run is a line at once.

    Raises OSError, or ValueError for a file that is not a list.
    """

    def __init__(self, root: Root, name: str) -> None:
        self._path = layout.list_file(root, name)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._known = set(read(root, name).runs) if self._path.is_file() else set()

    def add(self, run: RunRef) -> None:
        """Append a run, unless the list names it."""
        if run not in self._known:
            atomic.append(self._path, str(run))
            self._known.add(run)


def compact(runs: Iterable[tuple[str, int]]) -> str:
    """Return 'mlp/0-2,5 cnn/0' for [('mlp', 0), ('mlp', 1), …]: many runs in few characters."""
    by_tag: dict[str, list[int]] = {}
    for tag, number in runs:
        by_tag.setdefault(tag, []).append(number)
    return ' '.join(f'{tag}/{_ranges(sorted(numbers))}' for tag, numbers in by_tag.items())


def _ranges(numbers: list[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ','.join(f'{first}-{last}' if last > first else str(first) for first, last in ranges)


def _runs(root: Root, line: str, is_folder: Callable[[str], bool]) -> tuple[list[RunRef], str]:
    """Return ([RunRef('t1', 0)], '') of a line, or ([], why not)."""
    parts = run_ref.split(line.removesuffix('/*'))
    if parts is None:
        return [], _why_invalid(line)
    tag, number = parts
    if number is None:
        numbers = layout.numbers(root, tag) if is_folder(tag) else []
        if not numbers:
            return [], f'{tag} has no run here'
        return [RunRef(tag, number) for number in numbers], ''
    run = RunRef(tag, number)
    if is_folder(tag) and is_folder(str(run)):
        return [run], ''
    return [], 'there is no such run here'


def _why_invalid(line: str) -> str:
    tag, _, number = line.partition('/')
    reason = '' if tag == layout.SCRATCH else names.check_tag(tag)
    return reason or f"{number!r} is not a run's number: write <tag>/<id> or <tag>, e.g. t1/0"


def _folder_test(root: Root) -> Callable[[str], bool]:
    """Return a test whether <tag> or <tag>/<id> is a folder itself, not a link to one.

    Each is looked at once.
    """
    result = os.fspath(layout.result(root))

    @functools.cache
    def is_folder(name: str) -> bool:
        try:
            return stat.S_ISDIR(os.lstat(f'{result}/{name}').st_mode)
        except OSError:
            return False

    return is_folder


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST else line[:LONGEST] + ' …'
