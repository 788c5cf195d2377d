"""Workers: which are alive, what they train, and how they leave the queue."""

import os

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch
from tagrun.core.launch.local_pool import VISIBLE
from tagrun.extra.queue import entries, worker
from tagrun.store import lock, run_json, statistic
from tagrun.store.run_ref import RunRef


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


@pytest.fixture
def queued(repository):
    """Queue the run t/<number>."""

    def add(number):
        run = RunRef('t', number)
        folder = run.folder(repository.root)
        folder.mkdir(parents=True)
        info = run_json.build(repository.root, 't', number, None, 1)
        run_json.write(folder, info)
        entries.add(repository.root, run, 0)
        return run

    return add


@pytest.fixture
def trained(monkeypatch):
    """Stand for training: {id: how it ends}; the runs that were trained."""
    runs, endings = [], {}

    def train(repository, folder):
        run = RunRef.of_folder(folder)
        runs.append((run.number, os.environ.get(VISIBLE)))
        state, code = endings.get(run.number, (statistic.FINISHED, 0))
        if state == 'refused':
            raise UserError('its code is gone')
        statistic.write(folder, {'status': state, 'message': 'NaN'})
        return code

    monkeypatch.setattr(worker, 'train', train)
    monkeypatch.setattr(worker.unfinished, 'record_results', lambda *_: runs.append('recorded'))
    train.runs, train.endings = runs, endings
    return train


def state(repository):
    return {
        entry.run.number: (entry.state, entry.reason) for entry in entries.entries(repository.root)
    }


def test_a_worker_trains_all_and_its_lock_is_free_again(repository, queued, trained, stubbed):
    queued(0)
    queued(1)
    assert worker.work(repository, 3, []) == 0
    assert [number for number, _ in trained.runs] == [0, 1] and not state(repository)
    assert not worker.alive(stubbed.root) and worker.folder(stubbed.root, 3).is_dir()


def test_a_second_worker_of_a_slot_leaves_at_once(repository, queued, trained):
    queued(0)
    folder = worker.folder(repository.root, 0)
    folder.mkdir(parents=True)
    owned = lock.Lock(folder)
    assert list(worker.alive(repository.root)) == [0]
    assert worker.work(repository, 0, []) == 0 and not trained.runs
    owned.release()
    assert not worker.alive(repository.root)


def test_what_failed_stays_with_its_reason_and_stops_no_other(repository, queued, trained):
    for number in range(3):
        queued(number)
    trained.endings.update({0: (statistic.FAILED, 1), 1: ('refused', 1)})
    assert worker.work(repository, 0, []) == 0
    assert state(repository) == {0: ('failed', 'NaN'), 1: ('failed', 'its code is gone')}


def test_a_worker_that_is_asked_to_stop_leaves_its_run_waiting(repository, queued, trained):
    queued(0)
    queued(1)
    trained.endings[0] = (statistic.INTERRUPTED, launch.RESUMABLE)
    assert worker.work(repository, 0, []) == launch.RESUMABLE
    assert state(repository) == {0: ('waiting', ''), 1: ('waiting', '')}


def test_a_run_that_is_done_is_not_trained_and_git_gets_its_result(repository, queued, trained):
    run = queued(0)
    statistic.write(run.folder(repository.root), {'status': statistic.PRUNED})
    assert worker.work(repository, 0, []) == 0
    assert trained.runs == ['recorded'] and not state(repository)


def test_an_entry_that_is_held_for_an_instant_is_looked_at_again(
    repository, queued, trained, monkeypatch
):
    """As `queue priority` holds it; the only worker does not end meanwhile."""
    run = queued(0)
    held = entries._hold(entries.path(repository.root, run))
    monkeypatch.setattr(worker.time, 'sleep', lambda _: os.close(held))
    assert worker.work(repository, 0, []) == 0
    assert [number for number, _ in trained.runs] == [0] and not state(repository)


def test_each_slot_has_its_gpus(repository, queued, trained, monkeypatch):
    monkeypatch.setenv(VISIBLE, '4,5,6,7')
    info = run_json.read(queued(0).folder(repository.root))
    worker.work(repository, 1, ['4', '5', '6', '7'])
    run_json.write(queued(1).folder(repository.root), {**info, 'id': 1, 'nproc': 2})
    worker.work(repository, 1, ['4', '5', '6', '7'])
    assert trained.runs == [(0, '5'), (1, '6,7')]


def test_an_error_of_the_worker_itself_is_in_its_log(repository, queued, monkeypatch):
    def train(repository, folder):
        raise RuntimeError('a bug')

    queued(0)
    monkeypatch.setattr(worker, 'train', train)
    with pytest.raises(RuntimeError):
        worker.work(repository, 0, [])
    assert 'RuntimeError: a bug' in (worker.folder(repository.root, 0) / 'log').read_text()
