"""store/confusion.py: squares of finite counts are written and read, others are left out."""

import json
import math

import pytest

from tagrun.store import confusion


def test_what_is_written_is_read(tmp_path):
    rows = [[40, 1], [3, 36]]
    confusion.write(tmp_path, 31, {'val/confusion': (['no', 1], rows), 'test/x': (None, rows)})
    assert confusion.read(tmp_path) == (
        31,
        {'val/confusion': (['no', '1'], rows), 'test/x': (['0', '1'], rows)},
    )


def test_a_matrix_that_is_not_a_square_of_finite_counts_is_not_written(tmp_path):
    wide, large = [[1, 2]], [[0] * 101 for _ in range(101)]
    nan = [[math.nan, 1], [1, 1]]
    confusion.write(tmp_path, 1, {'a': (None, wide), 'b': (None, large), 'c': (None, nan)})
    assert confusion.read(tmp_path) == (1, {})


@pytest.mark.parametrize(
    'value',
    [
        None,
        [],
        {'counts': []},
        {'counts': [[1, 2]]},
        {'counts': [[1], [2]]},
        {'counts': [['1']]},
        {'counts': [[True]]},
        {'counts': [[1e300]]},
        {'counts': ['x']},
    ],
)
def test_a_matrix_that_somebody_else_wrote_wrong_is_left_out(tmp_path, value):
    matrices = {'bad': value, 'good': {'counts': [[1]], 'classes': ['a', 'b']}}
    (tmp_path / confusion.NAME).write_text(json.dumps({'matrices': matrices}))
    assert confusion.read(tmp_path) == (None, {'good': (['0'], [[1]])})


def test_matrices_that_are_not_an_object_are_none(tmp_path):
    (tmp_path / confusion.NAME).write_text('{"epoch": 2, "matrices": [1]}')
    assert confusion.read(tmp_path) == (2, {})
