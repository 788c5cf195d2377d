"""row_writer.py: rows as CSV and as JSON lines."""

import csv
import io
import json

import numpy as np
import pytest
import torch

from tagrun.extra.loading.row_writer import CSV, JSONL, RowWriter

ROWS = [
    {'file': 'a "b",\nc.npy', 'digit': np.int64(3), 'p': torch.tensor(0.1, dtype=torch.float64)},
    {'file': 'ü', 'digit': None, 'p': 0.1 + 0.2},
]


def written(kind, rows):
    file = io.StringIO()
    writer = RowWriter(file, kind)
    for row in rows:
        writer.write(row)
    assert writer.count == len(rows)
    return file.getvalue()


def test_csv_has_a_head_and_every_digit():
    rows = list(csv.reader(io.StringIO(written(CSV, ROWS))))
    assert rows == [
        ['file', 'digit', 'p'],
        ['a "b",\nc.npy', '3', '0.1'],
        ['ü', '', '0.30000000000000004'],
    ]


def test_json_has_a_line_a_row():
    rows = [*ROWS, {'p': np.array([1.5]), 'file': 'x', 'digit': True}]
    lines = written(JSONL, rows).splitlines()
    assert [json.loads(line) for line in lines] == [
        {'file': 'a "b",\nc.npy', 'digit': 3, 'p': 0.1},
        {'file': 'ü', 'digit': None, 'p': 0.1 + 0.2},
        {'file': 'x', 'digit': True, 'p': [1.5]},
    ]


def test_columns_in_another_order_are_put_right():
    assert written(CSV, [{'a': 1, 'b': 2}, {'b': 4, 'a': 3}]) == 'a,b\n1,2\n3,4\n'


@pytest.mark.parametrize(
    'row, error, sentence',
    [
        ([1, 2], TypeError, 'yielded a list; a row is a dict'),
        ({'a': 1}, ValueError, 'the columns a; the first row had a, b'),
        ({'a': 1, 'b': 2, 'c': 3}, ValueError, 'the columns a, b, c; the first row had a, b'),
    ],
)
def test_what_is_not_a_row_like_the_first_is_refused(row, error, sentence):
    with pytest.raises(error, match=sentence):
        written(CSV, [{'a': 1, 'b': 2}, row])
