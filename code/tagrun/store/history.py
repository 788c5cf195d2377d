"""history.csv: one line an epoch: every metric of every phase, the learning rate, seconds.

epoch,train/loss,train/acc,val/loss,val/acc,lr,seconds
1,2.0412,0.2161,1.8127,0.31,0.01,0.412
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tagrun.store import atomic, limits, safe_read
from tagrun.store.limits import Budget

NAME = 'history.csv'

ROW = 2  # what a row itself takes in memory, in cells
Row = Mapping[str, Any]  # an epoch's numbers by their column


class Text:
    """The file's text, kept so that one more epoch is one more line, after ten thousand too."""

    def __init__(self) -> None:
        self._columns: list[str] = ['seconds']
        self._lines: list[str] = []

    def of(self, rows: Sequence[Row]) -> str:
        """Return the text of the rows; those of the last call come first, unchanged.

        Columns are the keys in first-seen order, seconds last; floats keep all digits.
        """
        columns = dict.fromkeys(self._columns[:-1])
        for row in rows[len(self._lines) :]:
            columns.update(dict.fromkeys(row))
        columns.pop('seconds', None)
        names = [*columns, 'seconds']
        if names != self._columns:
            self._columns, self._lines = names, []
        for row in rows[len(self._lines) :]:
            self._lines.append(_line(row.get(name, '') for name in names))
        return ''.join([_line(names), *self._lines])


def write(folder: str | Path, rows: Sequence[Row], text: Text | None = None) -> None:
    """Replace the file by the rows. text: that of the call before, for rows that grow."""
    atomic.write(Path(folder) / NAME, (text or Text()).of(rows))


def read(folder: str | Path) -> list[dict[str, str]]:
    """Return the rows as dicts of strings. Raises OSError, ValueError for what is not CSV."""
    content = safe_read.read_bytes(Path(folder) / NAME)
    # not as one text, of which each character may take four bytes
    lines = io.TextIOWrapper(io.BytesIO(content), 'utf-8', 'replace', newline='')
    budget = Budget(cells=limits.CELLS)
    rows = []
    try:
        for row in csv.DictReader(lines):
            budget.take(cells=len(row) + ROW)
            rows.append(row)
        return rows
    except csv.Error as error:
        raise ValueError(f'not CSV ({error})') from None


def _line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator='\n').writerow(values)
    return line.getvalue()
