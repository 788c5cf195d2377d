"""Runs of this machine, several at once."""

import os
import signal

import pytest
from project_factory import wait_for
from start_window import StartWindow

from tagrun.core.git.repository import Repository
from tagrun.core.launch import local_pool
from tagrun.core.launch.local_pool import VISIBLE, Pool
from tagrun.core.record import claim
from tagrun.store import lock, statistic


@pytest.fixture
def repository(stubbed, monkeypatch):
    monkeypatch.setenv(VISIBLE, '')
    return Repository.at(stubbed.root)


def created(repository, count, project, how='finished'):
    project.configure(how=repr(how))
    project.commit()
    head = repository.resolve('HEAD')
    return [claim.create_run(repository, 't1', head, 7) for _ in range(count)]


def ended_runs(pool):
    ended = []
    while pool.children:
        ended += pool.wait(30)
    return {each.name: each for each in ended}


def test_runs_are_trained_at_once_and_what_ended_is_told(stubbed, repository):
    pool = Pool(repository, at_once=2)
    for folder in created(repository, 2, stubbed):
        assert pool.has_room()
        pool.start(folder)
    assert not pool.has_room()
    ended = ended_runs(pool)
    assert {name: each.code for name, each in ended.items()} == {'t1/0': 0, 't1/1': 0}
    assert ended['t1/0'].error_text == '' and ended['t1/0'].seconds > 0 and pool.most_kb > 0
    assert stubbed.statistic('t1/1')['status'] == statistic.FINISHED


def test_a_run_that_was_begun_is_continued(stubbed, repository):
    (folder,) = created(repository, 1, stubbed, how='interrupted')
    pool = Pool(repository)
    for code in (75, 0):
        pool.start(folder)
        assert ended_runs(pool)['t1/0'].code == code
    assert 'trained, finished' in (folder / 'log').read_text()


def test_why_one_cannot_be_trained_is_told(stubbed, repository):
    (folder,) = created(repository, 1, stubbed)
    (folder / 'trace.csv').symlink_to('/dev/null')
    pool = Pool(repository)
    pool.start(folder)
    ended = ended_runs(pool)['t1/0']
    assert ended.code == 1 and 'trace.csv is a link' in ended.error_text


def test_a_signal_reaches_all_that_are_ours(stubbed, repository):
    (folder,) = created(repository, 1, stubbed, how='slow')
    pool = Pool(repository)
    pool.start(folder)
    wait_for((folder / 'statistic.json').exists, what='its start')
    pool.signal_all(signal.SIGTERM)
    assert ended_runs(pool)['t1/0'].code == local_pool.launch.RESUMABLE


def test_a_run_that_somebody_else_trains_is_waited_for(stubbed, repository):
    (folder,) = created(repository, 1, stubbed)
    held = lock.Lock(folder)
    pool = Pool(repository)
    pool.start(folder)
    assert pool.wait(0.1) == [] and pool.children['t1/0'].pid is None
    held.release()
    (ended,) = pool.wait(0.1)
    assert (ended.code, ended.error_text) == (None, '') and pool.children == {}


def test_memory_that_is_short_starts_no_second_one_and_is_told_once(
    stubbed, repository, monkeypatch, capsys
):
    (folder,) = created(repository, 1, stubbed)
    pool = Pool(repository, at_once=2)
    pool.children['t1/0'] = local_pool.Child('t1/0', folder, 0, 0.0)
    pool.most_kb = 10
    monkeypatch.setattr(local_pool, 'available_kb', lambda: 9)
    assert not pool.has_room() and not pool.has_room()
    assert capsys.readouterr().err.count('what the memory holds') == 1
    monkeypatch.setattr(local_pool, 'available_kb', lambda: 10)
    assert pool.has_room()


@pytest.mark.parametrize(
    'devices, slot, processes, visible',
    [('0 1', 0, 1, '0'), ('0 1', 3, 1, '1'), ('0 1 2 3', 1, 2, '2,3'), ('5', 0, 2, '5')],
)
def test_each_training_has_gpus_of_its_own(devices, slot, processes, visible):
    assert local_pool.device_slice(devices.split(), slot, processes) == visible


def test_gpus_are_those_that_the_environment_lets_us_see(monkeypatch):
    for value, names in {'': [], '-1': [], '0, 2': ['0', '2'], 'GPU-x': ['GPU-x']}.items():
        monkeypatch.setenv(VISIBLE, value)
        assert local_pool.gpus() == names
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setenv('PATH', '')
    assert local_pool.gpus() == []


def test_a_run_is_owned_from_its_start_on_and_started_once(stubbed, repository):
    """No matter how long its training takes to come to its first line."""
    (folder,) = created(repository, 1, stubbed)
    pool = Pool(repository, at_once=2)
    with StartWindow(stubbed) as window, pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', stubbed.env['PYTHONPATH'])
        pool.start(folder)
        pid = pool.children['t1/0'].pid
        assert lock.owner(folder) is not None
        pool.start(folder)
        assert pool.children['t1/0'].pid == pid
        other = Pool(repository)
        other.start(folder)
        assert other.children['t1/0'].pid is None
        training = window.wait_for('t1/0')
        assert lock.owner(folder)['pid'] == training
        window.open()
        assert ended_runs(pool)['t1/0'].code == 0
        assert window.trainings('t1/0') == [training]


def test_a_signal_to_who_prepares_a_run_in_the_pool_prevents_its_training(
    stubbed, repository, monkeypatch
):
    """Its process owns the run, and has not started the training."""
    (folder,) = created(repository, 1, stubbed)

    def train_owned(repository, owned):
        # as `stop` does, which looks into the lock
        assert lock.signal_owner(folder, signal.SIGTERM)
        return real(repository, owned)

    real = local_pool.train_owned
    monkeypatch.setattr(local_pool, 'train_owned', train_owned)
    pool = Pool(repository)
    pool.start(folder)
    assert ended_runs(pool)['t1/0'].code == local_pool.launch.RESUMABLE
    assert statistic.state(folder) == statistic.INTERRUPTED and lock.owner(folder) is None
    assert not (folder / 'log').exists()


def test_no_descriptor_stays_open_in_a_long_session(stubbed, repository):
    pool = Pool(repository)
    before = len(os.listdir('/dev/fd'))
    for folder in created(repository, 3, stubbed):
        pool.start(folder)
        assert ended_runs(pool)
    assert len(os.listdir('/dev/fd')) == before


def test_memory_is_a_number():
    assert local_pool.available_kb() > 0
