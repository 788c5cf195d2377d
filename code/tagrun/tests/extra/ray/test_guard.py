"""The guard between a Ray worker and training."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project_factory import wait_for

from tagrun.extra.ray import guard

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='Linux tells a child of a death')
WAITS = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"


def started(worker, *words):
    return subprocess.Popen(
        [sys.executable, '-I', guard.__file__, str(worker), *words],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_exit_code_is_that_of_training():
    words = [sys.executable, '-c', 'import sys; sys.exit(3)']
    assert started(os.getpid(), *words).wait(30) == 3


def test_training_that_was_killed_can_go_on():
    words = [sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)']
    assert started(os.getpid(), *words).wait(30) == guard.RESUMABLE


def test_without_its_worker_nothing_is_trained(tmp_path):
    words = [sys.executable, '-c', f'open({str(tmp_path / "x")!r}, "w")']
    assert started(1 << 22, *words).wait(30) == guard.RESUMABLE and not (tmp_path / 'x').exists()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_training_ends_however_the_guard_ends(number):
    process = started(os.getpid(), sys.executable, '-c', WAITS)
    pid = int(process.stdout.readline())
    process.send_signal(number)
    assert process.wait(30)
    process.stdout.close()
    assert wait_for(lambda: has_ended(pid), what='the end of training')


def test_a_worker_that_is_killed_takes_the_guard_and_training_along(tmp_path):
    script = tmp_path / 'worker.py'
    script.write_text(
        'import os, subprocess, sys\n'
        f'words = [sys.executable, "-I", {guard.__file__!r}, str(os.getpid())]\n'
        f'subprocess.run([*words, sys.executable, "-c", {WAITS!r}])\n'
    )
    worker = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    pid = int(worker.stdout.readline())
    time.sleep(0.1)
    worker.kill()
    worker.wait(30)
    worker.stdout.close()
    assert wait_for(lambda: has_ended(pid), what='the end of training')


def has_ended(pid):
    """Whether it has: nobody may wait for it here, so a zombie has ended, too."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == 'Z'
