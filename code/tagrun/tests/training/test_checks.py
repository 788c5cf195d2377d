"""training/checks.py: what main.py and state.py hand over is checked before anything is trained."""

import types

import numpy as np
import pytest
import torch

from tagrun.training.checks import (
    check_batches,
    check_division,
    check_phases,
    check_plain,
    check_state,
    warn_of_unsaved,
)
from tagrun.training.loader import Loader
from tagrun.training.meter import Meter


def test_a_phase_without_a_loader_is_named():
    with pytest.raises(
        ValueError, match="phases has 'validate', but build_loaders gave only 'train', 'val'"
    ):
        check_phases(['train', 'validate'], {'train': None, 'val': None}, 3)


@pytest.mark.parametrize(
    'value', [{'state': frozenset()}, {'x': np.datetime64(1, 's')}, {'x': [object()]}, {'x': len}]
)
def test_what_a_checkpoint_cannot_hold_is_named_before_training(value):
    with pytest.raises(TypeError, match='a checkpoint takes'):
        check_plain(value)


def test_what_is_wrong_is_named_by_its_path():
    with pytest.raises(TypeError, match=r"^state\.metrics\['val'\]\[1\] is a frozenset"):
        check_plain({'metrics': {'val': [0.5, frozenset()]}})


def test_numbers_of_numpy_and_sets_are_taken():
    metrics = {'val': {np.int64(1): np.ones(2)}}
    assert check_plain({'state': {1, 2}, 'x': np.float64(1), 'metrics': metrics}) is None


def test_a_part_is_checked_by_its_state_dict():
    check_plain({'model': torch.nn.Linear(1, 1), 'step': 3})
    broken = types.SimpleNamespace(state_dict=lambda: {'rate': np.datetime64('2020')})
    with pytest.raises(TypeError, match=r"^state\.part\['rate'\] is a numpy\.datetime64"):
        check_plain({'part': broken})


def test_parts_in_a_list_are_not_saved_by_their_state_dict_and_refused():
    nets = [torch.nn.Linear(1, 1)]
    with pytest.raises(
        TypeError, match=r'^state\.nets\[0\] is a torch\.nn\.\S*Linear: .* an attribute'
    ):
        check_plain(types.SimpleNamespace(state_dict=lambda: {'nets': nets}))


class Metric(torch.nn.Module):
    """As torchmetrics has it: its states are attributes, and saved only when they are told to."""

    def __init__(self, **states):
        super().__init__()
        self._defaults, self._saved = dict(states), False
        for name, value in states.items():
            setattr(self, name, value)

    def persistent(self, mode=True):
        self._saved = mode

    def state_dict(self, *_, **__):
        return {name: getattr(self, name) for name in self._defaults} if self._saved else {}


class Unsaved(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer('mean', torch.zeros(1), persistent=False)


class Scores:
    def __init__(self):
        self.values = [torch.zeros(1)]

    def state_dict(self):
        return {}


def test_an_object_that_saves_none_of_its_tensors_is_named_with_what_to_write(capsys):
    state = types.SimpleNamespace(
        accuracy=Metric(correct=torch.tensor(0), total=torch.tensor(0)),
        curve=Metric(scores=[]),
        saved=Metric(correct=torch.tensor(0)),
        norm=Unsaved(),
        scores=Scores(),
        scaler=torch.amp.GradScaler('cpu', enabled=False),
        model=torch.nn.Linear(1, 1),
        activation=torch.nn.ReLU(),
        rate=0.1,
    )
    state.saved.persistent(True)
    warn_of_unsaved(state)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == [
        'state.accuracy',
        'state.curve',
        'state.norm',
        'state.scores',
    ]
    assert '(correct, total). Write self.accuracy.persistent(True)' in lines[0]
    assert 'register_buffer' in lines[2] and '(values)' in lines[3]


def test_several_processes_need_a_wrapped_model_and_loaders_that_can_be_divided():
    divisible = Loader(range(4), 2, seed=1)
    model, other = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    model.rank_fraction = 0.5
    wrapped = types.SimpleNamespace(meter=Meter(), model=model)
    wrapped.optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    check_division(['train'], wrapped, {'train': divisible, 'unused': [1, 2]})
    with pytest.raises(ValueError, match="dataloader.py: 'val' is a list; several processes need"):
        check_division(['train', 'val'], wrapped, {'train': divisible, 'val': [1, 2]})
    # a copy that no optimizer trains is each process's own affair
    wrapped.average = other
    check_division(['train'], wrapped, {'train': divisible})
    wrapped.critic_optimizer = torch.optim.SGD(other.parameters(), lr=1.0)
    with pytest.raises(TypeError, match=r'self\.average = distributed\.wrap\(Linear\(…\)'):
        check_division(['train'], wrapped, {'train': divisible})
    del wrapped.meter
    with pytest.raises(TypeError, match=r'self\.meter = Meter\(\)'):
        check_division(['train'], wrapped, {'train': divisible})


@pytest.mark.parametrize('name', ['history', 'epoch', 'phase', 'batch', 'step', 'metrics'])
def test_what_every_run_needs_of_the_state_is_named_with_what_to_write(name):
    state = types.SimpleNamespace(history=1, epoch=0, phase=None, batch=0, step=0, metrics={})
    vars(state).update(seconds=0.0, state_dict=dict, load_state_dict=dict)
    check_state(state)
    delattr(state, name)
    with pytest.raises(TypeError, match=rf'the state has no {name}: write self\.{name} = '):
        check_state(state)


def test_a_state_that_cannot_be_saved_is_named():
    state = types.SimpleNamespace(history=1, epoch=0, phase=None, batch=0, step=0, metrics={})
    vars(state).update(seconds=0.0, state_dict=dict)
    with pytest.raises(TypeError, match='State has no method load_state_dict'):
        check_state(state)


def test_an_evaluation_needs_a_loader_that_can_be_read_again():
    once = (batch for batch in [1])
    check_phases(['val'], {'val': once}, 1)
    check_phases(['train'], {'train': once}, None)
    with pytest.raises(ValueError, match="loader of 'val' is a generator, which can be read only"):
        check_phases(['val'], {'val': once}, None)


def test_a_loader_that_drops_all_its_samples_is_refused_with_the_cure():
    samples = [torch.ones(1)] * 30
    whole, dropping = (Loader(samples, 40, seed=1, drop_last=drop) for drop in (False, True))
    check_batches(['train', 'val'], {'train': whole, 'val': whole})
    for phase in ('train', 'val'):
        loaders = {'train': whole, 'val': whole, phase: dropping}
        with pytest.raises(ValueError, match=f"'{phase}' has no batch: it drops all 30.*=False"):
            check_batches(['train', 'val'], loaders)
        check_batches([], loaders)
    empty = Loader([], 40, seed=1)
    check_batches(['train', 'val'], {'train': whole, 'val': empty})
    with pytest.raises(ValueError, match="the data set of 'train' has no sample"):
        check_batches(['train'], {'train': empty})
