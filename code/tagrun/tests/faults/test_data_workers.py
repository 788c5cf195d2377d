"""What goes wrong in a data worker: a sample that raises, a kill, a hang, a signal.

Each is reported in a line or two, and nothing that was saved is lost.
"""

import os
import subprocess
import sys

import pytest
from failing_runs import run_fails
from project_factory import CODE

SLOW = pytest.mark.slow


def in_each_sample(project, workers, old, new):
    """Edit how the example gives a sample; without get_batch, so that each one is asked for."""
    project.configure(num_workers=workers)
    project.edit('dataloader.py', '    def get_batch(', '    def no_get_batch(')
    project.edit('dataloader.py', old, new)


@pytest.mark.parametrize('workers', [pytest.param('0', marks=SLOW), '2'])
def test_a_sample_that_raises_is_named_by_its_index_and_line(project, workers):
    in_each_sample(
        project,
        workers,
        '        x = self.x[index]\n',
        "        if index == 1234:\n            raise KeyError('no such label')\n        "
        "x = self.x[index]\n",
    )
    assert run_fails(
        project,
        "sample 1",
        "of the dataset: KeyError: 'no such label'",
        'in code/dataloader.py, line ',
        "raise KeyError('no such label')",
    )


@pytest.mark.parametrize('times', [1, pytest.param(20, marks=SLOW)])
def test_a_data_worker_that_is_killed_is_told_as_that(project, times):
    """Nothing of multiprocessing's own is shown: the other worker may print it as it dies."""
    in_each_sample(
        project,
        '2',
        '        x = self.x[index]\n',
        '        x = self.x[index] if index != 77 else '
        '__import__("os").kill(__import__("os").getpid(), 9)\n',
    )
    for number in range(times):
        assert run_fails(
            project,
            'a data worker was killed, often for lack of memory',
            name=f't{number}/0',
            command=('run', '-f', f't{number}'),
        )


@pytest.mark.slow
def test_a_data_worker_that_hangs_is_waited_for_so_long(project):
    project.configure(worker_timeout='2')
    in_each_sample(
        project,
        '1',
        '        x = self.x[index]\n',
        '        x = self.x[index] if index != 77 else __import__("time").sleep(1000)\n',
    )
    assert run_fails(project, 'DataLoader timed out after 2 seconds', 'worker_timeout in config.py')


def test_data_workers_die_of_sigterm_and_leave_ctrl_c_to_training():
    """Ctrl-C at a terminal reaches them too; a worker that lived on would hold what it holds."""
    code = (
        'import os, signal, sys, time; from tagrun.training.signals import Stop\nstop = '
        'Stop(print)\nchild = os.fork()\n'
        'if not child:\n    time.sleep(60)\n'
        'time.sleep(0.2); os.kill(child, signal.SIGINT); time.sleep(0.2)\nassert '
        'os.waitpid(child, os.WNOHANG) == (0, 0)\n'
        'os.kill(child, signal.SIGTERM)\nassert '
        'os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM\nassert '
        'stop.signal is None'
    )
    env = {**os.environ, 'PYTHONPATH': str(CODE)}
    assert subprocess.run([sys.executable, '-c', code], env=env, timeout=60).returncode == 0
