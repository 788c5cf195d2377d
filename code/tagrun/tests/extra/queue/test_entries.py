"""The files of the queue: their order, who takes which, and what is not an entry."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from project_factory import CODE

from tagrun.extra.queue import entries
from tagrun.store import jsonfile
from tagrun.store.run_ref import RunRef

ONE, TWO, THREE = (RunRef('t', number) for number in range(3))


@pytest.fixture
def root(tmp_path):
    for run in (ONE, TWO, THREE):
        run.folder(tmp_path).mkdir(parents=True)
    return tmp_path


def queued(root):
    return [entry.run for entry in entries.entries(root)]


def test_the_lowest_priority_comes_first_then_the_first_that_came(root):
    for run, priority in ((ONE, 5), (TWO, 0), (THREE, 0)):
        entries.add(root, run, priority)
    assert queued(root) == [TWO, THREE, ONE] == [entry.run for entry in entries.waiting(root)]


def test_a_run_that_is_queued_again_has_one_entry_and_a_new_id(root):
    first, second = entries.add(root, ONE, 0), entries.add(root, ONE, 10**12)
    (entry,) = entries.entries(root)
    assert entry.id == second != first and entry.priority == entries.PRIORITIES


def test_another_priority_changes_the_order_alone(root):
    for run in (ONE, TWO):
        entries.add(root, run, 0)
    (first, second) = entries.entries(root)
    assert entries.set_priority(root, second, -5) and queued(root) == [TWO, ONE]
    assert entries.entries(root)[0] == second._replace(priority=-5)
    taken = entries.take(root)
    assert not entries.set_priority(root, taken.entry, 9) and queued(root) == [TWO, ONE]
    entries.put_back(taken)


def test_an_entry_is_a_readable_file(root):
    number = entries.add(root, ONE, 3)
    assert jsonfile.read(entries.path(root, ONE)) == {
        'run': 't/0',
        'priority': 3,
        'since': int(number),
        'state': 'waiting',
        'why': '',
    }


def test_what_is_taken_nobody_else_takes_until_it_is_put_back(root):
    entries.add(root, ONE, 0)
    taken = entries.take(root)
    assert taken.entry.run == ONE and entries.take(root) is None
    entries.put_back(taken)
    again = entries.take(root)
    entries.finish(root, again)
    assert not queued(root) and not entries.is_queued(root, ONE)


def test_runs_can_be_passed_over(root):
    entries.add(root, ONE, 0)
    entries.add(root, TWO, 0)
    taken = entries.take(root, skip=[ONE])
    assert taken.entry.run == TWO
    entries.put_back(taken)


def test_a_failed_run_stays_with_its_reason_and_is_not_taken(root):
    entries.add(root, ONE, 0)
    entries.fail(root, entries.take(root), 'no room')
    (entry,) = entries.entries(root)
    assert (entry.state, entry.reason) == (entries.FAILED, 'no room')
    assert entries.take(root) is None and not entries.waiting(root)


def test_a_run_that_was_removed_meanwhile_does_not_come_back_as_failed(root):
    entries.add(root, ONE, 0)
    taken = entries.take(root)
    entries.path(root, ONE).unlink()
    entries.fail(root, taken, 'no room')
    assert not queued(root)


def owner(root, delay_s=0.0):
    """A process that trains ONE: it takes its lock after a while."""
    code = (
        f'import sys, time; sys.path.append({str(CODE)!r}); time.sleep({delay_s})\n'
        'from tagrun.store import lock\nowned = lock.Lock(sys.argv[1])\ninput("owned\\n")'
    )
    command = [sys.executable, '-c', code, ONE.folder(root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_trained_run_is_removed_only_with_stop_and_then_asked_to_end(root):
    entries.add(root, ONE, 0)
    (entry,) = entries.entries(root)
    with owner(root) as child:
        assert child.stdout.readline() == b'owned\n'
        assert not entries.waiting(root) and not entries.remove(root, entry)
        assert queued(root) == [ONE]
        assert not entries.remove(root, entry, stop=True) and not queued(root)
        assert child.wait(10) == -signal.SIGTERM


def test_a_run_that_a_worker_has_taken_is_stopped_when_its_training_has_begun(root):
    """Between the two lie seconds in which torch is loaded."""
    entries.add(root, ONE, 0)
    taken = entries.take(root)
    assert not entries.remove(root, taken.entry) and queued(root) == [ONE]
    with owner(root, delay_s=1.0) as child:
        assert not entries.remove(root, taken.entry, stop=True) and not queued(root)
        assert child.wait(10) == -signal.SIGTERM
    entries.put_back(taken)


def test_a_taken_run_whose_training_never_begins_is_waited_for_no_longer_than_its_worker(root):
    entries.add(root, ONE, 0)
    taken = entries.take(root)
    worker = threading.Timer(0.5, entries.put_back, (taken,))
    worker.start()
    began = time.monotonic()
    assert not entries.remove(root, taken.entry, stop=True) and not queued(root)
    assert 0.4 < time.monotonic() - began < entries.START_S / 2


@pytest.mark.parametrize(
    'change',
    [
        {'run': 't'},
        {'run': 't/1'},
        {'run': 7},
        {'priority': '0'},
        {'priority': True},
        {'since': 1.5},
        {'since': 1 << 63},
    ],
)
def test_a_file_that_somebody_else_wrote_is_not_an_entry(root, change):
    entries.add(root, ONE, 0)
    path = entries.path(root, ONE)
    jsonfile.write(path, {**jsonfile.read(path), **change})
    assert not queued(root)


def test_a_run_behind_a_link_is_not_an_entry(root):
    entries.add(root, ONE, 0)
    ONE.folder(root).rename(root / 'elsewhere')
    assert not queued(root)
    os.symlink(root / 'elsewhere', ONE.folder(root))
    assert not queued(root)
