"""The example's predict.py: what it reads, and its rows."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from project_factory import CODE

sys.path.insert(0, str(CODE))  # as main.py has it
import predict  # noqa: E402

sys.path.pop(0)
ARGS = SimpleNamespace(eval_batch_size=4)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Linear(40, 10).eval()


@pytest.fixture
def write(tmp_path):
    """A function that writes signals, or bytes, to a file and returns its path."""

    def written(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif name.endswith('.csv'):
            np.savetxt(path, np.atleast_2d(content), delimiter=',')
        else:
            with open(path, 'wb') as file:
                np.save(file, content)
        return str(path)

    return written


def signals(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize('name', ['a.npy', 'b.csv', 'C.NPY'])
@pytest.mark.parametrize('shape', [(40,), (1, 40), (4, 40), (9, 40)])
def test_each_signal_is_a_row_with_its_probabilities(model, write, name, shape):
    x = np.asfortranarray(signals(*shape))
    path = write(name, x)
    rows = list(predict.predict(model, ARGS, [path]))
    expected = model(torch.tensor(np.atleast_2d(x), dtype=torch.float32)).softmax(1)
    columns = ['file', 'row', 'digit', *(f'p{digit}' for digit in range(10))]
    assert [list(row) for row in rows] == [columns] * len(expected)
    assert [row['row'] for row in rows] == list(range(len(expected)))
    assert [row['digit'] for row in rows] == expected.argmax(1).tolist()
    found = torch.tensor([[row[f'p{digit}'] for digit in range(10)] for row in rows])
    assert torch.allclose(found, expected) and rows[0]['file'] == path


def test_several_files_are_read_one_after_the_other(model, write):
    paths = [write('a.npy', signals(5, 40)), write('b.csv', signals(2, 40))]
    rows = list(predict.predict(model, ARGS, iter(paths)))
    assert [(row['file'], row['row']) for row in rows][4:] == [
        (paths[0], 4),
        (paths[1], 0),
        (paths[1], 1),
    ]


def nan_in_the_second_batch():
    x = signals(8, 40)
    x[6, 3] = np.nan
    return x


@pytest.mark.parametrize(
    'name, content, sentence',
    [
        ('a.npy', signals(2, 41), r'shape is \(2, 41\); \(40,\) or \(N, 40\)'),
        ('a.csv', signals(2, 39), r'shape is \(2, 39\)'),
        ('a.npy', signals(2, 4, 40), r'shape is \(2, 4, 40\)'),
        ('a.npy', np.float64(3), r'shape is \(1, 1\)'),
        ('a.npy', np.array([{}]), 'Python objects'),
        ('a.npy', np.array(['x'] * 40), 'could not convert'),
        ('a.npy', nan_in_the_second_batch(), 'a NaN or an infinite value'),
        ('a.npy', np.full(40, np.inf), 'a NaN or an infinite value'),
        ('a.npy', np.zeros((0, 40)), 'it has no signal'),
        ('a.npy', b'no array', 'magic string'),
        ('a.npy', b'', 'magic string'),
        ('a.csv', b'', 'it has no signal'),
        ('a.csv', b'x,y\n1,2\n', "could not convert string 'x'"),
        ('a.csv', b'1,2\n1,2,3\n', 'number of columns changed'),
        ('a.csv', b'\xff\xfe\x00', "can't decode"),
        ('a.txt', b'1', 'neither .npy nor .csv'),
    ],
)
def test_a_bad_file_is_an_error_with_its_reason(model, write, name, content, sentence):
    path = write(name, content)
    with pytest.raises(ValueError, match=sentence):
        list(predict.predict(model, ARGS, [path]))


def test_a_missing_file_is_an_os_error(model, tmp_path):
    for name in ('a.npy', 'a.csv'):
        with pytest.raises(FileNotFoundError):
            list(predict.predict(model, ARGS, [str(tmp_path / name)]))
