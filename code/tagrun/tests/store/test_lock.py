"""store/lock.py: one owner at a time, freed however its process ends."""

import json
import os
import signal
import subprocess
import sys

import pytest
from project_factory import wait_for

from tagrun.store import lock


def test_the_lock_tells_who_and_is_free_when_its_owner_is_killed(tmp_path):
    code = (
        f'import sys, time; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\n'
        'from tagrun.store import lock\nheld = lock.Lock(".")\n'
        'print("taken", flush=True); time.sleep(60)'
    )
    holder = subprocess.Popen([sys.executable, '-c', code], cwd=tmp_path, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b'taken\n'
    assert lock.owner(tmp_path)['pid'] == holder.pid
    with pytest.raises(lock.Held, match=f'process {holder.pid}'):
        lock.Lock(tmp_path)
    holder.kill()
    holder.wait()
    assert lock.owner(tmp_path) is None
    lock.Lock(tmp_path).release()


def test_a_child_that_outlives_the_owner_does_not_hold_the_lock_on(tmp_path):
    code = (
        'import os, sys, time; '
        f'sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\nfrom tagrun.store '
        'import lock\nheld = lock.Lock(".")\n'
        'if os.fork() == 0: time.sleep(5); os._exit(0)\nprint("forked", flush=True); '
        'os.kill(os.getpid(), 9)'
    )
    holder = subprocess.Popen([sys.executable, '-c', code], cwd=tmp_path, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b'forked\n'
    holder.wait()
    wait_for(
        lambda: lock.owner(tmp_path) is None, timeout_s=4, what='the child to begin, and let go'
    )
    assert holder.returncode == -9


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / 'canary').write_text('sings')
    (tmp_path / 'lock').symlink_to(tmp_path / 'canary')
    with pytest.raises(OSError):
        lock.Lock(tmp_path)
    assert (tmp_path / 'canary').read_text() == 'sings'


def test_nobody_owns_a_run_without_a_lock_and_a_fifo_is_not_waited_for(tmp_path):
    assert lock.owner(tmp_path) is None and lock.owner(tmp_path / 'none') is None
    os.mkfifo(tmp_path / 'lock')
    assert lock.owner(tmp_path) is None


def test_an_owner_whose_word_is_damaged_is_an_owner_still(tmp_path):
    held = lock.Lock(tmp_path)
    (tmp_path / 'lock').write_bytes(b'[' * 5000)
    assert lock.owner(tmp_path) == {}
    held.release()
    held.release()  # twice is once
    assert lock.owner(tmp_path) is None


def test_an_owner_that_says_nothing_is_an_owner_and_a_lock_is_let_go_once(tmp_path):
    held = lock.Lock(tmp_path)
    os.truncate(tmp_path / lock.NAME, 0)
    assert lock.owner(tmp_path) == {}
    with pytest.raises(lock.Held):
        lock.Lock(tmp_path)
    held.release()
    held.release()
    assert lock.owner(tmp_path) is None


def test_only_a_process_that_has_the_file_open_gets_the_signal(tmp_path):
    """Whatever pid stands in it, from whomever."""
    code = (
        f'import sys, time; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\n'
        'from tagrun.store import lock\nheld = lock.Lock(".")\n'
        'print("taken", flush=True); time.sleep(60)'
    )
    command = [sys.executable, '-c', code]
    with (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as holder,
        subprocess.Popen(['sleep', '60']) as innocent,
    ):
        assert holder.stdout.readline() == b'taken\n'
        content = json.loads((tmp_path / 'lock').read_text())
        for pid in (innocent.pid, os.getpid(), 1, 0, -1, -innocent.pid, 2**31, 2**70, '7', None):
            (tmp_path / 'lock').write_text(json.dumps({**content, 'pid': pid}))
            assert not lock.signal_owner(tmp_path, signal.SIGTERM)
        (tmp_path / 'lock').write_text(json.dumps({**content, 'host': 'elsewhere'}))
        assert not lock.signal_owner(tmp_path, signal.SIGTERM)
        (tmp_path / 'lock').write_text('[' * 9999)
        assert not lock.signal_owner(tmp_path, signal.SIGTERM)
        assert holder.poll() is None and innocent.poll() is None
        (tmp_path / 'lock').write_text(json.dumps(content))
        assert lock.signal_owner(tmp_path, signal.SIGTERM)
        assert holder.wait(20) == -signal.SIGTERM
        innocent.kill()
    assert not lock.signal_owner(tmp_path, signal.SIGTERM)
