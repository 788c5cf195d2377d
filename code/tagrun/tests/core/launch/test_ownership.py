"""core/launch/ownership.py: a run is owned before its training is there, and no signal is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project_factory import CODE, wait_for

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import ownership, training_process
from tagrun.core.launch.ownership import Owned
from tagrun.store import lock, statistic

# what training does at its first line: it takes the lock
TAKES = f"""\
import os, sys; sys.path.append({str(CODE)!r})
from pathlib import Path
from tagrun.store import lock
folder = Path(os.environ['TAGRUN_RUN'])
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "a 'b; c" / '__result__' / 't1' / '0'
    (path / 'code' / 'tagrun').mkdir(parents=True)
    (path / 'code' / 'tagrun' / 'CONTRACT').write_text('1\nowned\n')
    return path


def write_main(folder, text, contract='1\nowned\n'):
    (folder / 'code' / 'main.py').write_text(TAKES + text)
    (folder / 'code' / 'tagrun' / 'CONTRACT').write_text(contract)


def trained(folder, look=None):
    with Owned(folder) as owned:
        return training_process.train(folder.parents[2], folder, owned, 7, look), owned


def test_a_run_is_owned_by_who_starts_it_and_then_by_its_training_without_a_gap(folder):
    """The training looks, before it takes the lock itself, whether it is free: it never is."""
    write_main(
        folder,
        'looks = [lock.owner(folder)]\n'
        'held = lock.Lock(folder)\n'
        'looks.append(lock.owner(folder))\n'
        'import json; (folder / "looks").write_text(json.dumps([os.getpid(), looks]))\n',
    )
    with Owned(folder) as owned:
        assert lock.owner(folder)['pid'] == os.getpid()
        assert statistic.state(folder) == statistic.RUNNING
        assert training_process.train(folder.parents[2], folder, owned, 7) == 0
    pid, (before, after) = json.loads((folder / 'looks').read_text())
    assert before is not None and after['pid'] == pid != os.getpid()
    assert lock.owner(folder) is None


def test_code_that_is_older_takes_the_lock_itself(folder):
    write_main(folder, 'held = lock._taken(folder)\nsys.exit(5)\n', contract='1\nnproc\ninputs\n')
    assert trained(folder)[0] == 5


def test_a_second_start_is_refused_while_the_first_is_prepared(folder):
    with Owned(folder):
        with pytest.raises(UserError, match=f't1/0 is being trained: process {os.getpid()} on'):
            Owned(folder).__enter__()
        with pytest.raises(UserError, match='t1/0 is being trained'):
            ownership.refuse_owned(folder)
    ownership.refuse_owned(folder)
    evaluated = folder / 'evaluation' / '2'
    evaluated.mkdir(parents=True)
    with Owned(evaluated), pytest.raises(UserError, match='t1/0/evaluation/2 is being made'):
        Owned(evaluated).__enter__()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_before_the_start_prevents_it(folder, number):
    write_main(folder, '(folder / "trained").touch()\n')
    with Owned(folder) as owned:
        assert lock.signal_owner(folder, number)
        code = training_process.train(folder.parents[2], folder, owned, 7)
    assert (code, owned.asked) == (-number, [number])
    assert not (folder / 'trained').exists() and lock.owner(folder) is None


def test_ctrl_c_before_the_start_ends_the_command_and_frees_the_run(folder):
    with pytest.raises(KeyboardInterrupt), Owned(folder):
        signal.raise_signal(signal.SIGINT)
    assert lock.owner(folder) is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_process_is_made_reaches_it(folder, number, monkeypatch):
    """Between the fork and the line that knows the child: it had no parent then."""
    write_main(folder, 'import time; time.sleep(60)\n')
    real = subprocess.Popen

    def popen(*words, **options):
        child = real(*words, **options)
        signal.raise_signal(number)
        return child

    monkeypatch.setattr(training_process.subprocess, 'Popen', popen)
    code, owned = trained(folder)
    assert owned.asked == [number] and (code < 0 or code == 1)
    expected = {signal.SIGTERM: 75, signal.SIGINT: 130}[number]
    info = {'tag': 't1', 'id': 0, 'seed': 7, 'commit': 'c' * 40}
    assert training_process.write_ending(folder, info, code, None, owned.asked) == expected
    assert statistic.read(folder)['status'] == statistic.INTERRUPTED


def test_each_signal_is_handed_on_once_and_old_handlers_come_back(folder):
    write_main(
        folder,
        'import signal, time\n'
        'got = []\n'
        'signal.signal(signal.SIGTERM, lambda *_: got.append(1))\n'
        '(folder / "ready").touch()\n'
        'end = time.monotonic() + 60\n'
        'while not (folder / "end").exists() and time.monotonic() < end: time.sleep(0.01)\n'
        'sys.exit(10 + len(got))\n',
    )
    before = signal.getsignal(signal.SIGTERM)

    def look():
        if (folder / 'ready').exists() and not (folder / 'end').exists():
            signal.raise_signal(signal.SIGTERM)
            (folder / 'end').touch()

    ownership_look = ownership.LOOK_S
    ownership.LOOK_S = 0.02
    try:
        assert trained(folder, look)[0] == 11
    finally:
        ownership.LOOK_S = ownership_look
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize('is_foreground', [True, False])
def test_kill_int_of_the_launcher_alone_stops_training_at_a_terminal_too(
    folder, monkeypatch, is_foreground
):
    """It gets one signal that asks it to stop, which is not a second Ctrl-C."""
    write_main(
        folder,
        'import signal, time\n'
        'def stop(number, _): sys.exit(75 if number == signal.SIGTERM else 130)\n'
        'signal.signal(signal.SIGTERM, stop), signal.signal(signal.SIGINT, stop)\n'
        '(folder / "ready").touch()\n'
        'time.sleep(60)\n',
    )
    monkeypatch.setattr(ownership.detach, 'in_foreground', lambda: is_foreground)
    monkeypatch.setattr(ownership, 'LOOK_S', 0.02)
    sent = []

    def look():
        if (folder / 'ready').exists() and not sent:
            sent.append(1)
            os.kill(os.getpid(), signal.SIGINT)

    assert trained(folder, look)[0] == training_process.CTRL_C


def test_nohup_stays_nohup_of_training_too(folder):
    write_main(
        folder, 'import signal; sys.exit(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)\n'
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert trained(folder)[0] == 1
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_cannot_be_locked_is_refused_by_its_name(folder):
    os.mkdir(folder / 'lock')
    with pytest.raises(UserError, match='lock.* cannot be locked: Is a directory'):
        Owned(folder).__enter__()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_no_descriptor_stays_open_after_many_runs(folder):
    write_main(folder, 'held = lock.Lock(folder)\n')
    before = len(os.listdir('/dev/fd'))
    for _ in range(5):
        assert trained(folder)[0] == 0
    assert len(os.listdir('/dev/fd')) == before and lock._held == []


def test_a_launcher_that_is_killed_frees_a_run_that_it_had_not_started(folder):
    code = (
        f'import sys, time; sys.path.append({str(CODE)!r})\n'
        'from pathlib import Path\n'
        'from tagrun.core.launch.ownership import Owned\n'
        'with Owned(Path(sys.argv[1])):\n    print("owned", flush=True); time.sleep(60)\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code, str(folder)], stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout.readline() == b'owned\n'
        assert lock.owner(folder)['pid'] == launcher.pid
        launcher.kill()
    assert lock.owner(folder) is None


def test_the_run_goes_along_into_the_background(folder):
    """The process that was called lets go; the other one owns the run from its first moment on."""
    pid = os.fork()
    if not pid:
        with Owned(folder) as owned:
            if not owned.in_background():
                os._exit(lock.owner(folder) is None)
            while not Path(folder, 'end').exists():
                pass
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    owner = lock.owner(folder)
    assert owner and owner['pid'] not in (pid, os.getpid())
    (folder / 'end').touch()
    wait_for(lambda: lock.owner(folder) is None, what='its end')
