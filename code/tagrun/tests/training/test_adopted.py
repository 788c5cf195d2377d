"""training/adopted.py: another run's checkpoint becomes the own one that a run begins with."""

import pytest
from small_state import SmallState, same, save

from tagrun.store import checkpoints
from tagrun.store.inputs import CHECKPOINT, Input
from tagrun.store.run_ref import RunRef
from tagrun.training import adopted, checkpoint
from tagrun.training.input_weights import InputError

PRE = RunRef('pre', 0)


@pytest.fixture
def own(tmp_path):
    """The folder of long/0, which begins."""
    folder = tmp_path / '__result__' / 'long' / '0'
    folder.mkdir(parents=True)
    return folder


def trained(root, *accuracies, **options):
    """pre/0, which saved each epoch; its state, and the Input of the last one."""
    state = SmallState(**options)
    for number, accuracy in enumerate(accuracies, 1):
        state.train(accuracy)
        best = state.history.best_epoch == number
        digest = save(PRE.folder(root), state, f'epoch_{number}.pth', best)
    return state, Input(PRE, f'epoch_{number}.pth', digest, CHECKPOINT)


def test_the_start_and_the_best_so_far_become_its_own_with_nothing_written_yet(tmp_path, own):
    state, each = trained(tmp_path, 0.2, 0.9, 0.4)
    new = SmallState(seed=7)
    assert adopted.adopt(own, tmp_path, each, new, new.built) == 'epoch_3.pth'
    assert list(checkpoints.listed(own)) == ['epoch_2.pth', 'epoch_3.pth']
    content = checkpoint.load(own, 'epoch_3.pth')
    assert content['trace'] == 0 and content['tensorboard'] == {}
    new.load_state_dict(content['state'])
    assert same(new.weights(), state.weights())
    assert new.epoch == 3 and new.history.rows == state.history.rows
    assert new.history.best_epoch == 2
    assert checkpoint.load(own, 'epoch_2.pth')['trace'] == 0
    # the other run's files are as they were
    assert checkpoint.load(PRE.folder(tmp_path), 'epoch_3.pth')['trace'] == 77


def test_where_the_start_is_the_best_there_is_one_file(tmp_path, own):
    _, each = trained(tmp_path, 0.2, 0.9)
    state = SmallState()
    adopted.adopt(own, tmp_path, each, state, state.built)
    assert list(checkpoints.listed(own)) == ['epoch_2.pth']


def test_a_best_one_that_is_gone_or_damaged_is_said_and_the_start_is_taken(tmp_path, own, capsys):
    _, each = trained(tmp_path, 0.9, 0.2)
    (PRE.folder(tmp_path) / 'checkpoint' / 'epoch_1.pth').write_bytes(b'damaged')
    state = SmallState()
    adopted.adopt(own, tmp_path, each, state, state.built)
    assert list(checkpoints.listed(own)) == ['epoch_2.pth']
    assert 'best epoch so far is 1, and its checkpoint is gone' in capsys.readouterr().err


def test_where_this_run_monitors_something_else_the_best_epoch_is_chosen_anew(tmp_path, own):
    _, each = trained(tmp_path, 0.2, 0.9)
    for monitor, best in (('val/f1', 1), ('val/unknown', 0)):
        state = SmallState(monitor=monitor)
        adopted.adopt(own, tmp_path, each, state, state.built)
        state.load_state_dict(checkpoint.load(own, 'epoch_2.pth')['state'])
        assert state.history.best_epoch == best
        # and the next epoch is compared with it
        state.train(0.95)
        assert state.history.best_epoch == best


def test_its_settings_are_this_runs_and_are_said(tmp_path, own, capsys):
    _, each = trained(tmp_path, 0.2, lr=0.1)
    state = SmallState(lr=0.5)
    adopted.adopt(own, tmp_path, each, state, state.built)
    state.load_state_dict(checkpoint.load(own, 'epoch_1.pth')['state'])
    assert state.optimizer.param_groups[0]['lr'] == 0.5
    assert '  optimizer: lr 0.5 instead of 0.1\n' in capsys.readouterr().err
    # a run that begins with this one compares with these
    assert checkpoint.load(own, 'epoch_1.pth')['built'] == state.built


def test_a_checkpoint_that_was_set_aside_gets_its_own_name_again(tmp_path, own):
    _, each = trained(tmp_path, 0.2)
    folder = PRE.folder(tmp_path)
    checkpoints.reserve(folder, '1', 'long/0')
    checkpoints.make_way(folder, 'epoch_1.pth')
    save(folder, SmallState(seed=9), 'epoch_1.pth')
    state = SmallState()
    assert adopted.adopt(own, tmp_path, each, state, state.built) == 'epoch_1.pth'
    assert list(checkpoints.listed(own)) == ['epoch_1.pth']


def test_a_damaged_or_missing_start_is_refused_and_nothing_is_listed(tmp_path, own):
    _, each = trained(tmp_path, 0.2)
    state = SmallState()
    path = PRE.folder(tmp_path) / 'checkpoint' / 'epoch_1.pth'
    path.write_bytes(b'damaged')
    with pytest.raises(InputError, match='input pre/0 epoch_1.pth cannot be read'):
        adopted.adopt(own, tmp_path, each, state, state.built)
    path.unlink()
    with pytest.raises(InputError, match='input pre/0 epoch_1.pth is not here any more'):
        adopted.adopt(own, tmp_path, each, state, state.built)
    assert checkpoints.listed(own) == {}


def test_what_does_not_fit_is_given_up(tmp_path, own):
    _, each = trained(tmp_path, 0.2)
    state = SmallState()
    adopted.adopt(own, tmp_path, each, state, state.built)
    adopted.give_up(own)
    assert checkpoints.listed(own) == {}
