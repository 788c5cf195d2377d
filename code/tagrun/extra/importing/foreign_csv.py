"""CSV files with a header and one line an epoch or a step, for `tagrun import`: Lightning's,
Keras', Stable-Baselines', your own.

    find_runs('logs')                    # {'logs/metrics.csv': 'logs/metrics.csv'}

Columns of numbers are metrics; a text that is the same in all lines is an argument. Commas,
semicolons or tabs part the cells.
"""

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun
from tagrun.store import safe_read, statistic

KIND = 'CSV'
ENDINGS = ('.csv', '.tsv')
# a file of such a name is called as its folder
USUAL = ('metrics', 'history', 'progress', 'log', 'results', 'training')


def find_runs(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return {file: file} of the CSV files at or below a path."""
    files = foreign.find_files(path, lambda name: name.lower().endswith(ENDINGS))
    return {file: file for file in files}


def read_run(path: str) -> ForeignRun:
    """Return the run of a CSV file. Raises OSError, or ValueError with the reason."""
    content = safe_read.read_bytes(path)
    rows, delimiter = _parse(content)
    records = [record for row in rows if (record := _numbers(row, delimiter))]
    points, x = foreign.to_points(records)
    if not points:
        raise ValueError('no column of numbers under a header')
    stem = os.path.splitext(os.path.basename(path))[0]
    is_usual = stem.lower() in USUAL
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    group = folder if is_usual else stem
    name = stem if group == folder else ''
    return ForeignRun(
        kind=KIND,
        id=hashlib.sha256(content).hexdigest()[:16],
        group=group,
        name=name,
        hparam=_constants(rows),
        points=points,
        x=x,
        status=statistic.FINISHED,
    )


def _parse(content: bytes) -> tuple[list[dict[str, str]], str]:
    """Return the rows, and what parts their cells."""
    text = content.decode('utf-8-sig', 'replace')
    delimiter = max(',;\t', key=text.partition('\n')[0].count)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=''), delimiter=delimiter)), delimiter
    except csv.Error as error:
        raise ValueError(f'not CSV ({error})') from None


def _numbers(row: Mapping[str, str], delimiter: str) -> dict[str, float]:
    numbers = {}
    for name, cell in row.items():
        number = _number(cell, delimiter)
        if name and number is not None:
            numbers[name.strip()] = number
    return numbers


def _number(cell: object, delimiter: str = ',') -> float | None:
    """Return a cell's number, or None; where semicolons part the cells, 0,5 is a number."""
    if not isinstance(cell, str):
        return None
    if delimiter == ';':
        cell = cell.replace(',', '.')
    try:
        return float(cell)
    except ValueError:
        return None


def _constants(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return {column: its text} of the columns that have the same text in all lines."""
    constants: dict[str, str] = {}
    for name in rows[0] if rows else ():
        cells = [row.get(name) for row in rows]
        text = cells[0]
        if not name or not isinstance(text, str) or not text or _number(text) is not None:
            continue
        if all(cell == text for cell in cells):
            constants[name.strip()[: foreign.MAX_NAME]] = text[: foreign.MAX_VALUE]
    return constants
