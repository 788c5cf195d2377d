"""confusion.json: the confusion matrices of a run's best epoch.

They are counts: rows are the truth, columns the prediction.

    {"epoch": 31, "matrices": {
      "val/confusion": {"classes": ["0", "1"], "counts": [[40, 1], [3, 36]]}}}

It is there if run_epoch measures one, and replaced at each new best epoch. Matrices of more than
LARGEST classes are left to TensorBoard.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagrun.store import atomic, jsonfile

NAME = 'confusion.json'
LARGEST = 100  # classes
GREATEST = 1e300  # of a count that is shown

Rows = Sequence[Sequence[float]]
Matrix = tuple[list[str], list[list[float]]]  # names of the classes, rows of counts


def write(
    folder: str | Path, epoch: int, matrices: Mapping[str, tuple[Sequence[Any] | None, Rows]]
) -> None:
    """Write {name: (names of the classes, rows of counts)}.

    Only squares of finite numbers of at most LARGEST classes are written.
    """
    lines = []
    for name, (classes, rows) in matrices.items():
        if _is_finite_square(rows):
            labels = None
            if isinstance(classes, (list, tuple)):
                labels = [str(label) for label in classes]
            matrix = {'classes': labels, 'counts': rows}
            lines.append(f'  {json.dumps(name)}: {json.dumps(matrix)}')
    body = ',\n'.join(lines)
    atomic.write(Path(folder) / NAME, f'{{"epoch": {epoch}, "matrices": {{\n{body}}}}}\n')


def read(folder: str | Path) -> tuple[Any, dict[str, Matrix]]:
    """Return (epoch, {name: (names of the classes, rows)}).

    Only squares of finite counts are read. Raises OSError, ValueError.
    """
    content = jsonfile.read(Path(folder) / NAME)
    values = content.get('matrices')
    if not isinstance(values, dict):
        values = {}
    matrices = {}
    for name, value in values.items():
        matrix = _matrix(value)
        if matrix:
            matrices[name] = matrix
    return content.get('epoch'), matrices


def _is_finite_square(rows: Rows) -> bool:
    if len(rows) > LARGEST or any(len(row) != len(rows) for row in rows):
        return False
    return math.isfinite(math.fsum(map(sum, rows)))


def _matrix(value: Any) -> Matrix | None:
    """Return the classes and the rows of a matrix of the file, which anybody may have written."""
    if not isinstance(value, dict):
        return None
    rows, classes = value.get('counts'), value.get('classes')
    if not isinstance(rows, list) or not 0 < len(rows) <= LARGEST:
        return None
    if not all(_is_row(row, len(rows)) for row in rows):
        return None
    if not isinstance(classes, list) or len(classes) != len(rows):
        classes = list(range(len(rows)))
    return [str(label) for label in classes], rows


def _is_row(row: Any, length: int) -> bool:
    if not isinstance(row, list) or len(row) != length:
        return False
    return all(jsonfile.is_number(count) and abs(count) < GREATEST for count in row)
