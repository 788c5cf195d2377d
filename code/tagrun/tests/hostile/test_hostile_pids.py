"""A process that a file names gets a signal only if it holds that very file; else one sentence."""

import fcntl
import json
import os
import signal
import socket
import subprocess

import pytest
from hostile_inputs import inputs

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import stopping, tensorboard
from tagrun.extra.queue import entries, worker
from tagrun.store import layout, lock
from tagrun.store.run_ref import RunRef

INNOCENT = object()  # the id of a process that has nothing to do with it
PIDS = [
    INNOCENT,
    -1,
    0,
    1,
    -2,
    2**31,
    2**64,
    1.5,
    True,
    None,
    '1',
    '-1',
    '$(id)',
    [1],
    {'pid': 1},
    float('inf'),
]
# what is not what Tagrun writes
CONTENTS = [
    b'',
    b'{',
    b'[]',
    b'1',
    b'null',
    b'\xff\xfe',
    b'[' * 4000,
    b'{"pid": ' + b'9' * 4000 + b'}',
    b'{"pid": -1, "pid": -1}',
    b'\0' * 100,
    b'{"host": [], "pid": {}}',
]


@pytest.fixture
def innocent():
    process = subprocess.Popen(['sleep', '600'])
    yield process
    assert process.poll() is None, 'an innocent process was ended'
    process.kill()
    process.wait()


@pytest.fixture
def hold():
    """A function that holds a file's flock with what a stranger wrote into it."""
    descriptors = []

    def held(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        descriptors.append(os.open(path, os.O_RDWR))
        fcntl.flock(descriptors[-1], fcntl.LOCK_EX)

    yield held
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Wait for nobody; and should a signal reach us, the test fails."""
    monkeypatch.setattr(tensorboard, 'READ_WAIT_S', 0)
    monkeypatch.setattr(entries, 'START_S', 0)
    before = signal.signal(signal.SIGTERM, _hit)
    yield
    signal.signal(signal.SIGTERM, before)


def _hit(number, _):
    raise AssertionError(f'signal {number} was sent to everybody')


def content_of(pid, innocent):
    number = innocent.pid if pid is INNOCENT else pid
    return json.dumps({'pid': number, 'host': socket.gethostname(), 'port': 6006}).encode()


def stop_all(root, capsys):
    """Stop the run, the workers and TensorBoard, as the commands do; each is refused in words."""
    folder = RunRef('t1', 0).folder(root)
    for stop in (
        lambda: stopping.stop(root, [RunRef('t1', 0)]),
        lambda: tensorboard.stop(tensorboard.place(root)),
    ):
        with pytest.raises(UserError) as refused:
            stop()
        assert '\n' not in str(refused.value)
    assert not lock.signal_owner(folder, signal.SIGTERM)
    assert not lock.signal_owner(worker.folder(root, 0), signal.SIGTERM)
    assert capsys.readouterr().out == ''


def plant_all(root, hold, content):
    hold(RunRef('t1', 0).folder(root) / lock.NAME, content)
    hold(worker.folder(root, 0) / lock.NAME, content)
    hold(tensorboard.place(root) / tensorboard.FILE, content)


@inputs('X25 process ids', 'pid', PIDS)
def test_no_process_is_signalled_for_a_number_in_a_file(scratched, innocent, hold, capsys, pid):
    plant_all(scratched.root, hold, content_of(pid, innocent))
    stop_all(scratched.root, capsys)
    assert innocent.poll() is None


@inputs('X25 malformed files', 'content', CONTENTS)
def test_a_file_that_tagrun_did_not_write_is_refused_in_words(scratched, hold, capsys, content):
    plant_all(scratched.root, hold, content)
    stop_all(scratched.root, capsys)
    assert lock.owner(RunRef('t1', 0).folder(scratched.root)) is not None


@inputs('X25 queue stop', 'pid', [INNOCENT, -1, 1, 'x'])
def test_queue_stop_ends_no_stranger(scratched, innocent, hold, command, pid):
    hold(worker.folder(scratched.root, 0) / lock.NAME, content_of(pid, innocent))
    code, _, err = command('queue', 'stop')
    assert code == 1 and 'is not a worker on this machine' in err


@inputs('X25 no files', 'kind', ['a FIFO', 'a folder', 'a link'])
def test_what_is_no_file_stands_for_no_process(scratched, command, kind):
    for path in (
        tensorboard.place(scratched.root) / tensorboard.FILE,
        worker.folder(scratched.root, 0) / lock.NAME,
        layout.run_folder(scratched.root, 't1', 0) / lock.NAME,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if kind == 'a FIFO':
            os.mkfifo(path)
        elif kind == 'a folder':
            path.mkdir()
        else:
            path.symlink_to(scratched.canary)
    assert command('itb', '--stop')[0] == 0
    assert command('queue', 'stop')[0] == 0
    assert command('stop', 't1/0')[0] == 1
