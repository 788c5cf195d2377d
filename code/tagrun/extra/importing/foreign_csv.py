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
from collections.abc import Mapping
from typing import Any

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun
from tagrun.store import limits, safe_read, statistic
from tagrun.store.limits import Budget

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
    records, constants = _parse(content)
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
        hparam=constants,
        points=points,
        x=x,
        status=statistic.FINISHED,
    )


def _parse(content: bytes) -> tuple[list[dict[str, float]], dict[str, str]]:
    """Return the numbers of each line, and the columns that have the same text in all lines.

    Raises ValueError with the reason.
    """
    first_line = content.partition(b'\n')[0]
    delimiter = max((b',', b';', b'\t'), key=first_line.count).decode()
    # not as one text, of which each character may take four bytes
    lines = io.TextIOWrapper(io.BytesIO(content), 'utf-8-sig', 'replace', newline='')
    budget = Budget(values=limits.VALUES)
    records: list[dict[str, float]] = []
    constants: dict[str, str] | None = None
    try:
        for row in csv.DictReader(lines, delimiter=delimiter):
            budget.take(values=len(row) + foreign.OF_RECORD)
            numbers = _numbers(row, delimiter)
            if numbers:
                records.append(numbers)
            constants = _constants(row, constants)
    except csv.Error as error:
        raise ValueError(f'not CSV ({error})') from None
    named = (constants or {}).items()
    return records, {name.strip()[: foreign.MAX_NAME]: text for name, text in named}


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


def _constants(row: Mapping[str, Any], former: Mapping[str, str] | None) -> dict[str, str]:
    """Return {column: its text} of the columns that had the same text in all lines so far."""
    if former is not None:
        return {name: text for name, text in former.items() if row.get(name) == text}
    texts = {name: text for name, text in row.items() if name and isinstance(text, str) and text}
    return {
        name: text[: foreign.MAX_VALUE] for name, text in texts.items() if _number(text) is None
    }
