"""restored.py: models and states of a run's own code."""

from types import SimpleNamespace

import pytest
import torch

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading import restored
from tagrun.extra.loading.checkpoint_file import Checkpoint
from tagrun.extra.loading.frozen_import import FrozenCode

MODEL = '''
import torch
def build_model(args):
    model = torch.nn.Linear(2, 1)
    model.register_buffer('fixed', torch.rand(3), persistent=False)
    return model
'''
STATE = '''
import torch
class State:
    def __init__(self, args, device, steps_per_epoch):
        assert not args.torch_compile
        self.steps_per_epoch = steps_per_epoch
        self.generator, self.critic = torch.nn.Linear(2, 1), torch.nn.Linear(1, 1)
    def load_state_dict(self, saved):
        self.generator.load_state_dict(saved['generator'])
        self.critic.load_state_dict(saved['critic'])
'''
ARGS = SimpleNamespace(seed=3, torch_compile=True)


@pytest.fixture
def make(tmp_path):
    def made(**files):
        folder = tmp_path / 'code'
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f'{name}.py').write_text(text)
        return FrozenCode('t1/0', folder)

    return made


def checkpoint(**state):
    return Checkpoint('epoch_4.pth', '', {'state': {'epoch': 4, 'step': 40, **state}})


def weights(*shape):
    torch.manual_seed(0)
    return torch.nn.Linear(*shape).state_dict()


def test_a_model_has_the_weights_and_what_its_seed_made(make, tmp_path):
    saved = weights(2, 1)
    models = [restored.model(make(model=MODEL), tmp_path, ARGS, checkpoint(model=saved))]
    torch.rand(5)
    models.append(restored.model(make(model=MODEL), tmp_path, ARGS, checkpoint(model=saved)))
    for model in models:
        assert torch.equal(model.weight, saved['weight']) and not model.training
    # what no checkpoint has follows from the seed, as in training
    assert torch.equal(models[0].fixed, models[1].fixed)


def test_there_is_no_model_without_build_model_or_its_weights(make, tmp_path):
    code = make(state=STATE)
    assert restored.model(code, tmp_path, ARGS, checkpoint(model=weights(2, 1))) is None
    code = make(model=MODEL)
    assert restored.model(code, tmp_path, ARGS, checkpoint(net=weights(2, 1))) is None
    assert restored.model(code, tmp_path, ARGS, checkpoint(model=weights(3, 1))) is None
    assert restored.model(make(model=''), tmp_path, ARGS, checkpoint(model=weights(2, 1))) is None


def test_a_state_has_all_its_networks_in_evaluation_mode_and_none_is_compiled(make, tmp_path):
    saved = {'generator': weights(2, 1), 'critic': weights(1, 1)}
    state = restored.state(make(state=STATE), tmp_path, ARGS, checkpoint(**saved))
    networks = restored.networks(state)
    assert list(networks) == ['generator', 'critic'] and state.steps_per_epoch == 10
    for name, network in networks.items():
        assert not network.training and torch.equal(network.weight, saved[name]['weight'])
    assert restored.only_network(state) is None
    del state.critic
    assert restored.only_network(state) is state.generator


def test_without_state_py_it_is_said(make, tmp_path):
    with pytest.raises(UserError, match='t1/0: its code has no state.py'):
        restored.state(make(model=MODEL), tmp_path, ARGS, checkpoint())
