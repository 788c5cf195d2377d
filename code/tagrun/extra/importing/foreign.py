"""Runs that other tools recorded, in one form, for `tagrun import`.

Each tool has a file foreign_<kind>.py beside this one, with KIND (its name) and

    find_runs(path)      # {label: location} of its runs at or below a path; {} without any
    read_run(location)   # the ForeignRun there. Raises OSError, or ValueError with the reason
    checked(run)         # of valid names and values

How much they may hold stands in store/limits.py.

What these files say is data and never a path: no name in them is opened, and no link among them is
followed.
"""

import ast
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, quote
from tagrun.core.project import CODE
from tagrun.store import jsonfile, limits
from tagrun.store.limits import Budget, Exceeded

REQUIREMENTS = CODE / 'requirements-import.txt'
EPOCH = ('epoch', 'epochs')
STEP = (
    'step',
    'steps',
    '_step',
    'global_step',
    'trainer/global_step',
    'iter',
    'iteration',
    'train/global_step',
)
# columns that are not metrics
CLOCK = ('time', 'timestamp', '_timestamp', '_runtime', 'wall_time', 'date', 'wall time')
NOT_METRICS = {*EPOCH, *STEP, *CLOCK}
MAX_NAME = 300  # characters of a name
MAX_VALUE = 10_000  # characters of an argument's value
MAX_LITERAL = 40  # characters of a text that may be a number
OF_RECORD = 2  # what a record itself takes in memory, in values
MAX_EPOCH = 1e15  # beyond, a float may be no whole number

Points = dict[str, list[tuple[float, float]]]  # {metric: [(x, value), …]}, x rising


class ForeignRun(NamedTuple):
    """A run of another tool."""

    kind: str  # the tool's name
    id: str  # identifies it among the runs of its kind, so that it is imported once
    group: str  # gives its tag: the experiment, the project, the file
    name: str  # its own; '' without one
    hparam: dict[str, Any]  # {argument: number, text, bool or None}
    points: Points
    x: str  # what x counts: 'epoch' or 'step'
    status: str  # as store/statistic.py has it
    started: float | None = None  # Unix time in s; None where it is not known
    seconds: float | None = None  # None where it is not known


def missing_package(name: str) -> UserError:
    """Return the UserError that says which package is missing."""
    return UserError(
        f'this needs the package {name}: {quote(sys.executable)} -m pip install -r '
        f'{quote(REQUIREMENTS)}'
    )


def find_files(path: str | os.PathLike[str], accepts: Callable[[str], bool]) -> list[str]:
    """Return the regular files at or below a path whose names `accepts` accepts, sorted.

    Links are not followed. Raises Exceeded for a folder of too many.
    """
    if os.path.isfile(path):
        return [str(path)] if accepts(os.path.basename(path)) else []
    budget = Budget(**{'files and folders': limits.ENTRIES})
    files: list[str] = []
    folders = [str(path)]
    while folders:
        for entry in _entries(folders.pop()):
            budget.take(**{'files and folders': 1})
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif accepts(entry.name) and entry.is_file(follow_symlinks=False):
                files.append(entry.path)
    return sorted(files)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield what a folder holds; nothing of one that cannot be read."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def checked(run: ForeignRun) -> ForeignRun:
    """Return a run with names that are short texts, and values that are numbers or short texts.

    What another program wrote may be anything: a key may be a number, a name a book. Raises
    ValueError where no metric is left, or more are there than a run has.
    """
    points: Points = {}
    for name, pairs in run.points.items():
        valid = [pair for pair in pairs if all(map(jsonfile.is_number, pair))]
        valid = [(x, float(value)) for x, value in valid if abs(x) < MAX_EPOCH]
        if valid:
            points[_text(name, MAX_NAME)] = valid
    if not points:
        raise ValueError('no metric in it')
    for what, named in (('metrics', points), ('arguments', run.hparam)):
        if len(named) > limits.NAMES:
            raise Exceeded(f'more than {limits.NAMES:,} {what}')
    return run._replace(
        id=_text(run.id, MAX_NAME),
        group=_text(run.group, MAX_NAME),
        name=_text(run.name, MAX_NAME),
        hparam={_text(name, MAX_NAME): _value(value) for name, value in run.hparam.items()},
        points=points,
    )


def _value(value: Any) -> Any:
    """Return a value as statistic.json may hold it: what is long, or of another kind, as text."""
    if value is None or isinstance(value, bool) or jsonfile.is_number(value):
        return value
    if isinstance(value, (list, dict)):
        if jsonfile.depth(value) > limits.DEPTH:
            return 'nested too deep'
        text = repr(value)
        return value if len(text) <= MAX_VALUE else _text(text, MAX_VALUE)
    return _text(value, MAX_VALUE)


def _text(value: Any, longest: int) -> str:
    if isinstance(value, bytes):
        value = value[:longest].decode('utf-8', 'replace')
    elif type(value) is int and not jsonfile.is_number(value):
        return 'a number too large'
    # half of a surrogate pair has no bytes
    return str(value)[:longest].encode('utf-8', 'backslashreplace').decode()


def parse_value(text: str) -> int | float | bool | str | None:
    """Return the number, True, False or None that a text writes; else the text itself."""
    text = text[:MAX_VALUE]
    if len(text) > MAX_LITERAL:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if value is None or isinstance(value, (bool, int, float)) else text


def flatten(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Return {'a.b': 1} of {'a': {'b': 1}}; lists stay as they are. Raises Exceeded."""
    flat: dict[str, Any] = {}
    waiting = [('', nested, 0)]
    while waiting:
        prefix, items, depth = waiting.pop(0)
        for name, item in items.items():
            name = f'{prefix}{name}'[:MAX_NAME]
            if not isinstance(item, dict) or not item:
                flat[name] = item
            elif depth < limits.DEPTH:
                waiting.append((f'{name}.', item, depth + 1))
            else:
                raise Exceeded(f'nested deeper than {limits.DEPTH}')
    return flat


def to_points(records: Sequence[Mapping[str, float]]) -> tuple[Points, str]:
    """Return the points of records in the order of their writing, and 'epoch' or 'step'.

    x is the epoch where each record has a whole one, and no metric has two values of an epoch. Else
    it is the step. Where neither is recorded, a record is an epoch.
    """
    for columns, x in ((EPOCH, 'epoch'), (STEP, 'step')):
        positions = [_position(record, columns) for record in records]
        known = [position for position in positions if position is not None]
        if len(known) < len(records) or not all(abs(position) < MAX_EPOCH for position in known):
            continue
        points = _points(records, known)
        if x == 'step' or _is_by_epoch(points, known):
            return points, x
    return _points(records, range(1, len(records) + 1)), 'epoch'


def _position(record: Mapping[str, float], columns: Sequence[str]) -> float | None:
    for name, number in record.items():
        if name.lower() in columns:
            return number
    return None


def _points(records: Iterable[Mapping[str, float]], positions: Iterable[float]) -> Points:
    points: Points = {}
    for position, record in zip(positions, records, strict=True):
        for name, number in record.items():
            if name.lower() not in NOT_METRICS:
                points.setdefault(name[:MAX_NAME], []).append((position, number))
    return points


def _is_by_epoch(points: Points, positions: Iterable[float]) -> bool:
    if not all(position == int(position) for position in positions):
        return False
    return not any(map(_has_twice, points.values()))


def _has_twice(pairs: Sequence[tuple[float, float]]) -> bool:
    return len({x for x, _ in pairs}) < len(pairs)
