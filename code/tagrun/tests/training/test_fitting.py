"""training/fitting.py: weights that fit a network, and those that do not, by their names."""

import pytest
import torch
from small_state import network, same
from torch import nn

from tagrun.training import fitting
from tagrun.training.input_weights import InputError


def test_weights_that_fit_are_taken_and_nothing_is_said(capsys):
    one, other = network(seed=1), network(seed=2)
    before = other['head'].weight
    fitting.put(other, dict(one.state_dict()), 'pre/0:epoch_3.pth')
    assert same(one.state_dict(), other.state_dict()) and capsys.readouterr().err == ''
    # in place: an optimizer has these parameters
    assert other['head'].weight is before


def test_what_does_not_fit_is_refused_by_name_and_nothing_has_changed():
    one, other = network(seed=1), network(width=4, seed=2)
    weights = {**one.state_dict(), 'tail.bias': torch.zeros(1)}
    del weights['head.bias']
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(InputError) as refused:
        fitting.put(other, weights, 'pre/0:epoch_3.pth, model')
    text = str(refused.value)
    assert text.startswith('pre/0:epoch_3.pth, model does not fit: missing: head.bias; ')
    assert 'unexpected: tail.bias; of another shape: ' in text
    assert 'encoder.0.weight (3, 2) instead of (4, 2)' in text and 'and 2 more' in text
    assert '--no-strict' in text and 'strict=False' in text
    assert same(before, other.state_dict())


def test_not_strict_all_of_it_is_printed_and_the_rest_is_taken(capsys):
    one, other = network(seed=1), network(width=4, seed=2)
    weights = {**one.state_dict(), 'tail.bias': torch.zeros(1)}
    del weights['encoder.0.bias']
    fitting.put(other, weights, 'pre/0:epoch_3.pth', strict=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == 'tagrun: pre/0:epoch_3.pth: missing: encoder.0.bias'
    assert lines[1] == 'tagrun: pre/0:epoch_3.pth: unexpected: tail.bias'
    assert 'head.weight (2, 3) instead of (2, 4)' in lines[2] and len(lines) == 3
    assert torch.equal(one['head'].bias, other['head'].bias)


def test_where_nothing_fits_it_is_refused_even_if_not_strict():
    with pytest.raises(InputError, match='x.pth has nothing that fits Linear'):
        fitting.put(nn.Linear(2, 2), {'a': torch.zeros(1)}, 'x.pth', strict=False)


@pytest.mark.parametrize('prefix', ['module.', '_orig_mod.', 'module._orig_mod.'])
def test_the_prefix_of_a_wrapper_on_either_side_makes_no_difference(prefix):
    one, other = network(seed=1), network(seed=2)
    fitting.put(other, {f'{prefix}{name}': value for name, value in one.state_dict().items()}, 'x')
    assert same(one.state_dict(), other.state_dict())
    wrapped = network(seed=3)
    for part in reversed(prefix.removesuffix('.').split('.')):
        outer = nn.Module()
        outer.add_module(part, wrapped)
        wrapped = outer
    fitting.put(wrapped, dict(one.state_dict()), 'x')
    assert torch.equal(wrapped.state_dict()[f'{prefix}head.bias'], one['head'].bias)


def test_a_lazy_network_takes_the_shape_of_the_weights():
    lazy = nn.LazyLinear(2)
    weights = nn.Linear(5, 2).state_dict()
    fitting.put(lazy, dict(weights), 'x')
    assert torch.equal(lazy.weight, weights['weight'])


def test_extra_state_goes_with_the_weights():
    class Counted(nn.Linear):
        count = 0

        def get_extra_state(self):
            return {'count': self.count}

        def set_extra_state(self, state):
            self.count = state['count']

    one, other = Counted(1, 1), Counted(1, 1)
    one.count = 7
    fitting.put(other, dict(one.state_dict()), 'x')
    assert other.count == 7


def test_an_averaged_model_takes_an_averaged_models_weights():
    averaged = torch.optim.swa_utils.AveragedModel
    one, other = averaged(network(seed=1)), averaged(network(seed=2))
    one.update_parameters(network(seed=3))
    fitting.put(other, dict(one.state_dict()), 'pre/0:epoch_3.pth, ema')
    assert same(one.state_dict(), other.state_dict()) and int(other.n_averaged) == 1
