"""Rows as CSV, or as JSON with a line for each row.

    writer = RowWriter(file, 'csv')
    writer.write({'file': 'a.npy', 'digit': 3})       # the first row's keys are the columns

Numbers of NumPy and torch are written as Python's.
"""

import csv
import json
from collections.abc import Callable
from typing import Any, TextIO

CSV, JSONL = 'csv', 'jsonl'


class RowWriter:
    """Writes rows, dicts with equal keys, to a text file."""

    def __init__(self, file: TextIO, kind: str) -> None:
        self.count = 0
        self._columns: list[str] = []
        self._file = file
        csv_row = csv.writer(file, lineterminator='\n').writerow
        self._write: Callable[[list[Any]], object] = csv_row if kind == CSV else self._write_json

    def write(self, row: Any) -> None:
        """Write a row. Raises TypeError for what is not one, ValueError for other columns."""
        if not isinstance(row, dict):
            raise TypeError(
                f"predict.py yielded a {type(row).__name__}; a row is a dict, e.g. {{'digit': 3}}"
            )
        if list(row) != self._columns:
            self._check_columns(row)
        self._write([_plain(row[name]) for name in self._columns])
        self.count += 1

    def _check_columns(self, row: dict[str, Any]) -> None:
        if not self._columns and row:
            self._columns = list(row)
            if self._write != self._write_json:
                self._write(self._columns)
        elif sorted(map(str, row)) != sorted(map(str, self._columns)):
            raise ValueError(
                f'predict.py yielded a row with the columns {", ".join(map(str, row))}; '
                f'the first row had {", ".join(map(str, self._columns))}'
            )

    def _write_json(self, values: list[Any]) -> None:
        line = dict(zip(self._columns, values, strict=True))
        self._file.write(json.dumps(line, ensure_ascii=False) + '\n')


def _plain(value: Any) -> Any:
    """Return the number of Python's that a value is; a list of an array; all else as it is."""
    if type(value) in (str, int, float, bool, type(None)):
        return value
    return value.tolist() if hasattr(value, 'tolist') else value
