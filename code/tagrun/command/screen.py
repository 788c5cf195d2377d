"""A table on the terminal, by tabulate: what does not fit its width is left out, the least telling columns first.

    text, left_out = screen.fitted(columns, rows, width=80)

Where stdout is no terminal, every column is there. It never wraps and never cuts a number.
"""
from tagrun.command import formats
from tagrun.store import table

LONGEST = 32        # letters of a cell or name on a terminal
GAP, PADDING = 2, 2     # letters that tabulate puts between two columns, and beside a name


def fitted(columns, rows, precision, width=None, wanted=()):
    """(the table's text, the columns left out). width: letters of the terminal; None takes all. wanted: columns to prefer to all others."""
    names = [_short(formats.shown(name), width) for name in formats.headers(columns)]
    cells = {column: [_short(formats.shown(row.get(column), column, precision), width) for row in rows] for column in columns}
    first = [formats.shown(row.name) for row in rows]
    kept = columns
    if width:
        size = {column: GAP + max(len(name) + PADDING, *map(len, cells[column])) for name, column in zip(names, columns)}
        room = width - max(len(table.NAME) + PADDING, *map(len, first))
        kept = _kept(columns, rows, size, room, wanted)
    from tabulate import tabulate
    text = tabulate(list(zip(first, *(cells[column] for column in kept))), [table.NAME, *(name for name, column in zip(names, columns) if column in kept)],
                    tablefmt='simple', disable_numparse=True, colalign=['left', *formats.alignment(kept, rows)])
    return text, [column for column in columns if column not in kept]


def _kept(columns, rows, size, room, wanted):
    """The columns that fit into `room` letters, in their order: the most telling first."""
    watched = table.watched([run for row in rows for run in row.runs]) or ''
    order = {column: _rank(column, rows, watched, wanted) for column in columns}
    telling = sorted(enumerate(columns), key=lambda pair: (order[pair[1]], -pair[0] if pair[1].group == 'metric' else pair[0]))
    kept = set()
    for _, column in telling:       # of equal metrics the last: the test's come after the training's
        if size[column] <= room:
            kept.add(column)
            room -= size[column]
    return [column for column in columns if column in kept]


def _rank(column, rows, watched, wanted):
    """0 for what a reader looks for first, 6 for what is the same in all rows."""
    if column in wanted:
        return 0
    if column.name == watched:
        return 1
    if column.group == 'run':
        return 2
    if not table.differs(rows, column):
        return 6
    if column.group == 'hparam':
        return 3
    return 4 if column.name.startswith(watched.rpartition('/')[0] + '/') else 5


def _short(text, width):
    return text if not width or len(text) <= LONGEST else text[:LONGEST - 1] + '…'
