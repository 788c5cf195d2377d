"""training/output.py: what a run writes and shows, and that a further process writes nothing."""

import inspect
import io
import sys
import types

import pytest
import torch
from closed_run import ARGS, INFO

from tagrun.store import atomic, layout, lock
from tagrun.training import summaries
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.output import Files
from tagrun.training.report import describe
from tagrun.training.silent_output import Silent
from tagrun.training.writer import Writer


def signatures(kind):
    """{name: signature} of the public methods of a class."""
    methods = {name: value for name, value in vars(kind).items() if callable(value)}
    return {name: inspect.signature(methods[name]) for name in methods if name[0] != '_'}


def test_the_process_that_writes_and_a_silent_one_have_the_same_methods():
    assert signatures(Files) == signatures(Silent)


@pytest.mark.parametrize(
    'example, why', [({'x': 1}, ''), ((torch.ones(2, 3),), 'no graph in TensorBoard')]
)
def test_a_model_that_has_no_graph_is_trained_without_one(tmp_path, example, why):
    class Untraceable(torch.nn.Module):
        def forward(self, x):
            raise ValueError('not like this')

    logged = []
    here = types.SimpleNamespace(
        _writer=Writer(tmp_path, None),
        _log=types.SimpleNamespace(only_file=logged.append),
    )
    state = types.SimpleNamespace(model=Untraceable())
    Files._draw_graph(here, state, torch.device('cpu'), {'val': [example]})
    here._writer.close()
    assert why in ''.join(logged) and bool(logged) == bool(why)


@pytest.fixture
def output(folder):
    """The output of a run that has begun to train."""
    files = Files(folder)
    files.acquire(INFO)
    state = types.SimpleNamespace(
        model=torch.nn.Linear(1, 1),
        history=EpochHistory('val/acc', 'max'),
        epoch=0,
        phase=None,
        step=0,
    )
    state.state_dict = lambda: {'model': state.model.state_dict(), 'epoch': state.epoch}
    files.open(ARGS, torch.device('cpu'), state, {'train': []}, {})
    yield files, state, folder
    for close in files.closing_steps():
        close()
    files._log.close()
    files._lock.release()


def test_an_epoch_is_reported_with_the_digest_of_its_weights(output, capfd):
    files, state, folder = output
    state.history.add({'val/acc': 0.5, 'lr': 0.1}, {'val/confusion': torch.eye(2)}, 1.0)
    state.epoch = 1
    files.end_epoch(state, {'val/acc': 0.5}, last=False)
    digest = files.save(state, 'epoch_1.pth', {}, best=True)
    files.trace_weights(1, digest)
    files.report(state.history)
    files.flush()
    assert files.last_report['digest'] == {'weights': digest.result()}
    assert (folder / 'history.csv').read_text().count('\n') == 2
    assert (folder / 'checkpoint' / 'epoch_best.pth').readlink().name == 'epoch_1.pth'
    assert (folder / 'trace.csv').exists() and (folder / 'confusion.json').exists()
    assert 'epoch 1/2   val acc 0.5000' in capfd.readouterr().out


def test_a_metric_that_nobody_measures_is_named_after_the_first_epoch(output, capfd):
    files, state, _ = output
    state.history.add({'val/loss': 0.5, 'lr': 0.1}, {}, 1.0)
    state.epoch = 1
    files.end_epoch(state, {'val/loss': 0.5}, last=False)
    said = capfd.readouterr().err
    assert 'epoch 1 cannot be the best: it has no val/acc, which is monitor' in said
    assert 'but val/loss' in said


def test_a_metric_of_a_phase_that_comes_in_a_later_epoch_is_waited_for(output, capfd):
    files, state, _ = output
    state.history.add({'train/loss': 0.5, 'lr': 0.1}, {}, 1.0)
    state.epoch = 1
    files.end_epoch(state, {'train/loss': 0.5}, last=False)
    assert 'cannot be the best' not in capfd.readouterr().err


def test_what_tensorboard_cannot_get_is_said_once_and_training_goes_on(output, capfd):
    files, _, _ = output
    for value in ('no number', torch.ones(2), object()):
        files.scalar('norm', value, 1)
    files.summary(summaries.image, 'samples', torch.ones(5), 1)
    lines = [
        text for text in capfd.readouterr().err.splitlines() if 'TensorBoard cannot show' in text
    ]
    assert len(lines) == 2 and 'norm;' in lines[0] and 'samples;' in lines[1]


def test_a_function_is_called_when_a_checkpoint_is_on_disk_and_may_fail(output, capfd):
    files, state, folder = output
    seen = []

    def copy(path):
        seen.append((path.name, path.exists(), (folder / 'checkpoint' / 'epoch_last.pth').exists()))
        raise OSError('no connection')

    files.on_checkpoint(copy)
    files.save(state, 'epoch_1.pth', {}, best=False)
    files.flush()
    files.save(state, 'epoch_2.pth', {}, best=False)
    files.flush()
    assert seen == [('epoch_1.pth', True, True), ('epoch_2.pth', True, True)]
    assert 'epoch_1.pth is saved, but your hook failed: OSError: no' in capfd.readouterr().err


def test_only_a_recorded_run_is_on_the_list_of_finished_ones(output):
    files, _, folder = output
    files._info = {**INFO, 'commit': None}
    files.add_to_finished()
    finished = layout.list_file(folder.parents[2], 'finished')
    assert not finished.exists()
    files._info = INFO
    files.add_to_finished()
    assert finished.read_text() == 't1/0\n'


def test_a_run_that_another_process_trains_is_left_to_it(folder, capfd):
    owner = lock.Lock(folder)
    with pytest.raises(SystemExit) as left:
        Files(folder).acquire(INFO)
    owner.release()
    assert left.value.code == 1 and 't1/0 is being trained already' in capfd.readouterr().err


def test_a_silent_process_writes_nothing_and_says_only_what_failed_in_it(folder, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, '__stderr__', screen)
    silent = Silent(folder)
    for error in (KeyboardInterrupt(), ConnectionError('Connection closed by peer')):
        silent.announce(describe([error], folder))
    assert screen.getvalue() == '' and not list(folder.iterdir())
    silent.announce(describe([ValueError('my own check')], folder))
    assert 'ValueError: my own check' in screen.getvalue() and silent.closing_steps() == []


def test_a_run_that_finished_txt_has_no_room_for_is_finished_and_says_so(
    output, monkeypatch, capsys
):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic, 'append_line', full)
    output[0].add_to_finished()
    said = capsys.readouterr().err
    assert 'is trained, but could not be added to finished.txt (No space left on device)' in said
    assert 'doctor --fix' in said
