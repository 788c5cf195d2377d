"""A table on the terminal, by tabulate: columns that do not fit its width are left out, the least
telling first.

    text, left_out = terminal.fitted(columns, rows, precision=4, width=80)

In a pipe or a file every column is there. A line is never wrapped and a number is never cut.
"""

from collections.abc import Collection, Mapping, Sequence

from tagrun.core.cli.messages import shortened
from tagrun.core.tables import formats
from tagrun.core.tables.rows import Row, runs_of
from tagrun.store import limits, table
from tagrun.store.table import Column

LONGEST = 32  # characters of a cell or name on a terminal
GAP, PADDING = 2, 2  # characters that tabulate puts between two columns, and beside a name


def fitted(
    columns: Sequence[Column],
    rows: Sequence[Row],
    precision: int,
    width: int | None = None,
    wanted: Collection[Column] = (),
) -> tuple[str, list[Column]]:
    """Return (the table's text, the columns left out).

    width: characters of a line; None takes all columns. wanted: columns preferred to all others.
    """
    names = {
        column: _short(formats.shown(header), width)
        for column, header in zip(columns, formats.headers(columns), strict=True)
    }
    cells = {column: _cells(column, rows, precision, width) for column in columns}
    first = [_short(formats.shown(row.name), None) for row in rows]
    shown = list(columns)
    if width:
        sizes = {column: GAP + _width(names[column], cells[column]) for column in columns}
        room = width - _width(table.NAME, first)
        shown = _fitting(columns, rows, sizes, room, wanted)
    from tabulate import tabulate

    text = tabulate(
        list(zip(first, *(cells[column] for column in shown), strict=True)),
        [table.NAME, *(names[column] for column in shown)],
        tablefmt='simple',
        disable_numparse=True,
        colalign=['left', *formats.alignment(shown, rows)],
    )
    return text, [column for column in columns if column not in shown]


def _cells(column: Column, rows: Sequence[Row], precision: int, width: int | None) -> list[str]:
    return [_short(formats.shown(row.get(column), column, precision), width) for row in rows]


def _width(head: str, cells: Sequence[str]) -> int:
    return max(len(head) + PADDING, *map(len, cells))


def _short(text: str, width: int | None) -> str:
    return shortened(text, LONGEST if width else limits.CELL)


def _fitting(
    columns: Sequence[Column],
    rows: Sequence[Row],
    sizes: Mapping[Column, int],
    room: int,
    wanted: Collection[Column],
) -> list[Column]:
    """Return the columns that fit into `room` characters; the most telling have precedence."""
    monitored = table.monitored(runs_of(rows)) or ''
    order = {}
    for index, column in enumerate(columns):
        # of equal metrics the last comes first: the test's come after the training's
        tie = -index if column.group == 'metric' else index
        order[column] = (_rank(column, rows, monitored, wanted), tie)
    fitting = set()
    for column in sorted(columns, key=lambda column: order[column]):
        if sizes[column] <= room:
            fitting.add(column)
            room -= sizes[column]
    return [column for column in columns if column in fitting]


def _rank(column: Column, rows: Sequence[Row], monitored: str, wanted: Collection[Column]) -> int:
    """Return 0 for what a reader looks for first, 6 for a column that is the same in all rows."""
    if column in wanted:
        return 0
    if column.name == monitored:
        return 1
    if column.group == 'run':
        return 2
    if not table.differs(rows, column):
        return 6
    if column.group == 'hparam':
        return 3
    return 4 if column.name.startswith(monitored.rpartition('/')[0] + '/') else 5
