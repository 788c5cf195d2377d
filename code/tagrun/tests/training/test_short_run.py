"""training/short_run.py: what --fast and a selftest write into run.json is what is trained."""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tagrun.store import selftest_notes
from tagrun.training.checkpoint import Background, Checkpoints
from tagrun.training.short_run import ShortRun


def state(**values):
    return SimpleNamespace(**{'epoch': 0, 'step': 0, 'phase': 'train', 'batch': 0, **values})


@pytest.fixture
def kills(monkeypatch):
    """The signals that this process would have got."""
    sent = []
    monkeypatch.setattr(os, 'kill', lambda pid, number: sent.append((pid, number)))
    return sent


def test_without_a_word_in_run_json_all_is_as_config_says(kills, tmp_path):
    args = SimpleNamespace(epochs=60)
    short = ShortRun({}, args, tmp_path)
    assert args.epochs == 60 and short.left(state(batch=9)) is None
    assert not short.save_due(state(batch=7))
    short.moment(state(phase=None))
    assert kills == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize('epochs, trained', [(60, 2), (1, 1)])
def test_fast_is_a_few_batches_of_at_most_two_epochs(epochs, trained, tmp_path):
    args = SimpleNamespace(epochs=epochs)
    short = ShortRun({'fast': 3}, args, tmp_path)
    assert args.epochs == trained
    assert [short.left(state(batch=batch)) for batch in (0, 2, 3, 4)] == [3, 1, 0, 0]


def test_a_selftest_changes_arguments_saves_often_and_kills_at_one_moment(kills, tmp_path):
    kill = [1, 50, 'val', 2]
    limits = {'args': {'num_workers': 2}, 'batches': 40, 'save': 7, 'kill': kill}
    args = SimpleNamespace(epochs=6, num_workers=0)
    short = ShortRun({'selftest': limits}, args, tmp_path)
    assert vars(args) == {'epochs': 6, 'num_workers': 2} and short.left(state()) == 40
    saves = {
        phase: [batch for batch in range(1, 15) if short.save_due(state(phase=phase, batch=batch))]
        for phase in ('train', 'val')
    }
    assert saves == {'train': [7, 14], 'val': [1, 2, 7, 14]}
    for moment in (
        (1, 50, 'val', 1),
        (1, 50, 'train', 2),
        (0, 50, 'val', 2),
        (2, 50, None, 0),
        kill,
    ):
        epoch, step, phase, batch = moment
        assert kills == []
        short.moment(state(epoch=epoch, step=step, phase=phase, batch=batch))
    assert kills == [(os.getpid(), signal.SIGKILL)]


class State:
    """The least that a quick trial compares."""

    def __init__(self, **values):
        self.epoch, self.phase = 2, None
        vars(self).update(values)

    def state_dict(self):
        return dict(vars(self))


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of a quick trial, as the process that loads it has it."""

    def save(state):
        checkpoints = Checkpoints(tmp_path, Background(), 1, 0)
        content = {**state.state_dict(), 'model': {}}
        checkpoints.save('epoch_2.pth', {'state': content})
        checkpoints.background.wait()
        return {'name': 'epoch_2.pth', 'state': {}}

    return save


def quick(folder):
    return ShortRun({'fast': 3}, SimpleNamespace(epochs=2), folder)


def test_what_a_load_did_not_bring_back_is_named(saved, tmp_path, capsys):
    content = saved(State(n=5, rows=[1, torch.ones(2)], a=np.float32(2)))
    same = State(n=5, rows=[1, torch.ones(2)], a=2.0, model={})
    quick(tmp_path).begin(same, content)
    assert 'epoch_2.pth was loaded by a new process' in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"state.n was 5 .* and is 0 .*; state.rows\[1\] was a"):
        quick(tmp_path).begin(State(n=0, rows=[1, torch.zeros(2)], a=2.0, model={}), content)
    ShortRun({}, SimpleNamespace(epochs=2), tmp_path).begin(State(), content)


def test_an_array_that_came_after_the_start_is_named_at_the_end(tmp_path, capsys):
    short, state = quick(tmp_path), State(first=np.zeros(2))
    short.begin(state, {})
    state.epoch, state.returns = 1, [1, np.zeros(2)]
    short.end_epoch(state)
    assert capsys.readouterr().err == ''
    state.epoch = 2
    short.end_epoch(state)
    told = capsys.readouterr().err
    assert 'state.returns[1] is an array of NumPy' in told and 'state.first' not in told


def test_a_selftest_notes_moments_data_workers_and_what_is_not_saved(tmp_path):
    model = torch.nn.Linear(1, 1)
    model.scale = 1.0
    loaders = [DataLoader([1, 2], num_workers=count) for count in (3, 0)]
    short = ShortRun({"selftest": {}}, SimpleNamespace(epochs=2), tmp_path)
    for batch in (1, 2):
        model.scale *= 0.9
        short.moment(state(step=batch, batch=batch, model=model))
    short.moment(state(epoch=1, step=2, phase=None, batch=0, model=model))
    notes = selftest_notes.read(tmp_path)
    assert notes['moments'] == [[0, 1, 'train', 1], [0, 2, 'train', 2], [1, 2, None, 0]]
    assert {loader.num_workers for loader in loaders} <= set(notes['workers'])
    assert notes['changing'] == ['state.model.scale'] and notes['unsaved'] == []
