"""core/launch/stopping.py: who is asked to stop, and who is not."""

import signal
import socket
import subprocess
import threading

import pytest
from run_factory import run

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import stopping
from tagrun.store import checkpoints, lock
from tagrun.store.run_ref import RunRef


def test_runs_that_nobody_trains_are_refused(tmp_path):
    run(tmp_path, 't1/0')
    with pytest.raises(UserError, match='not queued, and not training: t1/0'):
        stopping.stop(tmp_path, [RunRef('t1', 0)])


def test_a_training_of_another_machine_is_refused_with_where_it_is(tmp_path, monkeypatch):
    folder = run(tmp_path, 't1/0')
    monkeypatch.setattr(socket, 'gethostname', lambda: 'elsewhere')
    held = lock.Lock(folder)
    monkeypatch.undo()
    try:
        with pytest.raises(UserError, match='on elsewhere, which cannot be stopped from here'):
            stopping.stop(tmp_path, [RunRef('t1', 0)])
    finally:
        held.release()


def test_a_training_that_is_only_being_handed_on_is_stopped_all_the_same(tmp_path):
    """The lock still names who started it, and that one has let go: one looks again."""
    folder = run(tmp_path, 't1/0', status='interrupted')
    held = lock.Lock(folder)
    with subprocess.Popen(['sleep', '60'], pass_fds=(held.descriptor,)) as child:
        gone = subprocess.Popen(['true'])
        gone.wait()
        held._write(gone.pid)
        timer = threading.Timer(0.5, held.hand_on, [child.pid])
        timer.start()
        stopping.stop(tmp_path, [RunRef('t1', 0)])
        assert child.wait(20) == -signal.SIGTERM
        timer.join()


def test_what_was_stopped_before_it_saved_is_not_called_saved(tmp_path, capsys):
    folder = run(tmp_path, 't1/0')
    stopping._report(tmp_path, RunRef('t1', 0))
    (folder / 'checkpoint').mkdir()
    (folder / 'checkpoint' / 'epoch_1.pth').write_bytes(b'x')
    checkpoints.write_sums(folder, {'epoch_1.pth': '0' * 64})
    stopping._report(tmp_path, RunRef('t1', 0))
    one, two = capsys.readouterr().err.splitlines()
    assert 'before anything was saved' in one and 'stopped and saved' in two
