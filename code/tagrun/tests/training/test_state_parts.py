"""training/state_parts.py: networks, optimizers and weights, whatever they are called."""

import types

import pytest
import torch
from torch import nn

from tagrun.training import state_parts
from tagrun.training.state_parts import as_floats, learning_rates, rate_groups, weights


def adam(*groups):
    groups = groups or ({},)
    return torch.optim.Adam(
        [{'params': [nn.Parameter(torch.ones(1))], **group} for group in groups]
    )


def rates(**parts):
    return as_floats(learning_rates(rate_groups(types.SimpleNamespace(**parts))))


def test_the_only_learning_rate_is_lr_and_others_have_what_tells_them_apart():
    assert rates(steps=3) == {}
    assert rates(opt=adam({'lr': 0.1})) == {'lr': 0.1}
    assert rates(opt=adam({'lr': 0.1}, {'lr': 0.2})) == {'lr_0': 0.1, 'lr_1': 0.2}
    assert rates(opt_g=adam({'lr': 0.1}), opt_d=adam({'lr': 0.2})) == {
        'lr_opt_g': 0.1,
        'lr_opt_d': 0.2,
    }
    assert rates(g=adam({'lr': 0.1}), d=adam({'lr': 0.2}, {'lr': 0.3})) == {
        'lr_g': 0.1,
        'lr_d_0': 0.2,
        'lr_d_1': 0.3,
    }


@pytest.mark.parametrize(
    'names, labels',
    [
        (('head', 'body'), ['lr_head', 'lr_body']),
        (('a/b', 'c,d'), ['lr_0', 'lr_1']),
        (('same', 'same'), ['lr_0', 'lr_1']),
    ],
)
def test_a_parameter_group_has_its_own_name_where_a_column_can_have_it(names, labels):
    groups = [{'lr': 0.1, 'name': name} for name in names]
    assert list(rates(opt=adam(*groups))) == labels


def test_a_learning_rate_that_is_a_tensor_is_as_it_was_at_the_step():
    optimizer = adam({'lr': torch.tensor(0.5)})
    before = learning_rates(rate_groups(types.SimpleNamespace(optimizer=optimizer)))
    optimizer.param_groups[0]['lr'].mul_(0.1)
    assert as_floats(before) == {'lr': 0.5}


def test_networks_are_the_modules_of_a_state_and_the_graph_is_of_the_only_one():
    model, critic = nn.Linear(1, 1), nn.Linear(1, 1)
    state = types.SimpleNamespace(step=1, critic=critic)
    assert state_parts.networks(state) == {'critic': critic}
    assert state_parts.only_network(state) is critic
    state.model = model
    assert state_parts.only_network(state) is model
    del state.model
    state.generator = model
    assert state_parts.only_network(state) is None


def test_weights_are_those_of_all_networks_by_name():
    saved = {'model': {'w': 1}, 'step': 3, 'table': torch.ones(2)}
    assert weights(['model'], saved) == {'w': 1}
    saved['critic'] = {'w': 2}
    assert weights(['model', 'critic'], saved) == {'model.w': 1, 'critic.w': 2}
    # a state without a network
    assert list(weights([], saved)) == ['table']


def test_the_weights_of_now_are_those_of_a_checkpoint():
    state = types.SimpleNamespace(g=nn.Linear(1, 1), d=nn.Linear(1, 1), step=2)
    saved = {'g': state.g.state_dict(), 'd': state.d.state_dict(), 'step': 2}
    now = state_parts.weights_now(state)
    assert (
        list(now)
        == list(weights(['g', 'd'], saved))
        == [
            'g.weight',
            'g.bias',
            'd.weight',
            'd.bias',
        ]
    )
