"""history.csv: one line an epoch: every metric of every phase, the learning rate, seconds.

    epoch,train/loss,train/acc,val/loss,val/acc,lr,seconds
    1,2.0412,0.2161,1.8127,0.31,0.01,0.412
"""
import csv
import io
from pathlib import Path

from tagrun.store import atomic, reading

NAME = 'history.csv'


class Text:
    """The file's text. It is kept, so that one more epoch is one more line, after ten thousand too."""

    def __init__(self):
        self._columns, self._lines = ['seconds'], []

    def of(self, rows):
        """`rows`: dicts of numbers; those of the last call come first, unchanged. Columns are the keys in first-seen order, seconds last; floats keep all digits."""
        seen = [*self._columns[:-1], *(key for row in rows[len(self._lines):] for key in row if key != 'seconds')]
        columns = [*dict.fromkeys(seen), 'seconds']
        if columns != self._columns:
            self._columns, self._lines = columns, []
        self._lines += [_line(row.get(name, '') for name in columns) for row in rows[len(self._lines):]]
        return ''.join([_line(columns), *self._lines])


def _line(values):
    line = io.StringIO()
    csv.writer(line, lineterminator='\n').writerow(values)
    return line.getvalue()


def write(folder, rows, text=None):
    """Replace it by `rows`, in the Text of an earlier call if there is one."""
    atomic.write(Path(folder) / NAME, (text or Text()).of(rows))


def read(folder):
    """The rows as dicts of strings. Raises OSError, ValueError for what is no history."""
    text = reading.regular(Path(folder) / NAME).decode('utf-8', 'replace')
    try:
        return list(csv.DictReader(io.StringIO(text, newline='')))
    except csv.Error as error:
        raise ValueError(f'not CSV ({error})') from None
