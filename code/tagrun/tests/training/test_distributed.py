"""Several processes that train one model, on CPUs: as exact as one, the same metrics, one voice,
and none is left behind.
"""

import json
import os
import signal
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from project_factory import make_project, wait_for

from tagrun.store import run_json
from tagrun.training import distributed, loader
from tagrun.training.meter import Meter
from tagrun.training.report import describe

UPDATE = '    if args.grad_accum_steps == 1:'  # in epoch.py, where `update` begins
# last batches that leave a process with less, or with nothing; saves more than ten times a second
UNEVEN = {
    'epochs': '5',
    'batch_size': '59',
    'eval_batch_size': '133',
    'augment': '0.1',
    'dropout': '0.3',
    'grad_accum_steps': '2',
    'save_minutes': '0.001',
    'keep_every': '1',
}


@pytest.fixture(scope='module')
def pair(tmp_path_factory, data):
    """A project with the run t1/0, trained in two processes and left alone."""
    project = make_project(
        tmp_path_factory.mktemp('pair') / "a 'b; c", data, matrices=True, **UNEVEN
    )
    project.tagrun('run', '-f', '--nproc', '2', 't1')
    return project


def saved(project, name):
    """The checkpoints in the middle of epochs that are there."""
    return {path.name for path in (project.folder(name) / 'checkpoint').glob('epoch_*_train_*.pth')}


def until_saved(project, name, process, before=frozenset()):
    """Wait for one that was not there before."""
    wait_for(lambda: saved(project, name) - before or process.poll() is not None, what='a save')
    assert process.poll() is None, process.stderr.read()


def ranks(project, name):
    """(torchrun's agent, the first process, the others) of a run that trains: process ids."""
    leader = json.loads((project.folder(name) / 'lock').read_text())['pid']
    agent = int(Path(f'/proc/{leader}/stat').read_text().rpartition(')')[2].split()[1])
    others = [
        int(pid)
        for pid in subprocess.run(
            ['ps', '-o', 'pid=', '--ppid', str(agent)], capture_output=True, text=True
        ).stdout.split()
    ]
    return agent, leader, [pid for pid in others if pid != leader]


def gone(*pids):
    return wait_for(
        lambda: not any(Path(f'/proc/{pid}').exists() for pid in pids), 20, 'the processes to end'
    )


def test_stopped_by_a_signal_then_killed_and_continued_it_is_the_untouched_run(
    tmp_path, data, pair
):
    project = make_project(tmp_path / "a 'b; c", data, **UNEVEN)
    process = project.start('run', '-f', '--nproc', '2', 't1')
    until_saved(project, 't1/0', process)
    _, leader, others = ranks(project, 't1/0')
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75 and 'stopped by SIGTERM, saved as epoch_' in process.stderr.read()
    assert project.statistic('t1/0')['status'] == 'interrupted' and gone(leader, *others)
    before = saved(project, 't1/0')
    process = project.start('continue', 't1')
    until_saved(project, 't1/0', process, before)
    _, leader, others = ranks(project, 't1/0')
    os.kill(others[0], signal.SIGKILL)
    assert (
        process.wait(30) == 137 and 't1/0 killed' in process.stderr.read() and gone(leader, *others)
    )
    # as of one process that was killed: nobody could say more
    assert project.statistic('t1/0')['status'] == 'running'
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == pair.outcome('t1/0')
    assert json.loads((project.folder('t1/0') / 'run.json').read_text())['nproc'] == 2
    assert json.loads((project.folder('t1/0') / 'environment.json').read_text())['world_size'] == 2


def test_metrics_are_those_of_one_process_on_the_same_weights(pair, monkeypatch):
    """Over all samples, each once: not the mean of two means."""
    from dataloader import build_loaders
    from model import build_model

    monkeypatch.chdir(pair.root)
    args = types.SimpleNamespace(
        **pair.statistic('t1/0')['hparam'], seed=pair.statistic('t1/0')['seed']
    )
    content = torch.load(pair.folder('t1/0') / 'checkpoint' / 'epoch_5.pth', weights_only=True)[
        'state'
    ]
    model = build_model(args).eval()
    model.load_state_dict(content['model'])  # no `module.` before the names
    loaders, last = build_loaders(args), pair.statistic('t1/0')['last']
    for phase in ('val', 'test'):
        x, y = next(iter(torch.utils.data.DataLoader(loaders[phase].dataset.dataset, 10_000)))
        with torch.no_grad():
            logits = model(x)
        assert last[f'{phase}/loss'] == pytest.approx(
            torch.nn.functional.cross_entropy(logits, y).item(), rel=1e-5
        )
        assert (
            last[f'{phase}/acc'] == (logits.argmax(1) == y).float().mean(dtype=torch.float64).item()
        )
    assert content['history']['matrices']['val/confusion'].sum() == 400


def test_each_step_is_traced_with_the_loss_over_the_whole_batch(pair):
    lines = [
        line.split(',') for line in (pair.folder('t1/0') / 'trace.csv').read_text().splitlines()[1:]
    ]
    steps = [line for line in lines if line[1]]
    assert [int(line[1]) for line in steps] == list(range(1, len(steps) + 1))
    losses = [float(line[4]) for line in steps if line[0] == '5']
    sizes = [59] * (len(losses) - 1) + [3600 - 59 * (len(losses) - 1)]
    mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / 3600
    assert 0 < sizes[-1] < 59 and mean == pytest.approx(
        pair.statistic('t1/0')['last']['train/loss'], rel=1e-6
    )


def test_its_checkpoint_goes_on_in_one_process(pair):
    screen = pair.tagrun('continue', 't1', '--from', '1', '--nproc', '1').stderr
    assert 'resumed after epoch 1' in screen and 'rank' not in screen
    one, two = pair.statistic('t1/1'), pair.statistic('t1/0')
    assert one['status'] == 'finished' and one['last']['val/loss'] == pytest.approx(
        two['last']['val/loss'], rel=0.1
    )


def test_what_fails_in_one_process_is_said_once_in_its_own_words(project):
    project.edit(
        'epoch.py',
        UPDATE,
        '    from tagrun.training import distributed\n'
        '    if state.step == 5 and distributed.rank() == 1:\n'
        "        raise ValueError('a broken cable')\n" + UPDATE,
    )
    screen = project.tagrun('run', '-f', '--nproc', '2', 't1', code=1).stderr
    assert (
        screen.count(
            't1/0 failed: ValueError: a broken cable (rank 1 of 2)\n  in code/epoch.py, line'
        )
        == 1
    )
    for word in ('torchrun', 'elastic', 'gloo'):
        assert word not in screen
    assert (
        project.statistic('t1/0')['status'] == 'failed'
        and project.statistic('t1/0')['message'] == 'ValueError: a broken cable (rank 1 of 2)'
    )
    assert (project.folder('t1/0') / 'log').read_text().count('Traceback') == 1


def test_processes_get_parts_of_each_batch_that_make_it_whole():
    loaders = [loader.Loader(range(21), 5, seed=7, shuffle=True) for _ in range(3)]
    for rank, own in enumerate(loaders):
        own.batch_sampler.rank, own.batch_sampler.processes = rank, 3
        loader.seek(own, 7, 1, 0)
    samplers = [own.batch_sampler for own in loaders]
    for batch, parts in enumerate(zip(*samplers, strict=True)):
        fractions = [loader.rank_fraction(own, batch) for own in loaders]
        assert sum(fractions) == pytest.approx(1) and all(len(indices) for _, indices in parts)
        counted = np.concatenate(
            [indices for (_, indices), share in zip(parts, fractions, strict=True) if share]
        )
        assert counted.tolist() == samplers[0].indices(batch).tolist()


def test_sums_of_meters_are_over_all_samples():
    one, other = (
        ({'loss': [3.0, 2], 'acc': [1.0, 2]}, {'m': torch.tensor([1, 0])}),
        ({'loss': [9.0, 1], 'acc': [1.0, 1]}, {'m': torch.tensor([1, 2])}),
    )
    totals, sums = distributed.summed([one, other])
    assert totals == {'loss': [12.0, 3], 'acc': [2.0, 3]} and sums['m'].tolist() == [2, 2]
    assert one[0]['loss'] == [3.0, 2]


def test_in_one_process_the_model_stays_what_it_is():
    model = torch.nn.Linear(1, 1)
    assert distributed.wrap(model, shard=True) is distributed.unwrapped(model) is model
    assert not distributed.is_sharded(model) and not distributed.is_rank()
    assert (distributed.size(), distributed.rank()) == (1, 0)


def test_several_processes_take_no_single_device(monkeypatch):
    assert distributed.own_device('cpu').type == 'cpu'
    monkeypatch.setattr(distributed, 'size', lambda: 2)
    with pytest.raises(ValueError, match="device is 'cuda:1', and 2 processes train"):
        distributed.own_device('cuda:1')


def test_each_process_goes_on_with_its_own_random_numbers_and_meter(monkeypatch):
    parts = [
        {'random': rank, 'meter': {'totals': {'loss': [1.0 + rank, 2]}, 'sums': {}}}
        for rank in (0, 1)
    ]
    saved = {'ranks': parts, 'random': 'the first one\'s'}
    state = types.SimpleNamespace(phase='train', meter=Meter())
    monkeypatch.setattr(distributed, 'size', lambda: 2)
    monkeypatch.setattr(distributed, 'rank', lambda: 1)
    assert distributed.own_part(saved, state)['random'] == 1 and state.meter.means() == {'loss': 1}
    monkeypatch.setattr(distributed, 'size', lambda: 3)
    assert distributed.own_part(saved, state)['random'] is None and state.meter.means() == {}
    monkeypatch.setattr(distributed, 'rank', lambda: 0)
    assert distributed.own_part(saved, state)['random'] == 0
    assert state.meter.means() == {'loss': 0.75}
    state.phase = None
    assert distributed.own_part(saved, state) is saved


def test_what_another_process_left_behind_is_no_cause_of_its_own(tmp_path, monkeypatch):
    lost = describe([RuntimeError('Connection reset by peer')], tmp_path)
    own = describe([ValueError('my own check')], tmp_path)
    assert distributed.broken(lost) and not distributed.broken(own)
    monkeypatch.delenv('TORCHELASTIC_ERROR_FILE', raising=False)
    assert not distributed.report(own)  # nobody reads it


@pytest.mark.parametrize('number', ['0', '-1', '1025', 'two'])
def test_a_number_of_processes_that_is_none_is_refused_before_anything_is_recorded(project, number):
    project.tagrun('run', '--nproc', number, 't1', code=2)
    assert not project.git('tag')


def test_a_hostile_number_of_processes_in_run_json_starts_none(tmp_path):
    folder = tmp_path / 't1' / '0'
    folder.mkdir(parents=True)
    for number in (10**6, 0, -1, '2', True, 2.0):
        run_json.write(folder, run_json.build(tmp_path, 't1', 0, None, 1, nproc=number))
        with pytest.raises(ValueError, match='nproc'):
            run_json.read(folder)


def test_code_that_is_older_than_several_processes_is_not_started_in_them(project):
    (project.root / 'code' / 'tagrun' / 'CONTRACT').write_text('1\nnodes\n')
    assert 'older than --nproc' in project.tagrun('run', '--nproc', '2', 't1', code=1).stderr


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_again_and_a_rerun_has_as_many_processes(pair):
    assert 'the same as t1/0, bit for bit' in pair.tagrun('rerun', 't1/0', '-f').stderr


@pytest.mark.slow
@pytest.mark.parametrize('victim', ['agent', 'leader', 'other'])
def test_whichever_of_three_processes_is_killed_all_end_and_continue_is_exact(
    tmp_path, data, victim
):
    settings = {**UNEVEN, 'num_workers': '2', 'model': "'cnn'", 'channels': '8'}
    project = make_project(tmp_path / "a 'b; c", data, **settings)
    project.tagrun('run', '-f', '--nproc', '3', 'whole')
    process = project.start('run', '-f', '--nproc', '3', 't1')
    until_saved(project, 't1/0', process)
    agent, leader, others = ranks(project, 't1/0')
    os.kill({'agent': agent, 'leader': leader, 'other': others[0]}[victim], signal.SIGKILL)
    assert process.wait(30) == 75 and gone(agent, leader, *others)
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == project.outcome('whole/0')


@pytest.mark.slow
def test_uneven_parts_train_as_one_process_does(tmp_path, data):
    """Without dropout and augmentation only rounding is left between them."""
    project = make_project(
        tmp_path / "a 'b; c", data, **{**UNEVEN, 'dropout': '0.0', 'augment': '0.0', 'lr': '0.001'}
    )
    outcomes = []
    for number in ('1', '2', '3'):
        project.tagrun('run', '-f', '--nproc', number, f'in{number}')
        outcomes.append(project.statistic(f'in{number}/0')['last'])
    for outcome in outcomes[1:]:
        assert outcome == pytest.approx(outcomes[0], rel=1e-4)


@pytest.mark.slow
def test_what_cannot_be_trained_in_several_processes_is_refused_with_the_cure(project):
    project.edit(
        'state.py',
        'distributed.wrap(model, args.shard)',
        'model',
    )
    assert (
        'self.model = distributed.wrap('
        in project.tagrun('run', '--nproc', '2', 't1', code=1).stderr
    )
    project.git('checkout', '-q', 'code/state.py')
    project.edit(
        'dataloader.py',
        "'val': Loader(val_set, args.eval_batch_size, stochastic=False, **options)",
        "'val': torch.utils.data.DataLoader(val_set, 100)",
    )
    assert "'val' is a DataLoader" in project.tagrun('run', '--nproc', '2', 't2', code=1).stderr


# --- weights divided over the processes (FSDP2) ---------------------------------------------------


@pytest.mark.slow
def test_divided_weights_are_killed_and_continued_exactly_and_go_on_in_any_number(tmp_path, data):
    settings = {**UNEVEN, 'shard': 'True', 'model': "'cnn'", 'channels': '8'}
    whole = make_project(tmp_path / 'whole', data, **settings)
    whole.tagrun('run', '-f', '--nproc', '2', 't1')
    project = make_project(tmp_path / "a 'b; c", data, **settings)
    process = project.start('run', '-f', '--nproc', '2', 't1')
    until_saved(project, 't1/0', process)
    project.kill_training('t1/0')
    assert process.wait(30) == 75
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == whole.outcome('t1/0')
    folder = project.folder('t1/0') / 'checkpoint'
    listed = {line.split()[1] for line in (folder / 'SHA256SUMS').read_text().splitlines()}
    # none is left of those that went
    assert {path.stem for path in folder.glob('*.shards')} == {
        name.removesuffix('.pth') for name in listed
    }
    for number in ('2', '1', '3'):
        project.tagrun('continue', 't1/0', '--from', '1', '--nproc', number)
    assert project.outcome('t1/1') == whole.outcome('t1/0')
    for other in ('t1/2', 't1/3'):
        assert project.statistic(other)['last']['val/loss'] == pytest.approx(
            whole.statistic('t1/0')['last']['val/loss'], rel=0.1
        )


def test_a_phase_of_slow_steps_after_one_of_fast_steps_is_looked_at_soon(monkeypatch):
    """So a signal is heard after some seconds, and not after as many steps as before."""
    clock = [0.0]
    monkeypatch.setattr(distributed.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(distributed, 'rank', lambda: 0)
    monkeypatch.setattr(distributed, 'all_max', lambda *numbers: numbers)
    consensus = distributed.StopConsensus()

    def looks(seconds, steps, **first):
        looked = []
        for step in range(steps):
            clock[0] += seconds
            looked.append(consensus.ask(False, None, **(first if step == 0 else {}))[0])
        return looked

    fast = looks(0.001, 500, now=True)
    assert sum(fast) < 20
    assert looks(5.0, 4, now=True) == [True] * 4
    assert sum(looks(0.001, 500)) < 20


def test_the_first_process_decides_for_all_what_is_best_and_whether_patience_is_out(project):
    """The monitored metric is each process's own: the first one's rises, the other one's falls."""
    measured = '    return state.meter.result()'
    own = (
        '    metrics = state.meter.result()\n'
        '    sign = -1 if distributed.rank() else 1\n'
        "    metrics['own'] = sign * min(state.epoch, 2)\n"
        '    return metrics'
    )
    project.edit('epoch.py', measured, own)
    project.edit(
        'epoch.py',
        'from mnist1d_data import CLASSES',
        'from mnist1d_data import CLASSES\nfrom tagrun.training import distributed',
    )
    project.tagrun(
        *('run', '--nproc', '2', 't1', '--set', 'monitor=val/own', 'patience=2', 'epochs=9')
    )
    statistic = project.statistic('t1/0')
    assert (statistic['status'], statistic['best_epoch'], statistic['epoch']) == ('finished', 3, 5)
