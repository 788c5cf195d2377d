"""confusion.json: the confusion matrices of a run's best epoch; counts, rows the truth, columns the prediction.

    {"epoch": 31, "matrices": {
      "val/confusion": {"classes": ["0", "1"], "counts": [[40, 1], [3, 36]]}}}

It is there if run_epoch measures one, and replaced at each new best epoch. Matrices of more than LARGEST classes are left to TensorBoard.
"""
import json
import math
from pathlib import Path

from tagrun.store import atomic, jsonfile

NAME = 'confusion.json'
LARGEST = 100


def write(folder, epoch, matrices):
    """`matrices`: {name: (names of the classes, a list; rows of counts)}. What is no square of finite numbers is left out."""
    kept = {name: {'classes': [str(label) for label in classes] if isinstance(classes, (list, tuple)) else None, 'counts': rows}
            for name, (classes, rows) in matrices.items()
            if len(rows) <= LARGEST and all(len(row) == len(rows) for row in rows) and math.isfinite(math.fsum(map(sum, rows)))}
    lines = ',\n'.join(f'  {json.dumps(name)}: {json.dumps(matrix)}' for name, matrix in kept.items())
    atomic.write(Path(folder) / NAME, f'{{"epoch": {epoch}, "matrices": {{\n{lines}}}}}\n')


def read(folder):
    """(epoch, {name: (names of the classes, rows)}); what is no square of finite counts is left out. Raises OSError, ValueError."""
    content = jsonfile.read(Path(folder) / NAME)
    matrices = content.get('matrices')
    found = {name: _matrix(value) for name, value in matrices.items()} if isinstance(matrices, dict) else {}
    return content.get('epoch'), {name: value for name, value in found.items() if value}


def _matrix(value):
    rows, classes = (value.get('counts'), value.get('classes')) if isinstance(value, dict) else (None, None)
    if not isinstance(rows, list) or not 0 < len(rows) <= LARGEST or not all(isinstance(row, list) and len(row) == len(rows) for row in rows):
        return None
    if not all(jsonfile.is_number(count) and abs(count) < 1e300 for row in rows for count in row):
        return None
    named = isinstance(classes, list) and len(classes) == len(rows)
    return [str(label) for label in classes] if named else [str(place) for place in range(len(rows))], rows
