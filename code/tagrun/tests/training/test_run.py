"""training/run.py: where a run stands, and how it ends. What fails while it closes never replaces
what came first, and every later step of closing is still done.
"""

import errno
import json
import signal
import time
import types

import pytest
import torch
from closed_run import Closed
from project_factory import make_project

from tagrun.store import atomic, statistic
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.group import Alone
from tagrun.training.log import Log
from tagrun.training.output import Files
from tagrun.training.progress import Bars
from tagrun.training.run import Run
from tagrun.training.signals import Pruned, Stopped
from tagrun.training.trace import Trace, TrainedStep
from tagrun.training.writer import Writer

# what breaks: (the class or module, its function, whether it is called where an error came first)
STEPS = {
    'bars': (Bars, 'close', True),
    'TensorBoard': (Writer, 'close', True),
    'trace': (Trace, 'close', True),
    'background writer': (Trace, 'sync', True),
    'last report': (Files, '_write_report', True),
    'process group': (Alone, 'barrier', False),
    'finished.txt': (atomic, 'append_line', False),
}
CAUSES = {
    'nothing': (None, statistic.FAILED, 1),
    "the researcher's own error": (ValueError('my own check'), statistic.FAILED, 1),
    "the researcher's own exit": (SystemExit(3), statistic.FAILED, 3),
    'a second Ctrl-C': (KeyboardInterrupt(), statistic.INTERRUPTED, 130),
    'SIGTERM': (Stopped(signal.SIGTERM), statistic.INTERRUPTED, 75),
    'its sweep': (Pruned('median: 0.3'), statistic.PRUNED, 0),
}
WORDS = ('', 'ValueError: my own check', 'SystemExit: 3', 'at once', 'by SIGTERM', 'median: 0.3')


def unbegun(**args):
    """A Run with these arguments that has not begun."""
    run = object.__new__(Run)
    vars(run).update(args=types.SimpleNamespace(**args))
    return run


def test_a_run_stops_after_its_epochs_or_when_patience_has_run_out():
    history = EpochHistory('val/acc', 'max', patience=2)
    state = types.SimpleNamespace(epoch=4, history=history)
    assert not unbegun(epochs=5).should_stop(state)
    for value in (0.5, 0.4, 0.4):
        history.add({'val/acc': value}, {}, 1.0)
    assert unbegun(epochs=5).should_stop(state) and unbegun(epochs=None).should_stop(state)
    state = types.SimpleNamespace(epoch=5, history=EpochHistory('val/acc', 'max'))
    assert unbegun(epochs=5).should_stop(state) and not unbegun(epochs=None).should_stop(state)


def test_evaluations_come_in_each_nth_epoch_and_in_the_last():
    run = unbegun(epochs=5, eval_interval=2, phases=('train', 'val', 'test'))
    states = [types.SimpleNamespace(epoch=epoch, metrics={}) for epoch in range(5)]
    counts = [len(list(run.phases(state))) for state in states]
    assert counts == [1, 3, 1, 3, 3]
    run.args.eval_interval = 0
    assert [len(list(run.phases(state))) for state in states] == [1, 1, 1, 1, 3]
    run.args.eval_interval = 2
    states[1].metrics = {'train': {}, 'val': {}}
    assert list(run.phases(states[1])) == ['test']
    # nothing but evaluations: they are what the epochs are for
    run = unbegun(epochs=None, eval_interval=4, phases=('val',))
    assert list(run.phases(states[0])) == ['val']


# --- an epoch's end ------------------------------------------------------------------------------


RESULT = '    return state.meter.result()'
ODD = """    import numpy as np
    odd = np.ones((2, 3)) if phase == 'val' and state.epoch == 1 else 0.5
    return {**state.meter.result(), 'odd': odd}"""


def test_a_metric_that_is_none_fails_the_run_after_its_epoch_is_saved(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, epochs='3', model="'linear'")
    project.edit('epoch.py', RESULT, ODD)
    project.commit()
    screen = project.tagrun('run', '-f', 't1', code=1).stderr
    assert 'val/odd is a ndarray of float64 and shape (2, 3): a metric is a number' in screen
    assert 'Epoch 2 is saved without it' in screen
    assert (project.folder('t1/0') / 'checkpoint' / 'epoch_2.pth').exists()
    message = project.statistic('t1/0')['message']
    assert 'val/odd' in message and project.statistic('t1/0')['epoch'] == 2
    screen = project.tagrun('continue', 't1').stderr
    assert 'resumed after epoch 2' in screen and project.statistic('t1/0')['status'] == 'finished'
    rows = (project.folder('t1/0') / 'history.csv').read_text().splitlines()
    assert len(rows) == 4 and 'val/odd' in rows[0]


NAMED = """Sample = __import__('collections').namedtuple('Sample', 'x y')


class Signals(Dataset):"""


def test_a_dataset_of_named_tuples_trains_by_the_sample_and_by_the_batch(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, epochs='1', model="'linear'")
    project.edit('dataloader.py', 'class Signals(Dataset):', NAMED)
    project.edit('dataloader.py', 'return x, self.y[index]', 'return Sample(x, self.y[index])')
    project.edit(
        'epoch.py',
        'for x, y in run.batches(state, loader, phase):',
        'for batch in run.batches(state, loader, phase):\n            x, y = batch.x, batch.y',
    )
    project.commit()
    project.tagrun('run', '-f', 't1')
    project.tagrun('run', '-f', 't2', '--set', 'augment=0.1', 'num_workers=2')
    for name in ('t1/0', 't2/0'):
        assert project.statistic(name)['status'] == 'finished'


MANY = """    import numpy as np
    confusion = state.meter.result().get('confusion', np.zeros((10, 10)))
    recall = np.asarray(confusion.diagonal()) / np.maximum(1, np.asarray(confusion).sum(1))
    result = {'acc': np.float32(0.5), 'recall': recall, 'table': np.asarray(confusion)}
    return {**state.meter.result(), **result}"""


NUMBER = pytest.param('10', marks=pytest.mark.slow)


@pytest.mark.parametrize('classes', ["np.array([f'digit {d}' for d in range(10)])", NUMBER])
def test_classes_may_be_an_array_or_a_number_and_metrics_those_of_numpy(tmp_path, data, classes):
    project = make_project(tmp_path / "a 'b; c", data, True, epochs='2', model="'linear'")
    project.edit('epoch.py', RESULT, MANY)
    old = '    classes = [str(digit) for digit in range(CLASSES)]'
    project.edit('dataloader.py', old, f'    classes = {classes}')
    project.commit()
    project.tagrun('run', '-f', 't1')
    label = '3' if classes == '10' else 'digit 3'
    metric = project.statistic('t1/0')['metric']
    assert 0 <= metric[f'val/recall/{label}'] <= 1 and metric['val/acc'] == 0.5
    matrices = json.loads((project.folder('t1/0') / 'confusion.json').read_text())['matrices']
    names = None if classes == '10' else [f'digit {digit}' for digit in range(10)]
    assert matrices['val/table']['classes'] == matrices['val/confusion']['classes'] == names
    assert matrices['val/table']['counts'] == matrices['val/confusion']['counts']


# --- how it ends ---------------------------------------------------------------------------------


def break_step(monkeypatch, step, error):
    owner, name, _ = STEPS[step]

    def broken(*_, **__):
        raise error

    monkeypatch.setattr(owner, name, broken)


@pytest.mark.parametrize('cause', CAUSES)
@pytest.mark.parametrize('step', STEPS)
def test_what_fails_while_a_run_closes_is_added_to_what_came_first(
    folder, capfd, monkeypatch, step, cause
):
    error, status, code = CAUSES[cause]
    called = error is None or STEPS[step][2]
    break_step(monkeypatch, step, RuntimeError(f'a broken {step}'))
    run = Closed(folder, capfd, error)
    first = WORDS[list(CAUSES).index(cause)]
    assert run.code == code and run.statistic['status'] == status
    for text in (run.statistic['message'], run.screen):
        assert first in text and (f'RuntimeError: a broken {step}' in text) == called
    traced = [isinstance(error, (ValueError, SystemExit)), called]
    assert run.log.count('Traceback (most recent call last)') == sum(traced)
    assert first in run.log and 'During handling' not in run.log
    assert run.finished == ''
    files_closed = [step == 'trace' or run.output._trace._file.closed]
    files_closed += [step == 'TensorBoard' or run.output._writer._file.closed]
    assert all(files_closed)


@pytest.mark.parametrize('cause', CAUSES)
def test_all_that_fails_is_said_and_each_once(folder, capfd, monkeypatch, cause):
    error, status, code = CAUSES[cause]
    for step in STEPS:
        break_step(monkeypatch, step, RuntimeError(f'a broken {step}'))
    run = Closed(folder, capfd, error)
    assert run.code == code and run.statistic['status'] == status
    message = run.statistic['message']
    assert WORDS[list(CAUSES).index(cause)] in message
    # the report came first in the background, which did nothing after it
    for step in ('last report', 'bars', 'TensorBoard', 'trace'):
        assert message.count(f'a broken {step}') == 1


@pytest.mark.parametrize('error', [SystemExit(0), KeyboardInterrupt(), OSError(28, 'No space')])
@pytest.mark.parametrize('step', ['bars', 'trace', 'finished.txt'])
def test_no_failure_of_any_kind_escapes_a_closing_step(folder, capfd, monkeypatch, step, error):
    break_step(monkeypatch, step, error)
    run = Closed(folder, capfd)
    # what is trained and saved is finished, though no list has room for it
    is_finished = step == 'finished.txt' and isinstance(error, OSError)
    code = 130 if isinstance(error, KeyboardInterrupt) else 1
    assert run.code == (0 if is_finished else code)
    assert run.output._writer._file.closed and run.finished == ''
    run = Closed(folder, capfd, ValueError('my own check'))
    assert run.code == 1 and 'ValueError: my own check' in run.statistic['message']


@pytest.mark.parametrize('cause', CAUSES)
def test_a_status_that_cannot_be_written_at_first_is_written_then(
    folder, capfd, monkeypatch, cause
):
    error, status, code = CAUSES[cause]
    write, calls = Files.write_final_status, []

    def broken_once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError('a broken status')
        write(self, *arguments)

    monkeypatch.setattr(Files, 'write_final_status', broken_once)
    run = Closed(folder, capfd, error)
    assert run.code == code and run.statistic['status'] == status
    assert 'a broken status' in run.statistic['message'] and 'a broken status' in run.screen
    assert WORDS[list(CAUSES).index(cause)] in run.statistic['message']


def test_a_status_that_can_never_be_written_leaves_screen_and_exit_code(folder, capfd, monkeypatch):
    def broken(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Files, 'write_final_status', broken)
    run = Closed(folder, capfd, ValueError('my own check'))
    assert run.code == 1 and run.screen.count('No space left') == 1
    assert 'my own check' in run.screen and run.statistic['status'] == 'running'


def test_a_broken_log_leaves_screen_status_and_exit_code(folder, capfd, monkeypatch):
    def broken(*_):
        raise ValueError('I/O operation on closed file')

    def close_log(_):
        monkeypatch.setattr(Log, 'only_file', broken)

    run = Closed(folder, capfd, RuntimeError('my own check'), before=close_log)
    assert run.code == 1 and run.statistic['message'] == 'RuntimeError: my own check'


def test_a_loss_that_is_no_number_is_added_to_the_error_that_came_before_it_was_seen(folder, capfd):
    def train(output):
        # the first step is looked at at once
        for step, loss in ((2, 0.5), (3, torch.tensor(float('nan')))):
            output.trace_step(TrainedStep(1, step, 'aa', 'bb', {'loss': loss}, {'lr': 0.1}))

    run = Closed(folder, capfd, AssertionError('my own check'), before=train)
    message = run.statistic['message']
    assert message.startswith('AssertionError: my own check; then, while the run closed: ')
    assert 'FloatingPointError: the loss is nan at step 3' in message
    assert run.log.count('Traceback (most recent call last)') == 2


def test_a_run_that_closes_well_is_finished_and_listed(folder, capfd):
    run = Closed(folder, capfd)
    assert run.code == 0 and run.statistic['status'] == 'finished' and run.finished == 't1/0\n'
    assert 'message' not in run.statistic and run.screen == '2 trainable parameters\n'


def test_a_worker_that_the_same_signal_took_is_no_failure(folder, capfd):
    """A scheduler signals every process of a job: training then loses a worker."""
    error = RuntimeError('DataLoader worker (pid 7) is killed by signal: Terminated.')
    assert Closed(folder, capfd, error, signal.SIGTERM).code == 75
    assert Closed(folder, capfd, error).code == 1


def test_how_it_ended_is_written_after_a_report_that_nobody_waits_for(folder, capfd):
    statuses = []

    def report(output):
        time.sleep(0.3)
        statuses.append(statistic.read(folder)['status'])

    def submit(output):
        output._background.submit(report, output)
        output._background._pending.clear()  # as Ctrl-C may, just after it was handed over

    run = Closed(folder, capfd, KeyboardInterrupt(), signal.SIGINT, before=submit)
    assert statuses == ['running'] and run.statistic['status'] == 'interrupted'


def test_phases_of_any_name_are_saved_in_between_and_go_on_there(project):
    """The name has a slash, a space and a letter that ASCII lacks; training fails within it."""
    project.edit(
        'dataloader.py',
        "        'val': Loader(val_set",
        "        'val/a ü': Loader(val_set",
    )
    fails = (
        '        for x, y in run.batches(state, loader, phase):',
        "            if 'ü' in phase and state.batch == 3 and not (run.folder / 'go').exists():\n"
        "                (run.folder / 'go').touch()\n"
        "                raise ValueError('here')\n",
    )
    path = project.root / 'code' / 'epoch.py'
    lines = path.read_text().splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if line.startswith(fails[0]))
    path.write_text(''.join([*lines[: at + 1], fails[1], *lines[at + 1 :]]))
    project.configure(phases="('train', 'val/a ü')", monitor="'val/a ü/acc'", eval_batch_size='50')
    project.tagrun('run', 't1', '--set', 'epochs=1', 'save_minutes=0.0', code=1)
    said = project.tagrun('continue', 't1').stderr
    assert 'in epoch 1, after 3 batches of val/a ü' in said
    assert project.statistic('t1/0')['best_epoch'] == 1
