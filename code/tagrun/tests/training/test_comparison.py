"""What a load made of a checkpoint: each part that differs is named by its path."""

from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch

from tagrun.training.comparison import array_paths, differences

NAN = float('nan')
SAME = [
    {'a': 1, 'b': [1.5, None, (True, 'x')], 'c': {2, 3}},
    {'model': OrderedDict(w=torch.tensor([1.0, NAN])), 'n': NAN, 3: b'x'},
    {'count': Counter('aab'), 'size': torch.Size([1, 2]), 'z': 1j},
    {'sparse': torch.eye(3).to_sparse(), 'empty': torch.zeros(0, 2), 'flag': torch.tensor(True)},
    {'half': torch.ones(2, dtype=torch.bfloat16), 'complex': torch.ones(2, dtype=torch.complex64)},
]


@pytest.mark.parametrize('value', SAME)
def test_what_came_back_as_it_was_has_no_difference(value, tmp_path):
    torch.save(value, tmp_path / 'x.pth')
    loaded = torch.load(tmp_path / 'x.pth', weights_only=False)
    assert list(differences(value, loaded)) == []


@pytest.mark.parametrize(
    'saved, loaded, sentence',
    [
        ({'n': 5}, {'n': 3}, 'state.n was 5 when it was saved, and is 3 after the load'),
        ({'n': 5}, {}, 'state.n was saved, and is not there after the load'),
        ({'n': 1}, {'n': True}, 'state.n was 1 when it was saved, and is True'),
        ({'n': 1}, {'n': 1.0}, 'state.n was 1 when it was saved, and is 1.0'),
        ({'a': [1, {'b': (2,)}]}, {'a': [1, {'b': (3,)}]}, "state.a[1]['b'][0] was 2"),
        ({'a': [1]}, {'a': [1, 2]}, 'state.a was [1] when it was saved, and is [1, 2]'),
        ({'a': (1,)}, {'a': [2]}, 'state.a[0] was 1'),
        ({'t': torch.zeros(2)}, {'t': torch.ones(2)}, 'state.t was a tensor (2,) of torch.f'),
        ({'t': torch.tensor(1)}, {'t': torch.tensor(2)}, 'of torch.int64 with 1 when it was'),
        (
            {'t': torch.zeros(2)},
            {'t': torch.zeros(2).double()},
            'is a tensor (2,) of torch.f',
        ),
        ({'t': torch.zeros(1)}, {'t': -torch.zeros(1)}, 'with 0.0 when it was saved, and is a'),
        ({'t': torch.zeros(1)}, {'t': None}, 'and is None after the load'),
        ({'s': 'x' * 99}, {'s': ''}, 'x …'),
    ],
)
def test_what_differs_is_named_by_its_path_with_both_values(saved, loaded, sentence):
    (told,) = differences(saved, loaded)
    assert sentence in told


def test_all_parts_that_differ_are_named():
    saved, loaded = {'a': {'x': 1, 'y': 2}, 'b': [3]}, {'a': {'x': 2, 'y': 2}, 'b': [4]}
    assert len(list(differences(saved, loaded))) == 2


def test_arrays_of_numpy_are_found_wherever_they_are():
    value = {'a': np.zeros(2), 'b': [1, (np.ones(1),)], 'c': np.float32(1), 'd': {'e': np.zeros(0)}}
    assert array_paths(value) == {('a',), ('b', 1, 0), ('d', 'e')}
