"""Runs that begin with another run: real trainings, as a user types them.

All share one pretrained run; each test adds runs of its own.
"""

import csv
import json

import pytest
from project_factory import make_project

from tagrun.store import checkpoints

CODED = '''        state = State(args, run.device, steps_per_epoch)
        run.weights_of('pre/0:best', '0', into=state.model[0])
        teacher = run.weights_of('pre/0:last')
        assert teacher['5.bias'].device.type == 'cpu'
'''


@pytest.fixture(scope='module')
def pre(tmp_path_factory, data):
    """A project with pre/0: three epochs, all kept."""
    made = make_project(tmp_path_factory.mktemp('pre') / "a 'b; c", data, keep_last='9')
    made.tagrun('run', '-f', 'pre')
    return made


def history(project, name):
    with open(project.folder(name) / 'history.csv', newline='') as file:
        return list(csv.DictReader(file))


def links(project, name):
    folder = project.folder(name) / checkpoints.FOLDER
    return {
        link.removeprefix('epoch_'): (folder / f'{link}.pth').readlink().name
        for link in ('epoch_best', 'epoch_last')
    }


def test_from_an_earlier_checkpoint_the_same_code_ends_with_the_same_bits(pre):
    pre.tagrun('run', '-f', 'same', '--from', 'pre:2')
    one, other = pre.statistic('same/0'), pre.statistic('pre/0')
    assert one['digest'] == other['digest'] and one['metric'] == other['metric']
    assert one['best_epoch'] == other['best_epoch'] and one['epoch'] == 3
    rows = [
        {name: value for name, value in row.items() if name != 'seconds'}
        for name in ('same/0', 'pre/0')
        for row in history(pre, name)
    ]
    assert rows[:3] == rows[3:]
    assert links(pre, 'same/0') == links(pre, 'pre/0')
    # its trace has what it trained itself, after the weights that it began with
    lines = (pre.folder('same/0') / 'trace.csv').read_text().splitlines()
    of_pre = (pre.folder('pre/0') / 'trace.csv').read_text().splitlines()
    assert lines[1].startswith('2,,,,,') and lines[1:] == of_pre[-len(lines[1:]) :]


def test_it_trains_longer_with_other_arguments_and_a_rerun_is_the_same(pre):
    words = ('--from', 'pre', '--set', 'epochs=4', '--set', 'lr=0.1', '--set', 'schedule=constant')
    done = pre.tagrun('run', 'long', *words)
    assert '  optimizer: lr 0.1 instead of 0.01\n' in done.stderr
    content = pre.statistic('long/0')
    assert content['epoch'] == 4 and len(history(pre, 'long/0')) == 4
    assert float(history(pre, 'long/0')[-1]['lr']) == 0.1 == content['hparam']['lr']
    best = content['best_epoch']
    assert links(pre, 'long/0') == {'best': f'epoch_{best}.pth', 'last': 'epoch_4.pth'}
    done = pre.tagrun('rerun', 'long', '-f')
    assert 'the same as long/0, bit for bit' in done.stderr


def test_with_weights_alone_it_is_another_training_and_a_rerun_is_the_same(pre):
    done = pre.tagrun('run', 'fine', '--weights-from', 'pre', '--set', 'epochs=1')
    # its seed is another one, and splits the data
    assert 'train and val have as many samples as in pre/0, but others' in done.stderr
    content = pre.statistic('fine/0')
    assert content['epoch'] == 1 and list(content['inputs']) == ['pre/0']
    assert float(history(pre, 'fine/0')[0]['val/acc']) > float(history(pre, 'pre/0')[0]['val/acc'])
    done = pre.tagrun('rerun', 'fine', '-f')
    assert 'the same as fine/0, bit for bit' in done.stderr
    best = f'epoch_{pre.statistic("pre/0")["best_epoch"]}.pth'
    assert f'from pre/0:{best}' in pre.tagrun('expls', 'fine').stdout
    assert f'from pre/0:{best}' in pre.tagrun('expls').stdout
    # it is named before all else
    lines = pre.tagrun('why', 'fine/0', 'pre/0').stdout.splitlines()
    assert lines[0].startswith('fine/0 and pre/0: they differ in inputs, ')
    assert lines[1].startswith(f'inputs    pre/0: weights {best} ')
    assert 'takes pre/0:' in (pre.folder('fine/0') / 'log').read_text()


def test_what_the_code_takes_is_recorded_and_taken_again(pre):
    pre.edit('main.py', '        state = State(args, run.device, steps_per_epoch)\n', CODED)
    try:
        pre.tagrun('run', 'coded', '--set', 'epochs=1')
        pre.tagrun('rerun', 'coded', '-f')
        pre.tagrun('evaluate', 'coded/0')
    finally:
        pre.git('checkout', '-q', 'code/main.py')
    record = json.loads((pre.folder('coded/0') / 'run.json').read_text())['inputs']
    files = {each['file'] for each in record.values()}
    assert files == {*links(pre, 'pre/0').values()}
    assert {each['what'] for each in record.values()} == {'code'}
    rerun = json.loads((pre.folder('coded/1') / 'run.json').read_text())
    assert rerun['inputs'] == record and rerun['verdict']['same'] is True
    assert pre.statistic('coded/0')['inputs'] == record


@pytest.mark.slow
def test_a_changed_input_fails_a_run_by_its_name_before_it_trains(pre):
    """It changed after the run was recorded; the command itself refuses a changed one."""
    pre.tagrun('run', 'given', '--set', 'epochs=1')
    pre.tagrun('run', 'late', '-q', '--weights-from', 'given')
    path = pre.folder('given/0') / checkpoints.FOLDER / 'epoch_1.pth'
    path.write_bytes(path.read_bytes()[:-1] + b'x')
    done = pre.tagrun('continue', 'late', code=1)
    assert 'input given/0 epoch_1.pth has changed' in done.stderr


@pytest.mark.slow
def test_a_quick_trial_takes_weights_too(pre):
    done = pre.tagrun('run', '--fast', '--weights-from', 'pre')
    assert 'begins with the weights of pre/0:' in done.stderr
    assert 'the state came back as saved' in done.stderr


@pytest.mark.slow
def test_weights_go_into_and_out_of_a_model_that_several_processes_divide(pre):
    divided = ('--nproc', '2', '--set', 'shard=True', '--set', 'epochs=1')
    pre.tagrun('run', 'divided', *divided, '--weights-from', 'pre:2')
    pre.tagrun('run', 'whole', '--set', 'epochs=1', '--weights-from', 'divided')
    pre.tagrun('run', 'on', *divided[:4], '--set', 'epochs=2', '--from', 'divided')
    assert pre.statistic('on/0')['epoch'] == 2
    done = pre.tagrun('run', 'not', *divided, '--from', 'pre:2', code=1)
    assert (
        'pre/0:epoch_2.pth does not fit this code: epoch_2.pth holds whole weights' in done.stderr
    )
    # the same weights go in, divided or shared or in one process: the first loss says so
    same = ('-f', '--set', 'epochs=1', '--set', 'dropout=0.0', '--weights-from', 'pre:2')
    pre.tagrun('run', 'shared', *same, '--nproc', '2')
    pre.tagrun('run', 'parts', *same, *divided[:4])
    pre.tagrun('run', 'one', *same)
    losses = [
        float((pre.folder(f'{tag}/0') / 'trace.csv').read_text().splitlines()[1].split(',')[4])
        for tag in ('shared', 'parts', 'one')
    ]
    assert losses[0] == pytest.approx(losses[2], rel=1e-5)
    assert losses[1] == pytest.approx(losses[2], rel=1e-5)
