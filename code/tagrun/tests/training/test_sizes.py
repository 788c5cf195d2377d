"""training/sizes.py: parameters, samples and the shapes of a batch are said and recorded."""

import json
import types
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from tagrun.training import sizes
from tagrun.training.loader import Loader
from tagrun.training.sizes import Sizes

Pair = namedtuple('Pair', 'image label')
X = torch.zeros(4, 3)


class Graph:
    """A batch of a graph library: tensors as attributes, and a `to`."""

    def __init__(self):
        self.nodes, self.count = X, 3

    def to(self, device):
        return self


def test_parameters_are_counted_for_each_network_all_and_trainable():
    frozen = nn.Linear(3, 2)
    frozen.weight.requires_grad_(False)
    state = types.SimpleNamespace(
        generator=nn.Linear(3, 2), frozen=frozen, metric=nn.Identity(), lazy=nn.LazyLinear(2), n=1
    )
    counts = sizes.parameters(state)
    assert counts == {
        'generator': {'all': 8, 'trainable': 8},
        'frozen': {'all': 8, 'trainable': 2},
    }
    text = sizes.said({'parameters': counts, 'samples': {}})
    assert 'generator 8 trainable parameters; frozen 8 parameters, 2' in text


def test_a_data_set_without_a_length_is_left_out():
    class Unlucky:
        def __len__(self):
            raise RuntimeError

    loaders = {
        'train': Loader([(X, 1)] * 7, 2, seed=1),
        'stream': types.SimpleNamespace(dataset=Unlucky()),
        'range': range(3),
        'none': None,
    }
    assert sizes.samples(loaders) == {'train': 7}


@pytest.mark.parametrize(
    'batch, parts',
    [
        (X, {'': '(4, 3) float32'}),
        ((X, torch.zeros(4).long()), {'0': '(4, 3) float32', '1': '(4,) int64'}),
        ({'ids': X, 'name': ['a', 'b']}, {'ids': '(4, 3) float32', 'name': '2 str'}),
        (Pair(np.zeros((2, 2)), X), {'image': '(2, 2) float64', 'label': '(4, 3) float32'}),
        ([{'a': (X,)}, 3, None], {'0.a.0': '(4, 3) float32', '1': 'int', '2': 'NoneType'}),
        (pack_sequence([X]), {'': '4 steps packed, (4, 3) float32'}),
        (Graph(), {'nodes': '(4, 3) float32'}),
        (5, {'': 'int'}),
        ([], {}),
    ],
)
def test_the_shapes_of_whatever_a_batch_is(batch, parts):
    assert sizes.shapes(batch) == parts


def test_a_batch_that_holds_itself_ends(tmp_path):
    batch = [X]
    batch.append(batch)
    assert len(sizes.shapes(batch)) <= sizes.MOST


def test_what_is_said_has_two_lines_at_most_within_the_width():
    many = {f'a_long_name_{index}': '(4, 3) float32' for index in range(40)}
    text = sizes.said_batch('train', many)
    assert text.endswith(' …') and text.count('\n') == 1
    assert max(map(len, text.split('\n'))) <= sizes.WIDTH


def test_the_first_batch_of_each_phase_is_recorded_as_it_passes_and_none_is_drawn(tmp_path, capsys):
    recorded = Sizes(tmp_path)
    taken = []
    source = (taken.append(index) or X[:index] for index in (1, 2, 3))
    batches = recorded.first_seen(source, 'train')
    assert taken == []
    assert len(next(batches)) == 1 and taken == [1]
    assert [len(batch) for batch in batches] == [2, 3]
    assert list(recorded.first_seen(iter([X]), 'val'))[0] is X
    assert recorded.content['batch'] == {
        'train': {'': '(1, 3) float32'},
        'val': {'': '(4, 3) float32'},
    }
    assert capsys.readouterr().err == 'train batch: (1, 3) float32\n'
    again = iter([X])
    assert recorded.first_seen(again, 'train') is again
    assert list(recorded.first_seen(iter([]), 'test')) == []


def test_a_run_that_goes_on_keeps_what_it_recorded(tmp_path):
    batch = {'train': {'0': '(4, 3) float32'}}
    (tmp_path / 'statistic.json').write_text(json.dumps({'batch': batch, 'samples': 5}))
    assert Sizes(tmp_path).content == {'batch': batch}
