"""store/lock.py: one owner at a time, freed however its process ends."""

import json
import os
import signal
import subprocess
import sys

import pytest
from project_factory import wait_for

from tagrun.store import lock


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    """Nobody lets go in these tests while another one tries."""
    monkeypatch.setattr(lock, 'PATIENCE_S', 0.2)


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


ADOPTS = (
    f'import os, sys; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\n'
    'from tagrun.store import lock\n'
    'lock.PATIENCE_S = 0.2\n'
    'held = lock.Lock(sys.argv[1])\n'
    'print(held.descriptor, lock.owner(sys.argv[1])["pid"] == os.getpid(),\n'
    '      os.get_inheritable(held.descriptor), lock.ENVIRONMENT in os.environ, flush=True)\n'
    'sys.stdin.read()\n'
)


def heir(folder, descriptor, **more):
    env = {**os.environ, lock.ENVIRONMENT: str(descriptor)}
    return subprocess.Popen(
        [sys.executable, '-c', ADOPTS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        text=True,
        **more,
    )


def test_a_new_program_adopts_the_lock_that_it_inherits(tmp_path):
    held = lock.Lock(tmp_path)
    descriptor = held.descriptor
    child = heir(tmp_path, descriptor, pass_fds=(descriptor,))
    held.hand_on(child.pid)
    # from the fork on: it has not taken it itself yet
    assert lock.owner(tmp_path)['pid'] == child.pid
    with pytest.raises(lock.Held, match=f'process {child.pid}'):
        lock.Lock(tmp_path)
    assert child.stdout.readline() == f'{descriptor} True False False\n'
    child.communicate('')
    assert child.returncode == 0 and lock.owner(tmp_path) is None


@pytest.mark.parametrize('what', ['another folder', 'a number', 'closed', 'of nobody', 'replaced'])
def test_what_is_not_proven_to_be_the_lock_is_not_adopted(tmp_path, what):
    own, other = tmp_path / 'own', tmp_path / 'other'
    own.mkdir(), other.mkdir()
    held = lock.Lock(other if what == 'another folder' else own)
    descriptor, passed = held.descriptor, (held.descriptor,)
    if what == 'a number':
        descriptor, passed = '7; rm', ()
    if what == 'closed':
        passed = ()
    if what == 'of nobody':
        # a descriptor of the right file, that does not hold the flock
        descriptor = os.open(own / lock.NAME, os.O_RDONLY)
        passed = (descriptor,)
    if what == 'replaced':
        os.rename(own / lock.NAME, own / 'gone')
        (own / lock.NAME).touch()
        taken = lock.Lock(own)
    child = heir(own, descriptor, pass_fds=passed)
    out, error = child.communicate('')
    if what == 'another folder':
        # it takes its own folder's
        assert child.returncode == 0 and 'True' in out
    else:
        assert child.returncode == 1 and 'tagrun.store.lock.Held' in error
    held.release()
    if what == 'replaced':
        taken.release()


def test_a_fork_that_is_meant_to_takes_the_lock_along(tmp_path):
    held = lock.Lock(tmp_path)
    reader, writer = os.pipe()
    pid = held.fork()
    if not pid:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    assert lock.owner(tmp_path)['pid'] == pid
    with pytest.raises(lock.Held):
        lock.Lock(tmp_path)
    os.close(writer)
    os.waitpid(pid, 0)
    os.close(reader)
    assert lock.owner(tmp_path) is None and lock._held == []


def test_who_looks_never_sees_half_of_what_the_owner_writes(tmp_path):
    held = lock.Lock(tmp_path)
    code = (
        f'import sys; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\n'
        'from tagrun.store import lock\n'
        'print(sum(not (lock.owner(sys.argv[1]) or {}).get("pid") for _ in range(5000)))\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path)], stdout=subprocess.PIPE
    ) as reader:
        pids = [2**22, 7]
        while reader.poll() is None:
            held._write(pids[0])
            pids.reverse()
        assert reader.stdout.read() == b'0\n'
    held.release()


def test_what_is_started_before_the_lock_is_adopted_does_not_hold_it_on(tmp_path):
    """As a module may, while it is imported: a shell's background process outlives the training."""
    held = lock.Lock(tmp_path)
    code = (
        f'import os, sys; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\n'
        'from tagrun.store import lock\n'
        'lock.keep_from_children()\n'
        'os.system("sleep 60 & echo $!")\n'
        'lock.Lock(sys.argv[1])\n'
    )
    descriptor = held.descriptor
    child = subprocess.Popen(
        [sys.executable, '-u', '-c', code, str(tmp_path)],
        env={**os.environ, lock.ENVIRONMENT: str(descriptor)},
        pass_fds=(descriptor,),
        stdout=subprocess.PIPE,
    )
    held.hand_on(child.pid)
    left = int(child.stdout.readline())
    try:
        assert child.wait(60) == 0
        assert lock.owner(tmp_path) is None
    finally:
        os.kill(left, signal.SIGKILL)
        child.stdout.close()
