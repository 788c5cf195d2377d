"""The queue as an engine: its options, what it says of its runs, and how it takes them back."""

import argparse
from types import SimpleNamespace

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import engines, jobs
from tagrun.core.launch.engines import LaunchOptions
from tagrun.extra.queue import entries, on_queue, worker
from tagrun.store import lock
from tagrun.store.run_ref import RunRef


@pytest.fixture
def repository(tmp_path):
    return SimpleNamespace(root=tmp_path)


def submitted(repository, count, priority=0, tag='t'):
    folders = [RunRef(tag, number).folder(repository.root) for number in range(count)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    options = LaunchOptions(engine='queue', engine_options=on_queue.QueueOptions(priority))
    assert on_queue.submit(repository, folders, options) == 0
    return [jobs.read(folder).id for folder in folders]


def read(*words):
    parser = argparse.ArgumentParser()
    engines.add_options(parser)
    return engines.read_options(parser.parse_args(words))


def test_its_option_chooses_it_and_a_priority_alone_does_not():
    options = read('-q', '--priority', '-3')
    assert (options.engine, options.engine_options) == ('queue', on_queue.QueueOptions(-3))
    assert read('--priority', '-3').engine is None and read('-q').engine_options.priority == 0


def test_what_is_queued_is_named_with_what_to_type_next(repository, capsys):
    submitted(repository, 2)
    shown = capsys.readouterr().err
    assert 't/0 to t/1, 2 runs, queued\n' in shown and 'next     tagrun queue start' in shown
    submitted(repository, 1, tag='u')
    assert 'u/0 queued, behind 2 others' in capsys.readouterr().err
    submitted(repository, 1, -1, tag='v')
    assert 'v/0 queued\n' in capsys.readouterr().err


def test_a_worker_that_is_alive_is_named(repository, capsys):
    folder = worker.folder(repository.root, 0)
    folder.mkdir(parents=True)
    owned = lock.Lock(folder)
    submitted(repository, 1)
    assert '1 worker at work:  tagrun queue' in capsys.readouterr().err
    owned.release()


def test_a_queued_run_is_not_queued_twice(repository):
    submitted(repository, 1)
    with pytest.raises(UserError, match='t/0 is queued already'):
        submitted(repository, 1)


def test_it_says_which_wait_and_which_train_and_nothing_of_failed_ones(repository):
    ids = submitted(repository, 3)
    owned = lock.Lock(RunRef('t', 0).folder(repository.root))
    entries.fail(repository.root, entries.take(repository.root, [RunRef('t', 0)]), 'no room')
    states = {ids[0]: jobs.RUNNING, ids[2]: jobs.QUEUED}
    assert on_queue.states(repository.root, ids) == states
    assert on_queue.states(repository.root, ids[1:2]) == {}
    owned.release()


def test_cancel_takes_only_what_it_is_given(repository):
    ids = submitted(repository, 2)
    on_queue.cancel(repository.root, ids[:1])
    assert [entry.run for entry in entries.entries(repository.root)] == [RunRef('t', 1)]
