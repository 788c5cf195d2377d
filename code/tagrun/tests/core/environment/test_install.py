"""An installation that is killed, raced, or cut off; and an environment of yours, left alone."""

import os
import re
import signal
import subprocess
import sys

import pytest
from bare_clone import NO_COMMAND
from project_factory import wait_for

from tagrun.core.cli.messages import UserError
from tagrun.core.environment import check, install

# ---- Cut off ----


@pytest.mark.parametrize(
    'moment',
    [*(pytest.param(one, marks=pytest.mark.slow) for one in ('venv', 'pip')), 'installing'],
)
def test_a_set_up_that_was_killed_is_begun_anew(clone, moment):
    site = {
        'venv': 'bin/python',
        'pip': 'lib/python*/site-packages/pip/__main__.py',
        'installing': 'lib/python*/site-packages/tabulate',
    }[moment]
    process = clone.start('setup')
    wait_for(lambda: list(clone.venv.glob(site)), what=site)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (clone.venv / 'requirements.txt').read_text() == ''
    (clone.venv / 'torn').write_text('')
    clone.run(*NO_COMMAND, code=2)
    assert clone.is_complete() and not (clone.venv / 'torn').exists()


@pytest.mark.slow
def test_a_pip_that_outlived_its_set_up_is_waited_for(clone):
    process = subprocess.Popen(
        [sys.executable, clone.root / 'code' / 'tagrun', 'setup'],
        env=clone.env,
        cwd='/',
        text=True,
        stderr=subprocess.PIPE,
    )
    while process.stderr.readline().startswith('tagrun:'):
        pass
    process.kill()  # not its pip, whose first line this was
    assert 'another set-up of this project is at work; waiting for it' in clone.run(
        *NO_COMMAND, code=2
    )
    assert clone.is_complete()
    process.communicate()


@pytest.mark.slow
def test_of_two_set_ups_at_once_one_waits_for_the_other(clone):
    outputs = [
        process.communicate(timeout=120)[1]
        for process in [clone.start(*NO_COMMAND), clone.start(*NO_COMMAND)]
    ]
    assert sorted('waiting for it' in text for text in outputs) == [False, True]
    assert sorted('Successfully installed' in text for text in outputs) == [False, True]
    assert clone.is_complete()


def test_an_environment_whose_python_is_gone_is_made_again(clone):
    clone.run('setup')
    for link in (clone.venv / 'bin').glob('python*'):
        link.unlink()
    (clone.venv / 'bin' / 'python').symlink_to('/gone/python3')
    assert 'Successfully installed' in clone.run('setup')
    assert clone.is_complete()


def test_ctrl_c_is_quiet_and_ends_with_130(clone):
    process = clone.start('setup')
    wait_for(lambda: list(clone.venv.glob('lib/python*/site-packages/pip')), what='pip')
    os.killpg(process.pid, signal.SIGINT)
    outputs = process.communicate(timeout=60)[1]
    assert process.returncode in (130, -signal.SIGINT) and 'Traceback' not in outputs
    clone.run('setup')
    assert clone.is_complete()


# ---- An environment of yours, and the reasons of a failure ----


def test_nothing_is_installed_into_an_environment_of_yours(monkeypatch, tmp_path):
    # the tests may run in the project's own .venv, which is never an environment of yours
    monkeypatch.setattr(check, 'ENVIRONMENT', tmp_path / '.venv')
    monkeypatch.setenv('TAGRUN_PYTHON', sys.executable)
    file = tmp_path / 'requirements.txt'
    file.write_text('pytest\n')
    assert install.install([file]) is False
    file.write_text('pytest\nabsent-a\n')
    with pytest.raises(UserError, match='lacks absent-a'):
        install.install([file])


@pytest.mark.parametrize(
    'output, is_out_of_reach',
    [
        ("NewConnectionError: Failed to establish: [Errno 111] Connection refused'", True),
        ('Temporary failure in name resolution', True),
        ('HTTPSConnectionPool: Read timed out.', True),
        ('ERROR: No matching distribution found for tabulate==99.0', False),
        ('error: subprocess-exited-with-error', False),
    ],
)
def test_a_network_that_is_out_of_reach_is_recognised(output, is_out_of_reach):
    assert bool(re.search(install.OUT_OF_REACH, output, re.IGNORECASE)) is is_out_of_reach
