"""training/signals.py: a signal stops a run after its step, and leaves its data workers a while."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project_factory import CODE, wait_for

from tagrun.training.signals import Stopped


def in_python(code, *arguments, **options):
    """Run code in a Python of its own that finds the tool; (exit code, stderr)."""
    done = subprocess.run(
        [sys.executable, '-c', code, *arguments],
        env={**os.environ, 'PYTHONPATH': str(CODE)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **options,
    )
    return done.returncode, done.stderr


def test_a_signal_while_python_ends_changes_no_exit_code():
    """Objects go after Python has put its own handlers back: by then no signal counts any more."""
    code = (
        f'import os, signal, sys\nsys.path.append({str(CODE)!r})\nfrom '
        'tagrun.training.signals import Stop\nclass Late:\n'
        '    def __del__(self, kill=os.kill, own=os.getpid(), numbers=(signal.SIGTERM, '
        'signal.SIGINT)):\n        for number in numbers: kill(own, number)\n'
        'late = Late()\nStop(print)\nsys.exit(75)'
    )
    assert subprocess.run([sys.executable, '-c', code]).returncode == 75


@pytest.mark.parametrize('presses, code', [(1, 5), (2, 1), (4, 130)])
def test_a_second_ctrl_c_stops_at_once_and_two_more_cut_the_leaving_short(presses, code):
    """5: it only noted the signal; 1: KeyboardInterrupt; 130: gone while it was leaving."""
    script = (
        'import os, signal, sys; from tagrun.training.signals import Stop\nstop = Stop(print)\n'
        f'try:\n    for _ in range({presses} - (2 if {presses} > 2 else 0)): '
        'os.kill(os.getpid(), signal.SIGINT)\n'
        f'except KeyboardInterrupt:\n    if {presses} == 2: sys.exit(1)\n    '
        'os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), '
        'signal.SIGINT)\nsys.exit(5)'
    )
    assert in_python(script)[0] == code


def test_nohup_stays_nohup_in_training_and_in_its_workers():
    script = (
        'import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom '
        'tagrun.training.signals import Stop\nstop = Stop(print)\n'
        'os.kill(os.getpid(), signal.SIGHUP); assert stop.signal is None\nchild = '
        'os.fork()\nos.kill(os.getpid(), signal.SIGHUP)\n'
        'if not child: os._exit(3)\nassert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3'
    )
    assert in_python(script)[0] == 0


def test_a_data_worker_outlives_sigterm_a_while_so_that_training_can_save():
    script = (
        'import os, signal; from tagrun.training import '
        'signals\nsignals.in_worker(0)\nsignals.WORKER_S = 1\n'
        'os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGUSR1); '
        'print("alive", flush=True); signal.pause()'
    )
    assert in_python(script)[0] == -signal.SIGALRM


@pytest.mark.parametrize(
    'begun', [True, False], ids=['a worker', 'any process, to know that the test can fail']
)
def test_a_worker_whose_training_went_while_it_took_a_batch_says_nothing(begun):
    script = (
        'import sys, time; from multiprocessing import process, resource_sharer; from '
        'multiprocessing.connection import Client\n'
        'from tagrun.training import signals\nif sys.argv[1] == "True": '
        'signals.in_worker(0)\nshared = resource_sharer.DupFd(0)\n'
        'Client(shared._id[0], authkey=process.current_process().authkey).close()\ntime.sleep(0.5)'
    )
    assert (
        in_python(script, str(begun)) == (0, '')
        if begun
        else 'EOFError' in in_python(script, str(begun))[1]
    )


def test_a_worker_still_tells_of_every_other_error():
    script = (
        'from tagrun.training import signals\nsignals.in_worker(0)\n'
        'raise ValueError("a bug of mine")'
    )
    code, said = in_python(script)
    assert code == 1 and 'ValueError: a bug of mine' in said


@pytest.mark.parametrize(
    'number, code, name',
    [
        (signal.SIGINT, 130, 'Ctrl-C'),
        (signal.SIGTERM, 75, 'SIGTERM'),
        (signal.SIGUSR1, 75, 'SIGUSR1'),
    ],
)
def test_what_a_signal_ends_a_run_with_says_its_name_and_code(number, code, name):
    stopped = Stopped(number)
    assert stopped.code == code and str(stopped) == name
    assert not isinstance(stopped, Exception)  # the researcher's own `except Exception` lets it go


def test_ctrl_c_while_torch_loads_ends_a_run_without_a_traceback(project):
    """What a terminal sends reaches the command and training at once."""
    begun = project.root / 'begun'
    wait = f'import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(60)\n'
    project.edit('model.py', 'import torch', f'{wait}import torch')
    process = subprocess.Popen(
        project.command('run', 't1'),
        cwd=project.root,
        env=project.env,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(begun.exists, what='the import of model.py')
    os.killpg(process.pid, signal.SIGINT)
    _, screen = process.communicate(timeout=60)
    assert process.returncode == 130 and 'Traceback' not in screen and 'no memory' not in screen
    assert 't1/0 interrupted' in screen and project.statistic('t1/0')['status'] == 'interrupted'


def children(pid):
    return Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
