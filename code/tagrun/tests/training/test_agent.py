"""training/agent.py: how many processes a run gets, and what is said of how they ended.
test_distributed.py starts them.
"""

import json
import os
import signal
import tempfile
import types
from pathlib import Path

import pytest
from closed_run import ARGS, INFO

from tagrun.store import lock, run_json, statistic
from tagrun.training import agent
from tagrun.training.report import describe, report

CONFIG = types.SimpleNamespace(device='cpu')


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run that is under way. What would kill this process is its exit code."""
    monkeypatch.setattr(agent, '_die', lambda number: 128 + number)
    folder = tmp_path / 't1' / '0'
    folder.mkdir(parents=True)
    run_json.write(folder, run_json.build(tmp_path, 't1', 0, None, 1))
    statistic.write(folder, report(INFO, ARGS, None, '2026-11-21T09:00:00Z'))
    return folder


def failure(rank, error=None, code=1, broken=False, folder=None):
    """torchrun's word for a process that failed."""
    data = {}
    if error:
        data = {'ending': describe([error], folder)._asdict(), 'broken': broken}
    return types.SimpleNamespace(local_rank=rank, exitcode=code, error_file_data=data)


def test_a_run_has_the_processes_of_its_nproc_or_of_its_last_start_or_one(run, tmp_path):
    assert agent.count(CONFIG, run) == 1
    (run / 'environment.json').write_text(json.dumps({'world_size': 3}))
    assert agent.count(CONFIG, run) == 3
    run_json.write(run, run_json.build(tmp_path, 't1', 0, None, 1, nproc=2))
    assert agent.count(CONFIG, run) == 2


@pytest.mark.parametrize('size', ['0', '-1', '"4"', '1000000', 'null', '}'])
def test_a_hostile_number_at_an_earlier_start_starts_none(run, size):
    (run / 'environment.json').write_text(f'{{"world_size": {size}}}')
    assert agent.count(CONFIG, run) == 1


def test_on_several_machines_each_has_its_part_of_the_processes(run, monkeypatch):
    assert agent.nodes() == (1, 0, '127.0.0.1:0')
    monkeypatch.setenv(agent.NODES, '2 1 10.0.0.5:29500')
    assert agent.nodes() == (2, 1, '10.0.0.5:29500')
    (run / 'environment.json').write_text(json.dumps({'world_size': 6}))
    assert agent.count(CONFIG, run) == 3


def test_the_process_that_failed_first_is_named_and_not_those_that_missed_it(run, capfd):
    missed = failure(0, RuntimeError('Connection closed by peer'), broken=True, folder=run)
    own = failure(1, ValueError('my own check'), code=1, folder=run)
    assert agent._end(run, [missed, own], 2) == 1
    screen, content = capfd.readouterr().err, statistic.read(run)
    assert screen.count('t1/0 failed: ValueError: my own check (rank 1 of 2)') == 1
    log = (run / 'log').read_text()
    assert 'Connection closed' not in screen + log and log.count('ValueError: my own check') == 2
    assert (content['status'], content['message']) == (
        'failed',
        'ValueError: my own check (rank 1 of 2)',
    )


def test_what_failed_in_all_of_them_is_of_no_rank(run, capfd):
    failures = [failure(rank, ValueError('my own check'), folder=run) for rank in (0, 1)]
    assert agent._end(run, failures, 2) == 1
    assert statistic.read(run)['message'] == 'ValueError: my own check'
    assert 'rank' not in capfd.readouterr().err


def test_a_process_that_ended_by_its_own_words_gives_its_exit_code(run, capfd):
    stopped = [failure(0, code=75), failure(1, code=-signal.SIGTERM)]
    assert agent._end(run, stopped, 2) == 75
    assert capfd.readouterr().err == '' and statistic.read(run)['status'] == 'running'


def test_where_one_was_killed_the_agent_dies_the_same_way(run):
    killed = [failure(0, code=-signal.SIGKILL), failure(1, code=-signal.SIGTERM)]
    assert agent._end(run, killed, 2) == 128 + signal.SIGKILL
    assert statistic.read(run)['status'] == 'running'


@pytest.fixture
def logs(monkeypatch):
    """The agent's own folder, whose path is short: a socket is in it."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv(agent.MARK, folder)
        yield Path(folder)


def test_the_agent_owns_the_run_until_the_first_process_takes_the_lock_over(run, logs):
    with agent._owned(run, logs):
        assert lock.owner(run)['pid'] == os.getpid()
        agent.take_lock_over()
        # what the first process has holds it alone, from here on
        descriptor = int(os.environ[lock.ENVIRONMENT])
        held = lock.Lock(run)
        assert held.descriptor == descriptor
    assert lock.owner(run) is not None
    held.release()
    assert lock.owner(run) is None


def test_a_run_that_nobody_took_over_is_free_when_the_agent_ends(run, logs):
    with agent._owned(run, logs):
        assert lock.owner(run) is not None
    assert lock.owner(run) is None


def test_the_agent_refuses_a_run_that_another_process_owns(run, logs, capfd, monkeypatch):
    monkeypatch.setattr(lock, 'PATIENCE_S', 0.1)
    held = lock.Lock(run)
    with pytest.raises(SystemExit) as ending, agent._owned(run, logs):
        pass
    assert ending.value.code == 1 and 'is being trained already' in capfd.readouterr().err
    held.release()


def test_the_agent_of_a_further_machine_leaves_the_run_to_the_first(run, logs, monkeypatch):
    monkeypatch.setenv(agent.NODES, '2 1 10.0.0.5:29500')
    with agent._owned(run, logs):
        assert lock.owner(run) is None


@pytest.mark.parametrize('folder', ['/dev/null', '/nowhere', 'x' * 200])
def test_without_an_agent_or_a_socket_the_first_process_takes_the_lock_itself(
    run, tmp_path, monkeypatch, folder
):
    """As under torchrun by hand, or where the temporary folder's path is too long."""
    monkeypatch.setenv(agent.MARK, folder)
    long = tmp_path / ('y' * 120)
    long.mkdir()
    with agent._owned(run, long):
        assert lock.owner(run) is None
        agent.take_lock_over()
        assert lock.ENVIRONMENT not in os.environ
        lock.Lock(run).release()
