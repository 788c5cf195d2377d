"""The table of a set as its file and on the screen: what `table` and the end of a sweep show.

    show(root, Selection(set='paper', group=True))

It writes __statistic__/table/<set>.csv, where every row and digit is; of evaluations
__statistic__/evaluation/<set>.csv. A selection of some rows is printed only.
"""

import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo, plural, put, quote
from tagrun.core.tables import formats, selection, terminal
from tagrun.core.tables.selection import Selection, Table
from tagrun.store import atomic, beneath, layout, table
from tagrun.store.table import Column

ROWS_SHOWN = 1000  # on the screen and in a pipe; the file has all


def show(root: Path, choice: Selection, precision: int = formats.PRECISION) -> None:
    """Write the table of a set and print it. Raises UserError."""
    selected = selection.select(root, choice)
    file = layout.evaluation_table_file if choice.evaluations else layout.table_file
    path = file(root, selected.name)
    has_all_rows = not choice.where and not choice.top
    if has_all_rows:
        write(path, formats.to_csv(selected.columns, selected.rows))
    wanted = [column for column in selected.columns if selection.matches(choice.keep, column)]
    _print(selected, precision, wanted)
    if has_all_rows:
        echo_written(os.path.relpath(path), selected)
    else:
        echo(f'{plural(len(selected.rows), "row")}, in no file: -o FILE writes them')


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole. Raises UserError."""
    try:
        if beneath.top_of(path):
            beneath.make_folder(path.parent)
        atomic.write(path, content)
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror}') from None


def echo_written(path: str, selected: Table) -> None:
    """Report which file was written, and how large its table is."""
    size = f'{plural(len(selected.rows), "row")}, {plural(len(selected.columns), "column")}'
    echo(f'{quote(path)}: {size}')


def _print(selected: Table, precision: int, wanted: Collection[Column]) -> None:
    """Print the table; on a terminal the columns that fit its width."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    columns, rows = selected.columns, selected.rows
    text, left_out = terminal.fitted(columns, rows[:ROWS_SHOWN], precision, width, wanted)
    put(text)
    for note in formats.footnotes(columns, rows):
        echo(note)
    if left_out:
        same = sum(not table.differs(rows, column) for column in left_out)
        of_them = f', {same} of them the same in all rows' if same else ''
        echo(
            f'{plural(len(left_out), "column")} left out to fit{of_them}: '
            '`table | less -S` shows all, --keep and --drop choose'
        )
    if len(rows) > ROWS_SHOWN:
        echo(
            f'the first {ROWS_SHOWN:,} of {len(rows):,} rows; --where and --top choose, '
            '--format prints all'
        )
