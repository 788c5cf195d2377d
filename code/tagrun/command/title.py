"""Write the columns of a set's table into a file, to choose from.

It collects every hyperparameter and metric of the set's runs in __statistic__/title/<set>.json. Put
// before a line there to leave its column out of the table. A second `title` adds what is new and
keeps every edit, and lists columns that no run has any more.

Exit codes: 0 done, 1 refused, 2 usage.
"""

import os
from collections.abc import Sequence

from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.project import ROOT
from tagrun.core.tables import sets
from tagrun.store import atomic, beneath, layout, table, title
from tagrun.store.table import Column, Run

GROUP = 'Compare', 5
EXAMPLES = (
    "title               of record.txt, else of finished.txt",
    "title paper         of the set `paper`: exper-list/paper.txt",
    "title paper more    of two sets, each its own file",
    "title --changed     hyperparameters that are the same in all runs become comments",
)
SHOWN = 20  # columns named before '…'
# facts of every run that a new title file has no line for: the table's first column has them, or
# the table adds them by itself
UNTITLED = ('tag', 'id', 'status')


def main(argv: Sequence[str]) -> int:
    args = build_parser().parse_args(argv)
    for word in args.set or [None]:
        _write(word, args.changed)
    return 0


def _write(word: str | None, only_changed: bool) -> None:
    """Write the title file of a set, None for the default one. Raises UserError."""
    name = sets.name(ROOT, word)
    runs = sets.load(ROOT, name)
    path = layout.title_file(ROOT, name)
    try:
        before, text = title.read(ROOT, name)
        after, new = _content(name, runs, text, only_changed)
        if after != text:
            beneath.make_folder(path.parent)
            atomic.write(path, after.encode('utf-8', 'backslashreplace'))
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from None
    except ValueError as error:
        raise UserError(f'{os.path.relpath(path)}: {error}') from None
    _report(before, new, runs)
    count = plural(len(title.parse(after)), 'column')
    echo(f'{quote(os.path.relpath(path))}: {count} of {plural(len(runs), "run")}')


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('title', __doc__, EXAMPLES)
    parser.add_argument(
        'set', nargs='*', help='record (if it is there), finished, or any other lists of runs'
    )
    parser.add_argument(
        '--changed',
        action='store_true',
        help='put the hyperparameters that are the same in all runs into comments',
    )
    return parser


def _content(
    name: str, runs: Sequence[Run], text: str | None, only_changed: bool
) -> tuple[str, list[Column]]:
    """Return (the file's text, the columns that are new in it).

    text: as it is now; None where there is no such file.
    """
    columns = table.columns(runs)
    hidden = _unchanged(columns, runs) if only_changed else []
    if text is not None:
        return title.merge(text, columns, hidden, hidden)
    facts = [Column('run', fact) for fact in table.OF_RUN if fact not in UNTITLED]
    return title.build(name, [*columns, *facts], [*hidden, *facts]), columns


def _unchanged(columns: Sequence[Column], runs: Sequence[Run]) -> list[Column]:
    """Return the hyperparameters that are the same in all runs; none of a single run."""
    if len(runs) < 2:
        return []
    return [
        column for column in columns if column.group == 'hparam' and not table.differs(runs, column)
    ]


def _report(before: Sequence[Column], new: Sequence[Column], runs: Sequence[Run]) -> None:
    """Name the columns that were added, and those of the title file that no run has."""
    if before and new:
        echo(f'new: {_some(new)}')
    of_runs = set(table.columns(runs, table.GROUPS))
    gone = [column for column in before if column not in of_runs]
    if gone:
        echo(f'no run has any more: {_some(gone)}')


def _some(columns: Sequence[Column]) -> str:
    names = ', '.join(column.name for column in columns[:SHOWN])
    return f'{names} and {len(columns) - SHOWN} more' if len(columns) > SHOWN else names
