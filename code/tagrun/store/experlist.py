"""exper-list/<set>.txt: which runs a set has. finished.txt grows by itself, record.txt by `record`, any other by hand.

    # the paper's second table            read(root, 'record').runs    # [('base', 0), ('wide', 0), ('wide', 1), …]
    base/0
    wide            # a bare tag, or wide/*: all its runs, those to come too

It says what is in a list and what cannot be; it opens no run.
"""
import functools
import os
import stat
from typing import NamedTuple

from tagrun.store import atomic, layout, names, reading

DEFAULTS = ('record', 'finished')   # the set a verb takes when none is named: the first of these that is there
LONGEST = 80                        # letters of a bad line that are shown


class Bad(NamedTuple):
    """A line that names no run: its number from 1, its text, and why."""
    number: int
    text: str
    reason: str


class List(NamedTuple):
    runs: list      # [('t1', 0), …], each once, in the list's order
    bad: list       # [Bad, …]


def sets(root):
    """Names of the sets that have a list, sorted."""
    return sorted(path.stem for path in layout.list_file(root, '_').parent.glob('*.txt') if not names.check_set(path.stem))


def default(root):
    """The set a verb takes when none is named; None where there is no list yet."""
    return next((name for name in DEFAULTS if layout.list_file(root, name).is_file()), None)


def read(root, name):
    """The List of a set, its bad lines told and the others counted. Raises OSError, FileNotFoundError for one, ValueError for what is no list."""
    text = reading.regular(layout.list_file(root, name)).decode('utf-8', 'replace').removeprefix('\ufeff')
    place = os.fspath(layout.result(root))
    is_folder = functools.cache(_is_folder)     # of a tag, once for all its runs
    runs, bad = {}, []
    for number, line in enumerate(text.split('\n'), 1):
        line = line.partition('#')[0].strip()   # no tag has a #
        if line:
            found, reason = _runs(root, line, lambda *parts: is_folder('/'.join((place, *parts))))
            runs.update(dict.fromkeys(found))
            if reason:
                bad.append(Bad(number, line if len(line) <= LONGEST else line[:LONGEST] + ' …', reason))
    return List(list(runs), bad)


def add(root, name, runs):
    """Append those of `runs` that the list does not name yet; returns them. Makes the list if there is none."""
    path = layout.list_file(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    there = set(read(root, name).runs) if path.is_file() else set()
    new = [run for run in dict.fromkeys(runs) if run not in there]
    atomic.append_lines(path, [f'{tag}/{number}' for tag, number in new])
    return new


def compact(runs):
    """'mlp/0-2,5 cnn/0' of [('mlp', 0), ('mlp', 1), …]: many runs in few letters."""
    by_tag = {}
    for tag, number in runs:
        by_tag.setdefault(tag, []).append(number)
    return ' '.join(f'{tag}/{_ranges(sorted(numbers))}' for tag, numbers in by_tag.items())


def _ranges(numbers):
    parts = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ','.join(f'{first}-{last}' if last > first else str(first) for first, last in parts)


def _runs(root, line, is_folder):
    """([('t1', 0)], '') of a line, or ([], why not). is_folder: of parts of a path below __result__."""
    found = names.split_run(line.removesuffix('/*'))
    if found is None:
        tag, _, number = line.partition('/')
        why = '' if tag == layout.SCRATCH else names.check_tag(tag)
        return [], why or f'{number!r} is no run\'s number: <tag>/<id> or <tag> is meant, t1/0 for one'
    tag, number = found
    if number is None:
        runs = [(tag, number) for number in layout.numbers(root, tag)] if is_folder(tag) else []
        return runs, '' if runs else f'there is no run of {tag} here'
    here = is_folder(tag) and is_folder(tag, str(number))
    return ([found], '') if here else ([], 'there is no such run here')


def _is_folder(path):
    """A folder itself, not a link to one that lies elsewhere."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
