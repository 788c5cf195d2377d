"""`stop`, also called `cancel`: an engine cancels what it has, what trains here saves and ends."""

import contextlib
import fcntl
import json
import socket
import subprocess

import pytest
from project_factory import wait_for

from tagrun.core.launch import jobs
from tagrun.store import lock


@pytest.fixture
def queued(stubbed):
    """A project with t1/0 and t1/1 queued, and t2/0 that was trained."""
    stubbed.tagrun('run', 't1', '--seeds', '2', '-q')
    stubbed.tagrun('run', 't2')
    return stubbed


def states(project):
    return {
        run['run']: run['status'] for run in json.loads(project.tagrun('queue', '--json').stdout)
    }


def test_one_run_of_a_tag_is_cancelled_and_can_be_continued(queued):
    assert states(queued) == {'t1/0': 'waiting', 't1/1': 'waiting'}
    assert queued.tagrun('cancel', 't1/0').stderr == 't1/0: cancelled while queued\n'
    assert states(queued) == {'t1/1': 'waiting'}
    queued.tagrun('continue', 't1/0')
    assert queued.statistic('t1/0')['status'] == 'finished'


def test_a_tag_means_all_its_runs(queued):
    said = queued.tagrun('cancel', 't1', 't2').stderr
    assert said == 't1/0: cancelled while queued\nt1/1: cancelled while queued\n'
    assert states(queued) == {}


def test_a_run_that_neither_trains_nor_waits_is_refused(queued):
    said = queued.tagrun('stop', 't2', code=1).stderr
    assert 'not queued, and not training: t2/0' in said
    (queued.folder('t2/0') / jobs.NAME).write_text('{"engine": "gone", "id": "1"}')
    assert 'not queued, and not training' in queued.tagrun('cancel', 't2/0', code=1).stderr


def trains(project, name):
    return wait_for(
        lambda: lock.owner(project.folder(name)) and statistic_exists(project, name),
        what=f'{name} to train',
    )


def statistic_exists(project, name):
    return (project.folder(name) / 'statistic.json').exists()


def test_what_trains_in_the_background_is_saved_and_goes_on_to_the_same_bits(project):
    project.configure(epochs='400')
    project.tagrun('run', '-f', '-d', 't1')
    trains(project, 't1/0')
    said = project.tagrun('stop', '@last').stderr
    assert said == 't1/0: stopped and saved; `continue t1/0` goes on with it\n'
    assert project.statistic('t1/0')['status'] == 'interrupted'
    assert lock.owner(project.folder('t1/0')) is None
    assert 'not queued, and not training' in project.tagrun('stop', 't1', code=1).stderr


def test_a_queued_run_that_trains_is_stopped_and_the_next_one_is_trained(stubbed):
    stubbed.tagrun('run', 't1', '-q', '--set', 'how=slow')
    stubbed.tagrun('run', 't2', '-q')
    stubbed.tagrun('queue', 'start')
    trains(stubbed, 't1/0')
    assert 't1/0: cancelled while running' in stubbed.tagrun('stop', 't1').stderr
    wait_for(
        lambda: (
            statistic_exists(stubbed, 't2/0') and stubbed.statistic('t2/0')['status'] == 'finished'
        ),
        what='the next run',
    )
    assert states(stubbed) == {}


def test_a_process_that_the_lock_names_wrongly_is_not_signalled(stubbed):
    """Anybody may have written the file: here another process holds it. test_lock.py has more."""
    stubbed.tagrun('run', 't1')
    folder = stubbed.folder('t1/0')
    with subprocess.Popen(['sleep', '60']) as innocent, lock_held(folder):
        for pid in (innocent.pid, -1, 'x'):
            content = {'pid': pid, 'host': socket.gethostname(), 'since': 'now'}
            (folder / 'lock').write_text(json.dumps(content))
            said = stubbed.tagrun('stop', 't1', code=1).stderr
            assert 'which cannot be stopped from here' in said and innocent.poll() is None
        innocent.kill()


@contextlib.contextmanager
def lock_held(folder):
    with open(folder / 'lock', 'r+') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
