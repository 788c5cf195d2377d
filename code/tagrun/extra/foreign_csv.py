"""CSV files with a header and one line an epoch or a step, for `tagrun import`: Lightning's, Keras', Stable-Baselines', your own.

Columns of numbers are metrics; a text that is the same in all lines is an argument. Commas, semicolons or tabs.
"""
import csv
import hashlib
import io
import os

from tagrun.extra import foreign
from tagrun.store import reading, statistic

KIND = 'CSV'
USUAL = ('metrics', 'history', 'progress', 'log', 'results', 'training')    # such a file is named by its folder


def places(path):
    return {file: file for file in foreign.files(path, lambda name: name.lower().endswith(('.csv', '.tsv')))}


def read(place):
    content = reading.regular(place)
    text = content.decode('utf-8-sig', 'replace')
    head = text.partition('\n')[0]
    delimiter = max(',;\t', key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=''), delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f'not CSV ({error})') from None
    records = [{name.strip(): number for name, cell in row.items() if name and (number := _number(cell, delimiter)) is not None} for row in rows]
    records = [record for record in records if record]
    points, x = foreign.series(records)
    if not points:
        raise ValueError('no column of numbers under a header')
    stem = os.path.splitext(os.path.basename(place))[0]
    folder = os.path.basename(os.path.dirname(os.path.abspath(place)))
    name = folder if stem.lower() in USUAL else stem
    return foreign.Old(KIND, hashlib.sha256(content).hexdigest()[:16], name, stem if name == folder else '', _constants(rows), points, x,
                       statistic.FINISHED, None, None)


def _number(cell, delimiter=','):
    """A float, None of what is none; where semicolons part the cells, 0,5 is one."""
    try:
        return float(cell.replace(',', '.') if delimiter == ';' else cell)
    except (AttributeError, TypeError, ValueError):
        return None


def _constants(rows):
    """{column: its text} of those that have the same in all lines."""
    found = {}
    for name in rows[0] if rows else ():
        cells = {row.get(name) for row in rows}
        if name and len(cells) == 1 and (cell := cells.pop()) and isinstance(cell, str) and _number(cell) is None:
            found[name.strip()[:foreign.LONGEST]] = cell[:foreign.LARGEST]
    return found
