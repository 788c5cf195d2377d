"""What a Ray worker does for a run, without Ray."""

import os
import sys
import threading
import time

import pytest

from tagrun.extra.ray import guard, task
from tagrun.store import lock


@pytest.fixture
def trained(tmp_path):
    """Train with Python text instead of `tagrun continue`."""
    folder = tmp_path / 't' / '0'
    folder.mkdir(parents=True)

    def train(code, threads=None):
        words = [sys.executable, '-c', code]
        note = str(tmp_path / 'note')
        return task.train(guard.__file__, words, str(tmp_path), str(folder), note, threads)

    train.folder, train.root = folder, tmp_path
    return train


def test_the_exit_code_is_that_of_training_and_the_note_says_running(trained):
    assert trained('import sys; sys.exit(3)') == 3
    assert (trained.root / 'note').read_text() == 'running'


def test_a_killed_training_is_an_error_so_that_ray_tries_again(trained):
    with pytest.raises(ChildProcessError):
        trained('import os; os.kill(os.getpid(), 9)')


def test_ray_changes_no_number_of_threads(trained, monkeypatch):
    monkeypatch.setenv(task.THREADS, '1')  # as Ray sets it
    code = f'import os; open("threads", "w").write(os.environ.get({task.THREADS!r}, "none"))'
    trained(code, '6')
    assert (trained.root / 'threads').read_text() == '6'
    trained(code)
    assert (trained.root / 'threads').read_text() == 'none'
    assert task.environment(None) == {k: v for k, v in os.environ.items() if k != task.THREADS}


def test_a_cancelled_task_ends_its_training(trained, monkeypatch):
    def interrupted(child):
        raise KeyboardInterrupt

    monkeypatch.setattr(task, '_wait', interrupted)
    assert trained('import time; time.sleep(60)') == task.RESUMABLE


def test_a_run_that_is_still_saving_is_waited_for(trained):
    owned = lock.Lock(trained.folder)
    timer = threading.Timer(0.3, owned.release)
    start = time.monotonic()
    timer.start()
    task.wait_for_lock(str(trained.folder / lock.NAME), patience_s=30)
    assert 0.3 <= time.monotonic() - start < 25
    timer.join()


def test_patience_ends_and_a_run_that_never_began_needs_none(trained):
    task.wait_for_lock(str(trained.folder / lock.NAME), patience_s=30)
    owned = lock.Lock(trained.folder)
    start = time.monotonic()
    task.wait_for_lock(str(trained.folder / lock.NAME), patience_s=0.1)
    assert time.monotonic() - start < 20
    owned.release()
