"""history.csv: one line an epoch: every metric of every phase, the learning rate, seconds.

    epoch,train/loss,train/acc,val/loss,val/acc,lr,seconds
    1,2.0412,0.2161,1.8127,0.31,0.01,0.412
"""
import csv
import io
from pathlib import Path

from tagrun.store import atomic, reading

NAME = 'history.csv'


def write(folder, rows):
    """Replace it by `rows`, dicts of numbers. Columns are the keys in first-seen order, seconds last; floats keep all digits."""
    columns = list(dict.fromkeys(key for row in rows for key in row if key != 'seconds')) + ['seconds']
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    atomic.write(Path(folder) / NAME, buffer.getvalue())


def read(folder):
    """The rows as dicts of strings. Raises OSError, ValueError for what is no history."""
    text = reading.regular(Path(folder) / NAME).decode('utf-8', 'replace')
    try:
        return list(csv.DictReader(io.StringIO(text, newline='')))
    except csv.Error as error:
        raise ValueError(f'not CSV ({error})') from None
