"""core/compare/run_status.py: state, progress and the best metric of a run."""

import math

import pytest
from run_factory import run

from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.store import statistic
from tagrun.store.run_ref import RunRef

THEN = run_status.unix_time('2026-11-21T09:00:00Z')


def status_with(number=0, best=None, mode='max', **hparam):
    content = {'monitor': 'val/acc', 'monitor_mode': mode, 'metric': {}, 'hparam': hparam}
    if best is not None:
        content['metric'] = {'val/acc': best}
    return RunStatus(RunRef('t', number), statistic.FINISHED, 0.0, content)


def test_a_status_names_its_run_and_has_its_best_metric(root):
    run(root, 't1/2', metric={'val/acc': 0.5})
    status = run_status.read_status(root, RunRef('t1', 2))
    assert (status.name, status.tag, status.id) == ('t1/2', 't1', 2)
    assert (status.state, status.monitor, status.best) == ('finished', 'val/acc', 0.5)
    assert status.started == THEN


def test_a_run_that_wrote_nothing_is_created_and_one_that_died_is_killed(root):
    run(root, 't1/0', status='running')
    assert run_status.read_status(root, RunRef('t1', 0)).state == 'killed'
    folder = run(root, 't1/1')
    (folder / statistic.NAME).unlink()
    status = run_status.read_status(root, RunRef('t1', 1))
    assert (status.state, status.content, status.best) == ('created', {}, None)
    assert status.started == folder.stat().st_mtime


def test_one_that_cannot_be_read_is_named(root, capsys):
    (run(root, 't1/0') / statistic.NAME).write_text('{')
    status = run_status.read_status(root, RunRef('t1', 0))
    assert status.state == run_status.UNREADABLE
    assert 't1/0: statistic.json: not JSON' in capsys.readouterr().err


def test_the_time_left_follows_from_the_epochs_so_far():
    content = {
        'epoch': 2,
        'epochs': 10,
        'time': {'updated': '2026-11-21T09:00:00Z', 'seconds': 20.0},
    }
    status = RunStatus(RunRef('t', 0), 'running', 0.0, content)
    assert [status.eta_s(THEN + passed) for passed in (0, 5, 1000)] == [80, 75, 0]
    assert status._replace(state='killed').eta_s(THEN) is None
    assert status._replace(content={**content, 'epoch': 0}).eta_s(THEN) is None
    assert status._replace(content={**content, 'epochs': 'many'}).eta_s(THEN) is None


@pytest.mark.parametrize(
    'best, other, mode, expected',
    [
        (0.9, 0.8, 'max', True),
        (0.9, 0.8, 'min', False),
        (0.8, 0.8, 'max', False),
        (0.1, None, 'max', True),
        (None, 0.1, 'max', False),
        (None, None, 'max', False),
        (math.nan, 0.1, 'max', False),
        (0.1, math.nan, 'max', True),
        (math.nan, None, 'max', False),
    ],
)
def test_better_goes_by_the_direction_and_nan_beats_nothing(best, other, mode, expected):
    assert run_status.better(status_with(0, best, mode), status_with(1, other, mode)) is expected


def test_differences_are_the_values_that_the_first_run_does_not_share():
    first = status_with(0, lr=0.1, model='cnn', old=1)
    assert run_status.differences(status_with(1, lr=0.2, model='cnn', new=2), first) == {
        'lr': 0.2,
        'new': 2,
        'old': None,
    }
    assert run_status.differences(first, first) == {}
    assert run_status.differences(status_with(1), first) == {}


@pytest.mark.parametrize('text', [None, 5, 'yesterday', '', {}, '2026-13-01T00:00:00Z'])
def test_what_is_not_a_time_has_the_default(text):
    assert run_status.unix_time(text, 7.0) == 7.0
