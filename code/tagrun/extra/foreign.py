"""Runs that other tools recorded, in one form, for `tagrun import`. Each kind is a file foreign_<kind>.py beside this one:

    places(path)         # {a text that names it: where a run of its kind lies}, {} where none does
    read(place)          # the Old run there. Raises OSError, or ValueError with the reason

What they say is data and never a path: no name in them is opened, and no link among them is followed.
"""
import ast
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

from tagrun.command.say import Refusal, quote

REQUIREMENTS = Path(__file__).resolve().parents[2] / 'requirements-import.txt'
EPOCH = ('epoch', 'epochs')
STEP = ('step', 'steps', '_step', 'global_step', 'trainer/global_step', 'iter', 'iteration', 'train/global_step')
CLOCK = ('time', 'timestamp', '_timestamp', '_runtime', 'wall_time', 'date', 'wall time')     # no metrics
LONGEST = 300           # letters of a name
LARGEST = 10_000        # letters of an argument's value


class Old(NamedTuple):
    """A run of another tool."""
    kind: str           # the tool's name
    id: str             # what tells it from the others of its kind, to import it once
    group: str          # what its tag is made of: the experiment, the project, the file
    name: str           # its own, '' for none
    hparam: dict        # {argument: number, text, bool or None}
    points: dict        # {metric: [(x, value), …]}, x rising
    x: str              # what they are counted in: 'epoch' or 'step'
    status: str         # as store/statistic.py has it
    started: float      # Unix time in s; None where it is not known
    seconds: float      # None where it is not known


def absent(package):
    """The Refusal that says which package is missing."""
    return Refusal(f'this needs the package {package}: {quote(sys.executable)} -m pip install -r {quote(REQUIREMENTS)}')


def files(path, ends):
    """Regular files at or below a path whose names `ends(name)` accepts, sorted; links are not followed."""
    if os.path.isfile(path):
        return [str(path)] if ends(os.path.basename(path)) else []
    found = (os.path.join(place, name) for place, _, names in os.walk(path) for name in names if ends(name))
    return sorted(file for file in found if stat.S_ISREG(os.lstat(file).st_mode))


def value(text):
    """A number, True, False or None that a text writes; else the text itself."""
    text = text[:LARGEST]
    try:
        found = ast.literal_eval(text) if len(text) <= 40 else text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return found if found is None or isinstance(found, (bool, int, float)) else text


def flat(found, prefix=''):
    """{'a.b': 1} of {'a': {'b': 1}}; lists stay as they are."""
    plain = {}
    for name, item in found.items():
        if isinstance(item, dict) and item:
            plain.update(flat(item, f'{prefix}{name}.'))
        else:
            plain[f'{prefix}{name}'[:LONGEST]] = item
    return plain


def series(records):
    """(points, 'epoch' or 'step') of dicts of numbers, in the order in which they were written.

    Epochs where each record says a whole one, and none has two values of a metric; else steps; where nothing is said, a record is an epoch.
    """
    for names, x in ((EPOCH, 'epoch'), (STEP, 'step')):
        places = [next((number for name, number in record.items() if name.lower() in names), None) for record in records]
        points = _points(records, places)
        if None not in places and all(place == place and abs(place) < 1e15 for place in places) and (x == 'step' or _is_by_epoch(points, places)):
            return points, x
    return _points(records, range(1, len(records) + 1)), 'epoch'


def _points(records, places):
    points = {}
    for place, record in zip(places, records):
        for name, number in record.items():
            if name.lower() not in (*EPOCH, *STEP, *CLOCK):
                points.setdefault(name[:LONGEST], []).append((place, number))
    return points


def _is_by_epoch(points, places):
    return all(place == int(place) for place in places) and all(len({x for x, _ in pairs}) == len(pairs) for pairs in points.values())
