"""training/rebuilt.py: settings of this run's code win over those of another run's checkpoint."""

import pytest
import torch
from small_state import SmallState, save
from torch.optim import lr_scheduler

from tagrun.store import checkpoints
from tagrun.training import checkpoint, rebuilt


def restored(tmp_path, other, state, **more):
    """Let `state` go on from what `other` saved, as this run's code has it."""
    save(tmp_path, other, 'epoch_3.pth', **more)
    content = checkpoint.load(tmp_path, 'epoch_3.pth')
    saved = rebuilt.merged(content['state'], content.get('built'), state.built)
    state.load_state_dict(saved)
    return state


def lr(state):
    return state.optimizer.param_groups[0]['lr']


def step_lr(size=2):
    return lambda optimizer: lr_scheduler.StepLR(optimizer, size, gamma=0.5)


def test_with_the_same_arguments_everything_is_as_the_checkpoint_has_it(tmp_path):
    other = SmallState(scheduler=step_lr())
    other.train(0.1, 0.2, 0.3)
    state = restored(tmp_path, other, SmallState(scheduler=step_lr()))
    assert lr(state) == lr(other) == 0.05
    assert state.scheduler.state_dict() == other.scheduler.state_dict()
    assert list(rebuilt.changes(other.built, state.built)) == []
    momentum = [each['momentum_buffer'] for each in other.optimizer.state.values()]
    loaded = [each['momentum_buffer'] for each in state.optimizer.state.values()]
    assert all(map(torch.equal, momentum, loaded))


def test_another_learning_rate_scales_what_the_schedule_came_to(tmp_path):
    other = SmallState(lr=0.1, decay=0.01, scheduler=step_lr())
    other.train(0.1, 0.2, 0.3)
    state = restored(tmp_path, other, SmallState(lr=1.0, decay=0.02, scheduler=step_lr()))
    group = state.optimizer.param_groups[0]
    assert group['lr'] == pytest.approx(0.5) and group['initial_lr'] == 1.0
    assert group['weight_decay'] == 0.02 and group['momentum'] == 0.9
    assert list(rebuilt.changes(other.built, state.built)) == [
        'optimizer: weight_decay 0.02 instead of 0.01',
        'optimizer: lr 1.0 instead of 0.1',
    ]
    state.train(0.4)
    assert lr(state) == pytest.approx(0.25)


def test_a_rate_that_a_plateau_lowered_stays_low_unless_the_argument_changed(tmp_path):
    def plateau(optimizer):
        return lr_scheduler.ReduceLROnPlateau(optimizer, 'max', patience=0, factor=0.1)

    other = SmallState(lr=0.1, scheduler=plateau)
    other.train(0.3, 0.2)
    assert lr(other) == pytest.approx(0.01)
    same = restored(tmp_path, other, SmallState(lr=0.1, scheduler=plateau))
    assert lr(same) == pytest.approx(0.01)
    higher = restored(tmp_path, other, SmallState(lr=0.2, scheduler=plateau))
    assert lr(higher) == pytest.approx(0.02) and higher.scheduler.best == 0.3


def test_a_longer_training_gets_the_longer_schedule(tmp_path):
    def cosine(steps):
        return lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, steps)

    other = SmallState(scheduler=cosine(3))
    other.train(0.1, 0.2)
    state = restored(tmp_path, other, SmallState(scheduler=cosine(30)))
    assert state.scheduler.T_max == 30 and state.scheduler.last_epoch == 2


@pytest.mark.parametrize(
    'schedule',
    [
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1)),
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=20),
        lambda optimizer: lr_scheduler.SequentialLR(
            optimizer,
            [
                lr_scheduler.ConstantLR(optimizer, 0.5, 2),
                lr_scheduler.ExponentialLR(optimizer, 0.9),
            ],
            [2],
        ),
    ],
    ids=['lambda', 'one cycle', 'sequential'],
)
def test_any_scheduler_goes_on_where_it_stood(tmp_path, schedule):
    other = SmallState(scheduler=schedule)
    other.train(0.1, 0.2, 0.3)
    state = restored(tmp_path, other, SmallState(scheduler=schedule))
    other.train(0.4, 0.5)
    state.train(0.4, 0.5)
    assert lr(state) == lr(other)


def test_a_checkpoint_of_an_older_tagrun_lacks_what_was_built_and_its_settings_count_as_such(
    tmp_path,
):
    other = SmallState(lr=0.1, scheduler=step_lr())
    other.train(0.1, 0.2)
    save(tmp_path, other, 'epoch_3.pth')
    content = checkpoint.load(tmp_path, 'epoch_3.pth')
    state = SmallState(lr=1.0, decay=0.5, scheduler=step_lr())
    state.load_state_dict(rebuilt.merged(content['state'], None, state.built))
    group = state.optimizer.param_groups[0]
    assert group['lr'] == pytest.approx(0.5) and group['weight_decay'] == 0.5


def test_what_the_checkpoint_lacks_or_has_in_another_number_is_left_to_the_restore(tmp_path):
    other, state = SmallState(), SmallState(scheduler=step_lr())
    save(tmp_path, other, 'epoch_1.pth')
    content = checkpoint.load(tmp_path, 'epoch_1.pth')
    assert 'scheduler' not in rebuilt.merged(content['state'], content['built'], state.built)
    groups = content['state']['optimizer']['param_groups']
    content['state']['optimizer']['param_groups'] = [*groups, *groups]
    merged = rebuilt.merged(content['state'], content['built'], state.built)
    assert len(merged['optimizer']['param_groups']) == 2
    assert checkpoints.newest(tmp_path) == 'epoch_1.pth'


def test_a_learning_rate_of_zero_and_one_in_a_tensor_are_no_problem():
    zero, ten = SmallState(lr=0.0), SmallState(lr=10.0)
    saved = {'optimizer': zero.optimizer.state_dict()}
    merged = rebuilt.merged(saved, zero.built, ten.built)
    assert merged['optimizer']['param_groups'][0]['lr'] == 10.0
    tensor = SmallState(lr=torch.tensor(0.5))
    saved = {'optimizer': tensor.optimizer.state_dict()}
    merged = rebuilt.merged(saved, tensor.built, ten.built)
    assert float(merged['optimizer']['param_groups'][0]['lr']) == 10.0
    again = rebuilt.merged(saved, tensor.built, SmallState(lr=torch.tensor(0.5)).built)
    assert float(again['optimizer']['param_groups'][0]['lr']) == 0.5


def test_a_state_without_optimizers_has_no_settings():
    assert rebuilt.settings(object()) == {}
