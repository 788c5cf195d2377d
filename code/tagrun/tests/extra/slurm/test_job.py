"""What a node of Slurm runs: training's exit code, its signals, and when the job is requeued."""

import functools
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tagrun.core.launch import training_environment
from tagrun.extra.slurm import job


def run(tmp_path, code, state='RUNNING', stop=None, **variables):
    """Run a job whose training is Python text, in a process; (exit code, calls of scontrol)."""
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\necho "JobId=7 JobState={state} Reason=x"\n'
    )
    scontrol.chmod(0o755)
    program = textwrap.dedent(f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location('job', {job.__file__!r})
        job = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(job)
        job.Job([sys.executable, '-c', {code!r}], {str(tmp_path)!r}, '/folder')()
    """)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    env = {**os.environ, 'PATH': path, 'SLURM_JOB_ID': '7', **variables}
    process = subprocess.Popen([sys.executable, '-c', program], env=env, cwd=tmp_path)
    if stop:
        end = time.monotonic() + 30
        while not (tmp_path / 'began').exists() and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(stop)
    exit_code = process.wait(30)
    calls = tmp_path / 'calls'
    return exit_code, calls.read_text().splitlines() if calls.exists() else []


WAITS = """
import signal, sys, time
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda *_: sys.exit(75))
open('began', 'w').close()
time.sleep(30)
"""


def test_training_that_ends_by_itself_ends_the_job(tmp_path):
    assert run(tmp_path, 'import sys; sys.exit(3)') == (3, [])
    assert run(tmp_path, 'import os; os.kill(os.getpid(), 9)') == (128 + 9, [])


def test_a_job_that_was_warned_is_requeued_as_soon_as_training_has_saved(tmp_path):
    code, calls = run(tmp_path, WAITS, stop=signal.SIGUSR1)
    assert code == 75 and calls == ['--oneliner show job 7', 'requeue 7']


@pytest.mark.parametrize('state', ['CANCELLED', 'PENDING'])
def test_a_job_that_was_cancelled_or_is_requeued_already_is_not(tmp_path, state):
    variables = {'SLURM_ARRAY_JOB_ID': '5', 'SLURM_ARRAY_TASK_ID': '2'}
    code, calls = run(tmp_path, WAITS, state, signal.SIGTERM, **variables)
    assert code == 75 and calls == ['--oneliner show job 5_2']


def test_a_further_node_leaves_the_requeuing_to_the_first(tmp_path, monkeypatch):
    monkeypatch.setenv('SLURM_NODEID', '1')
    monkeypatch.setenv('SLURM_STEP_NUM_NODES', '2')
    monkeypatch.setenv('SLURM_JOB_ID', '20003')
    monkeypatch.setenv('SLURM_LAUNCH_NODE_IPADDR', '10.0.0.1')
    one = job.Job(['python', 'code/tagrun', 'continue', 't/0'], '/root', '/folder')
    assert one.command() == ['python', '-u', '/folder/code/main.py']
    assert one.node_environment() == {
        'TAGRUN_NODES': '2 1 10.0.0.1:20003',
        'TAGRUN_RUN': '/folder',
    }
    monkeypatch.setenv('SLURM_NODEID', '0')
    assert one.command() == one.words
    assert one.node_environment() == {'TAGRUN_NODES': '2 0 10.0.0.1:20003'}


def test_training_on_a_further_node_has_an_environment_of_the_launchers_making(monkeypatch):
    clean = functools.partial(training_environment.build, seed=7)
    one = job.Job(['python'], '/root', '/folder', clean)
    for name in ('PYTHONSAFEPATH', 'RANK'):
        monkeypatch.setenv(name, '1')
    monkeypatch.delenv('SLURM_STEP_NUM_NODES', raising=False)
    assert one.environment() == dict(os.environ)  # the launcher's affair
    monkeypatch.setenv('SLURM_NODEID', '1')
    variables = one.environment()
    assert variables['PYTHONHASHSEED'] == '7' and variables['SLURM_NODEID'] == '1'
    assert 'PYTHONSAFEPATH' not in variables and 'RANK' not in variables


def test_on_one_node_training_is_not_told_of_nodes(monkeypatch):
    monkeypatch.delenv('SLURM_STEP_NUM_NODES', raising=False)
    assert job.Job(['python'], '/root', '/folder').node_environment() == {}
