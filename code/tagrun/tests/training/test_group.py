"""training/group.py: one process or several save, stop and end a run together."""

import inspect
import json

import pytest
import torch

from tagrun.store import layout, lock
from tagrun.training import distributed
from tagrun.training.group import Alone, Group
from tagrun.training.report import describe
from tagrun.training.trace import TrainedStep


def signatures(kind):
    """{name: signature} of the public methods of a class."""
    methods = {name: value for name, value in vars(kind).items() if callable(value)}
    return {name: inspect.signature(methods[name]) for name in methods if name[0] != '_'}


def test_one_process_and_one_of_several_have_the_same_methods():
    assert signatures(Alone) == signatures(Group)


def test_a_process_alone_decides_by_itself():
    alone, batches = Alone(), iter([1])
    assert alone.poll(True, None, now=False) == (True, None)
    assert alone.poll_epoch(15, 'median') == (15, 'median')
    assert alone.divided(batches, None, None) is batches and alone.rank_states(None) == {}
    said = []
    with pytest.raises(SystemExit) as left:
        alone.exit(describe([ValueError('mine')], layout.Path('.')), said.append)
    assert left.value.code == 1 and said[0].line == 'ValueError: mine'


def test_a_traced_loss_is_over_the_samples_of_all_processes(monkeypatch):
    """The other process has three quarters of each batch, and a loss of 3."""
    monkeypatch.setattr(
        distributed, 'all_gather', lambda own: [own, [dict.fromkeys(it, 2.25) for it in own]]
    )
    group, traced = Group(), []
    trace_step = group.step_tracer(traced.append)
    group._fraction = 0.25
    values = {'loss': torch.tensor(1.0), 'kl': 0.0}
    trace_step(TrainedStep(1, 1, 'aa', 'bb', values, {'lr': 0.1}))
    trace_step(TrainedStep(1, 2, 'cc', 'dd', {}, {'lr': 0.1}))
    assert traced == []  # until they look together
    group._trace_collected()
    assert traced == [
        (1, 1, 'aa', 'bb', {'loss': 2.5, 'kl': 2.25}, {'lr': 0.1}),
        (1, 2, 'cc', 'dd', {}, {'lr': 0.1}),
    ]
    group._trace_collected()
    assert len(traced) == 2


def test_a_process_without_a_sample_of_a_batch_adds_no_loss(monkeypatch):
    monkeypatch.setattr(distributed, 'all_gather', lambda own: [own, [{'loss': 0.5}]])
    group, traced = Group(), []
    trace_step = group.step_tracer(lambda step: traced.append(step.values))
    group._fraction = 0.0
    values = {'loss': torch.tensor(float('nan'))}
    trace_step(TrainedStep(1, 1, 'aa', 'bb', values, {'lr': 0.1}))
    group._trace_collected()
    assert traced == [{'loss': 0.5}]


def test_what_failed_in_one_of_several_is_left_to_the_agent_to_say(monkeypatch, tmp_path):
    ending = describe([ValueError('mine')], tmp_path)
    assert Group().final_status(ending) == ('failed', 'ValueError: mine')
    monkeypatch.setenv(distributed.MARK, str(tmp_path))
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / 'error.json'))
    assert Group().final_status(ending) == ('running', None)
    said = []
    with pytest.raises(SystemExit) as left:
        Group().exit(ending, said.append)
    assert left.value.code == 1 and said == []
    content = json.loads((tmp_path / 'error.json').read_text())
    assert content['ending']['line'] == 'ValueError: mine' and not content['broken']


# --- as a command ---------------------------------------------------------------------------------

UPDATE = '    if args.grad_accum_steps == 1:'  # in epoch.py, where `update` begins
CHECK = "    assert state.step != 3, 'my own check'\n"
BROKEN_WRITER = """from tagrun.training.writer import Writer


def broken(self):
    raise RuntimeError('a broken TensorBoard')


Writer.close = broken
AMP ="""
# two processes take the same way as one, and longer
TWO = pytest.param(2, marks=pytest.mark.slow)
BROKEN_BARRIER = """from tagrun.training import distributed


def broken():
    if distributed.rank() == 0:
        raise RuntimeError('a broken process group')
    barrier()


barrier, distributed.barrier_and_release = distributed.barrier_and_release, broken
AMP ="""


@pytest.mark.parametrize('processes', [1, TWO])
def test_a_researchers_own_error_is_said_beside_a_loss_that_is_no_number(project, processes):
    project.edit('epoch.py', UPDATE, CHECK + UPDATE)
    project.edit(
        'epoch.py',
        '            prediction = logits',
        "            if train and state.step == 2:\n                loss = loss * float('nan')\n"
        '            prediction = logits',
    )
    screen = project.tagrun('run', '-f', '--nproc', processes, 't1', code=1).stderr
    message = project.statistic('t1/0')['message']
    log = (project.folder('t1/0') / 'log').read_text()
    for text in (screen, message, log):
        assert 'AssertionError: my own check' in text
    assert 'in code/epoch.py, line' in screen and project.statistic('t1/0')['status'] == 'failed'
    if processes == 1:  # several processes look at the losses four times a second
        for text in (screen, message, log):
            assert 'FloatingPointError: the loss is nan at step 3' in text


ALONE = pytest.param(False, marks=pytest.mark.slow)


@pytest.mark.parametrize('own', [True, ALONE], ids=['after an error', 'alone'])
def test_a_failure_while_the_first_of_two_processes_closes_is_said_and_ends_both(project, own):
    project.edit('epoch.py', 'AMP =', BROKEN_WRITER)
    if own:
        project.edit('epoch.py', UPDATE, CHECK + UPDATE)
    screen = project.tagrun('run', '-f', '--nproc', '2', 't1', code=1).stderr
    message = project.statistic('t1/0')['message']
    log = (project.folder('t1/0') / 'log').read_text()
    for text in (screen, message, log):
        assert 'RuntimeError: a broken TensorBoard' in text
        assert ('AssertionError: my own check' in text) == own
    assert project.statistic('t1/0')['status'] == 'failed'
    assert lock.owner(project.folder('t1/0')) is None
    assert not layout.list_file(project.root, 'finished').exists()


def test_a_process_group_that_breaks_at_the_end_leaves_no_run_finished(project):
    project.edit('epoch.py', 'AMP =', BROKEN_BARRIER)
    screen = project.tagrun('run', '-f', '--nproc', '2', 't1', code=1).stderr
    content = project.statistic('t1/0')
    assert content['status'] == 'failed' and content['epoch'] == 3
    for text in (screen, content['message']):
        assert 'RuntimeError: a broken process group (rank 0 of 2)' in text
    assert 'in broken' in (project.folder('t1/0') / 'log').read_text()
    assert not layout.list_file(project.root, 'finished').exists()


@pytest.mark.parametrize('processes', [1, TWO])
def test_a_run_that_a_signal_stops_stays_resumable_whatever_fails_then(project, processes):
    project.edit('epoch.py', 'AMP =', BROKEN_WRITER)
    project.edit(
        'epoch.py',
        UPDATE,
        '    import os, signal\n    from tagrun.training import distributed\n'
        "    if state.step == 3 and distributed.rank() == 0 and not os.path.exists('stopped'):\n"
        "        open('stopped', 'w').close()\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        + UPDATE,
    )
    screen = project.tagrun('run', '-f', '--nproc', processes, 't1', code=75).stderr
    content = project.statistic('t1/0')
    assert content['status'] == 'interrupted' and 'RuntimeError: a broken TensorBoard' in screen
    assert content['message'].startswith('stopped by SIGTERM, saved as epoch_')
    assert content['message'].endswith('RuntimeError: a broken TensorBoard')
    project.git('checkout', '-q', 'code/epoch.py')
    screen = project.tagrun('continue', 't1', code=1).stderr  # the run's own code is as broken
    assert 'resumed ' in screen and 'a broken TensorBoard' in screen
