"""Kills at a system call from outside, by strace: a sample.

They show that what fault_calls.py sees from within is what the kernel is asked for.
"""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tagrun.core.git.repository import Repository
from tagrun.core.launch import resume
from tagrun.core.record import claim, provenance
from tagrun.store import run_json

STRACE = shutil.which('strace')


@pytest.mark.slow
@pytest.mark.skipif(not STRACE, reason='strace is not here')
@pytest.mark.parametrize(
    'call, when', [('fsync', 6), ('renameat', 5), ('symlinkat', 2), ('ftruncate', 1), ('write', 20)]
)
def test_a_run_killed_by_the_kernel_in_a_system_call_comes_back(project, call, when):
    project.tagrun('run', '-f', 't1')
    repository, seed = Repository.at(project.root), project.statistic('t1/0')['seed']
    folder = claim.create_run(repository, 't1', repository.resolve('refs/tags/t1^{commit}'), seed)
    command = [
        STRACE,
        '-f',
        '-qq',
        '-o',
        os.devnull,
        '-e',
        f'trace={call}',
        '-e',
        f'inject={call}:signal=SIGKILL:when={when}',
        sys.executable,
        '-u',
        folder / 'code' / 'main.py',
    ]
    done = subprocess.run(
        command,
        cwd=project.root,
        env={**project.env, run_json.ENVIRONMENT: str(folder)},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    info = provenance.read_verified(repository, folder)
    assert resume.prepare(repository, folder, info)
    project.tagrun('continue', 't1/1')
    assert project.outcome('t1/1') == project.outcome('t1/0')
