"""Which rows and columns a table has: of a set's runs those that the options of `table` choose.

    add_options(parser); selection = read_options(parser.parse_args(argv))
    table = select(root, selection)          # table.name, table.columns, table.rows

It reads the runs' statistic.json; it prints and writes nothing but remarks on stderr.
"""

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import UserError, did_you_mean, echo, plural
from tagrun.core.tables import evaluation_rows, formats, row_filter, sets
from tagrun.core.tables.rows import Row
from tagrun.store import experlist, layout, statistic, table, title
from tagrun.store.run_ref import RunRef
from tagrun.store.table import MISSING, Column, Mean, Run

STATUS = Column('run', 'status')
SHOWN = 5  # columns named before 'and … more'


class Selection(NamedTuple):
    """What the options of `add_options` say."""

    set: str | None = None  # None: record, else finished
    sort_by: str | None = None  # a column, or the end of its name
    sort_order: str | None = None  # 'asc' or 'desc'; None: the best first
    where: str | None = None  # a condition of row_filter.py
    group: bool = False  # one row for runs that differ in the seed alone
    over: str | None = None  # … or in these arguments: 'fold' or 'fold,lr'
    top: int | None = None  # so many rows
    keep: re.Pattern[str] | None = None  # names of columns that are never left out
    drop: re.Pattern[str] | None = None  # names of columns that are left out
    only_changed: bool = False  # leave out columns that are the same in all rows
    evaluations: bool = False  # a row for each evaluation of the set's runs, and not for each run

    def words(self) -> list[str]:
        """Return the words of the command line that ask for it: `table <words>`."""
        words = [self.set] if self.set else []
        for name, value in zip(self._fields[1:], self[1:], strict=True):
            option = '--' + name.replace('_', '-')
            if isinstance(value, re.Pattern):
                words += [option, value.pattern]
            elif value is True:
                words.append(option)
            elif value:
                words += [option, str(value)]
        return words


class Table(NamedTuple):
    """What was selected."""

    name: str  # of the set
    columns: list[Column]
    rows: list[Row]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the set, and the options that choose its rows and columns."""
    parser.add_argument(
        'set', nargs='*', help='record (if it is there), finished, or any other lists of runs'
    )
    parser.add_argument(
        '--sort-by',
        metavar='COL',
        help='a column, or the end of its name; the best first where it is a metric',
    )
    parser.add_argument('--sort-order', choices=('asc', 'desc'), help='rising or falling, instead')
    parser.add_argument(
        '--where',
        metavar='CONDITION',
        help="only runs of which it is true: \"acc > 0.9 and model == 'cnn'\"",
    )
    parser.add_argument(
        '--group', action='store_true', help='one row for runs that differ in nothing but the seed'
    )
    parser.add_argument(
        '--over',
        metavar='NAMES',
        help='with --group: … nothing but the seed and these arguments, e.g. fold',
    )
    parser.add_argument(
        '--top',
        metavar='N',
        type=_count,
        help='the first N rows; without --sort-by the best of the monitored metric',
    )
    parser.add_argument(
        '--keep',
        metavar='REGEX',
        type=_pattern,
        help='have these columns, whatever else leaves them out; seed, commit, seconds, … too',
    )
    parser.add_argument('--drop', metavar='REGEX', type=_pattern, help='leave these columns out')
    parser.add_argument(
        '--only-changed',
        action='store_true',
        help='leave out columns that are the same in all rows',
    )
    parser.add_argument(
        '--evaluations',
        action='store_true',
        help='one row for each finished evaluation of these runs (tagrun evaluate)',
    )


def read_options(args: argparse.Namespace) -> list[Selection]:
    """Return the values of the options of `add_options`, for each set. Raises UserError."""
    if args.over and not args.group:
        raise UserError(f'--over needs --group: --group --over {args.over}', code=2)
    if args.evaluations and args.group:
        raise UserError('--evaluations has a row for each: leave out --group', code=2)
    values = {name: getattr(args, name) for name in Selection._fields}
    return [Selection(**{**values, 'set': name}) for name in args.set or [None]]


def select(root: Path, selection: Selection, more: Iterable[RunRef] = ()) -> Table:
    """Return the table that a selection asks for. Raises UserError where no run is left.

    more: runs besides those of the set.
    """
    name, runs = _load(root, selection.set, list(more))
    if selection.evaluations:
        runs = evaluation_rows.load(root, name, [run.ref for run in runs])
        titled = evaluation_rows.columns(runs)
    else:
        titled = _titled(root, name)
        _report_unknown(layout.title_file(root, name), titled, runs)
    columns = _columns(titled, runs, selection)
    if selection.where:
        runs = _filtered(runs, selection.where)
    rows = _rows(root, runs, selection)
    if selection.only_changed and len(rows) > 1:
        columns = [
            column
            for column in columns
            if matches(selection.keep, column) or table.differs(rows, column)
        ]
    if not selection.group and any(run.get(STATUS) != statistic.FINISHED for run in runs):
        columns = [STATUS, *(column for column in columns if column != STATUS)]
    for run in runs:
        if run.name.startswith(f'{layout.SCRATCH}/'):
            echo(f'{run.name} is a run by hand: no commit has its code')
    return Table(name, columns, _ordered(rows, runs, selection))


def matches(pattern: re.Pattern[str] | None, column: Column) -> bool:
    """Return whether a column's name matches; nothing matches None."""
    return pattern is not None and pattern.search(column.name) is not None


def _count(text: str) -> int:
    if not re.fullmatch('[1-9][0-9]{0,8}', text):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number of rows; e.g. --top 10')
    return int(text)


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UserError(
            f"{text!r} is not a valid regular expression: {error}; e.g. 'val/.*'", code=2
        ) from None


def _load(root: Path, word: str | None, more: Sequence[RunRef]) -> tuple[str, list[Run]]:
    """Return (the set's name, its runs and those of `more`, each once), without secrets."""
    if not more:
        name = sets.name(root, word)
        return name, sets.load(root, name)
    name = sets.name(root, word) if word else experlist.default(root) or 'finished'
    runs = sets.load(root, name) if layout.list_file(root, name).is_file() else []
    names = {run.name for run in runs}
    loaded, _ = table.load(root, [run for run in more if str(run) not in names])
    return name, [*runs, *sets.without_secrets(loaded)]


def _columns(titled: Sequence[Column], runs: Sequence[Run], selection: Selection) -> list[Column]:
    """Return the columns of the title file, or all; without --drop; with those of --keep."""
    titled = titled or table.columns(runs)
    columns = [column for column in titled if not matches(selection.drop, column)]
    if not selection.keep:
        return columns
    known = dict.fromkeys([*titled, *table.columns(runs, table.GROUPS)])
    return [column for column in known if column in columns or matches(selection.keep, column)]


def _report_unknown(path: Path, titled: Sequence[Column], runs: Sequence[Run]) -> None:
    """Name the columns of the title file that no run has."""
    known = set(table.columns(runs, table.GROUPS))
    unknown = [column.name for column in titled if column not in known]
    if unknown:
        more = f' and {len(unknown) - SHOWN} more' if len(unknown) > SHOWN else ''
        echo(f'{os.path.relpath(path)}: no run has {", ".join(unknown[:SHOWN])}{more}')


def _titled(root: Path, name: str) -> list[Column]:
    path = layout.title_file(root, name)
    try:
        return title.read(root, name)[0]
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from None
    except ValueError as error:
        raise UserError(f'{os.path.relpath(path)}: {error}') from None


def _filtered(runs: Sequence[Run], where: str) -> list[Run]:
    holds = row_filter.condition(where, runs)
    remaining = [run for run in runs if holds(run)]
    if not remaining:
        raise UserError(f'of {plural(len(runs), "run")} none has {where}')
    return remaining


def _rows(root: Path, runs: list[Run], selection: Selection) -> list[Row]:
    if not selection.group:
        return list(runs)
    # imported here: a table of single runs does not load GitPython
    from tagrun.core.git.repository import Repository
    from tagrun.core.tables import seed_groups

    over = _over(selection.over, runs)
    return list(seed_groups.rows(Repository.at(root), runs, over))


def _over(text: str | None, runs: Sequence[Run]) -> list[str]:
    """Return the arguments of --over. Raises UserError for one that no run has."""
    names = [name.strip() for name in text.split(',')] if text else []
    known = [column.name for column in table.columns(runs, ('hparam',))]
    for name in names:
        if name not in known:
            raise UserError(f'no run has an argument {name!r}.{did_you_mean(name, known)}')
    return names


def _ordered(rows: list[Row], runs: Sequence[Run], selection: Selection) -> list[Row]:
    """Return the rows, sorted if that was asked for, and cut. Rows without the value come last."""
    by = selection.sort_by
    if not by and selection.top:
        by = table.monitored(runs)
    if by:
        column = row_filter.column(by, runs)
        order = selection.sort_order
        falling = order == 'desc' if order else table.direction(runs, column) == 'max'
        keyed = [(_sort_key(row.get(column)), row) for row in rows]
        with_value = [pair for pair in keyed if pair[0]]
        without = [row for key, row in keyed if not key]
        with_value.sort(key=lambda pair: pair[0], reverse=falling)
        rows = [*(row for _, row in with_value), *without]
    return rows[: selection.top]


def _sort_key(value: object) -> tuple[int, float | str] | tuple[()]:
    """Return what a cell is sorted by: numbers before words; () where there is nothing."""
    number = formats.as_number(value)
    if number is not None:
        return 0, number
    # a float that is not a number is NaN
    if value is MISSING or isinstance(value, (float, Mean)):
        return ()
    return 1, table.text(value)
