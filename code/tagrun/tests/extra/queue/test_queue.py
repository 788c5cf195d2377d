"""The queue: what is queued, who trains it, and that no run of it is lost or trained twice."""

import json
import os
import signal
import time

import pytest
import stub_project
from kill_trainings import kill_all, pids
from project_factory import wait_for

from tagrun.extra.queue import entries, worker
from tagrun.store import lock


@pytest.fixture
def project(tmp_path):
    made = stub_project.make(tmp_path / "a 'b; c")
    yield made
    kill_all(made.root)


def rows(project):
    return {
        row['run']: row['status'] for row in json.loads(project.tagrun('queue', '--json').stdout)
    }


def worked_off(project):
    return wait_for(
        lambda: not worker.alive(project.root) and not pids(project.root),
        what='the workers\' end',
    )


def finished(project):
    return (project.root / '__statistic__' / 'exper-list' / 'finished.txt').read_text().split()


def test_the_lowest_priority_is_trained_first_with_the_code_of_its_time(project):
    project.tagrun('run', 'late', '-q', '--priority', '5')
    project.tagrun('run', 'usual', '-q')
    project.edit('config.py', 'lr = 0.1', 'lr = 0.7')
    project.tagrun('run', 'early', '-q', '--priority', '-5')
    project.tagrun('sweep', 'nets', 'lr=1,2', '-q')
    assert list(rows(project)) == ['early/0', 'usual/0', 'nets/0', 'nets/1', 'late/0'] and set(
        rows(project).values()
    ) == {'waiting'}
    assert 'queued' in project.tagrun('expls', 'usual').stdout
    assert 'usual/0 is queued already' in project.tagrun('continue', 'usual', '-q', code=1).stderr
    said = project.tagrun('queue', 'priority', 'usual', 'nets/1', '9').stderr
    assert said == 'priority 9: usual/0 nets/1; lower comes first\n'
    for words in (['late'], ['late', 'x'], ['5'], ['late', '1.5']):
        project.tagrun('queue', 'priority', *words, code=2)
    project.tagrun('queue', 'priority', 'none/0', '1', code=1)
    project.tagrun('queue', 'start')
    worked_off(project)
    assert finished(project) == ['early/0', 'nets/0', 'late/0', 'usual/0', 'nets/1'] and not rows(
        project
    )
    assert [
        project.statistic(f'{tag}/0')['hparam']['lr'] for tag in ('early', 'usual', 'nets')
    ] == [0.7, 0.1, 1.0]
    assert project.git('show', 'refs/tagrun/result/late/0:statistic.json')


def test_a_killed_workers_run_is_continued_by_the_next(project):
    project.tagrun('run', 't', '-q', '--set', 'how=slow')
    project.tagrun('queue', 'start')
    wait_for(lambda: lock.owner(project.folder('t/0')), what='the training')
    assert rows(project) == {'t/0': 'running'}
    kill_all(project.root)
    assert rows(project) == {'t/0': 'waiting'}
    (project.root / 'go').touch()
    project.tagrun('queue', 'start')
    worked_off(project)
    assert finished(project) == ['t/0'] and not project.folder('t/1').exists() and not rows(project)


def test_a_training_that_outlived_its_worker_is_waited_for(project):
    project.tagrun('run', 't', '-q', '--set', 'how=slow')
    project.tagrun('run', 'other', '-q')
    project.tagrun('queue', 'start')
    training = wait_for(lambda: lock.owner(project.folder('t/0')), what='the training')['pid']
    for pid in set(pids(project.root)) - {training}:
        os.kill(pid, signal.SIGKILL)
    project.tagrun('queue', 'start')
    wait_for(lambda: rows(project) == {'t/0': 'running'}, what='the other run')
    (project.root / 'go').touch()
    worked_off(project)
    assert (
        finished(project) == ['other/0', 't/0']
        and not rows(project)
        and project.git('show', 'refs/tagrun/result/t/0:log') == 'trained, slow\n'
    )


def test_two_workers_never_take_the_same_run(project):
    project.tagrun('sweep', 't', 'lr=range(0,12)', '-q')
    project.tagrun('queue', 'start', '-j', '3')
    project.tagrun('queue', 'start', '-j', '3')
    worked_off(project)
    assert sorted(finished(project)) == sorted(f't/{number}' for number in range(12))
    assert [(project.folder(f't/{number}') / 'log').read_text() for number in range(12)] == [
        'trained, finished\n'
    ] * 12


def test_a_run_that_is_killed_each_time_does_not_stop_the_queue(project):
    project.tagrun('run', 'big', '-q', '--set', 'how=killed')
    project.tagrun('run', 'small', '-q')
    project.tagrun('queue', 'start')
    worked_off(project)
    assert finished(project) == ['small/0'] and rows(project) == {'big/0': 'failed'}
    assert 'killed by signal 9: often for lack of memory' in project.tagrun('queue').stdout
    assert project.statistic('big/0')['status'] == 'running'


def test_seeds_go_on_after_one_that_was_killed(project):
    said = project.tagrun('run', 't', '--seeds', '3', '--set', 'how=killed', code=137).stderr
    assert 't/2 killed' in said and project.folder('t/2').is_dir()


def test_stop_leaves_what_it_trained_in_the_queue(project):
    project.tagrun('run', 't', '-q', '--set', 'how=slow')
    project.tagrun('queue', 'start')
    wait_for(lambda: lock.owner(project.folder('t/0')), what='the training')
    assert 'being trained' in project.tagrun('queue', 'remove', 't', code=1).stderr
    assert '1 worker stopped' in project.tagrun('queue', 'stop').stderr
    assert rows(project) == {'t/0': 'waiting'} and not pids(project.root)
    assert 'removed from the queue: t/0' in project.tagrun(
        'queue', 'remove', 't'
    ).stderr and not rows(project)
    assert 'not queued' in project.tagrun('queue', 'remove', 't/0', code=1).stderr
    assert (
        'no worker' in project.tagrun('queue', 'stop').stderr
        and 'nothing waits' in project.tagrun('queue', 'start').stderr
    )


def test_what_failed_stays_in_the_queue_as_such_and_stops_no_other(project):
    project.tagrun('sweep', 't', 'how=failed,finished', '-q')
    project.tagrun('queue', 'start')
    worked_off(project)
    assert rows(project) == {'t/0': 'failed'} and finished(project) == ['t/1']
    assert 'trained, failed' in project.tagrun('queue', 'logs', 't/0').stdout
    project.tagrun('queue', 'remove', 't/0')
    assert not rows(project)


@pytest.mark.parametrize(
    'content',
    [
        '',
        '[]',
        '{"run": "../t/0", "priority": 0, "since": 1}',
        '{"run": "t/0", "priority": "0", "since": 1}',
        '{"run": "t/0", "priority": 0, "since": 1e999}',
        '{"run": "x/0", "priority": 0, "since": 1}',
    ],
)
def test_a_file_that_is_not_an_entry_is_left_out(project, content):
    project.tagrun('run', 'good', '-q')
    (entries.folder(project.root) / 't,0.json').write_text(content)
    os.mkfifo(entries.folder(project.root) / 'f,0.json')
    start = time.monotonic()
    assert rows(project) == {'good/0': 'waiting'} and time.monotonic() - start < 20


def test_cancel_stops_one_run_and_the_worker_takes_the_next(project):
    project.tagrun('run', 't', '-q', '--set', 'how=slow')
    project.tagrun('run', 'other', '-q')
    project.tagrun('queue', 'start')
    wait_for(lambda: lock.owner(project.folder('t/0')), what='the training')
    project.tagrun('cancel', 't')
    worked_off(project)
    assert (
        finished(project) == ['other/0']
        and not rows(project)
        and project.statistic('t/0')['status'] == 'interrupted'
    )
