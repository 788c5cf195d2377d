"""A clone of the project before its set-up: tagrun, small requirements, a PATH without uv.

    def test_…(clone): clone.run('setup')

The fixtures come with conftest.py.
"""

import os
import shlex
import shutil
import subprocess
import sys

import pytest
from project_factory import CODE

BASH = shutil.which('bash')
OFFLINE = {
    'PIP_CONFIG_FILE': '/dev/null',
    'PIP_FIND_LINKS': '',
    'PIP_INDEX_URL': 'http://127.0.0.1:9/simple',
    'PIP_RETRIES': '0',
}
CHOOSES_PYTHON = ('VIRTUAL_ENV', 'CONDA_PREFIX', 'TAGRUN_PYTHON', 'PYTHONPATH')
# one that is not there: the set-up comes first, and then it is refused with 2
NO_COMMAND = ('no-command',)


class Clone:
    """A project with tagrun and small requirements; its PATH has a python3 and nothing else."""

    def __init__(self, root, programs):
        self.root, self.venv = root, root / '.venv'
        (root / 'code').mkdir(parents=True)
        shutil.copy(CODE / 'source.sh', root / 'code')
        shutil.copytree(
            CODE / 'tagrun',
            root / 'code' / 'tagrun',
            ignore=shutil.ignore_patterns('__pycache__', 'tests'),
        )
        (root / 'code' / 'requirements.txt').write_text('# pins\ntabulate==0.10.0\n')
        (root / 'code' / 'requirements-test.txt').write_text('iniconfig\n')
        programs.mkdir()
        (programs / 'python3').write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        (programs / 'python3').chmod(0o755)
        self.env = {**os.environ, 'PATH': str(programs)}
        for name in CHOOSES_PYTHON:
            self.env.pop(name, None)

    def start(self, *words, **env):
        return subprocess.Popen(
            [BASH, str(self.root / 'code' / 'source.sh'), *words],
            env={**self.env, **env},
            text=True,
            cwd='/',
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *words, code=0, **env):
        """Run a command; return its stderr. It has no traceback, and stdout is empty."""
        process = self.start(*words, **env)
        out, error = process.communicate(timeout=120)
        assert (process.returncode, out) == (code, ''), error
        assert 'Traceback' not in error
        return error

    def has(self, module):
        done = subprocess.run(
            [self.venv / 'bin' / 'python', '-I', '-c', f'import {module}'], capture_output=True
        )
        return done.returncode == 0

    def is_complete(self):
        stamp, pins = (folder / 'requirements.txt' for folder in (self.venv, self.root / 'code'))
        return stamp.read_text() == pins.read_text() and self.has('tabulate')


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / "a 'b; c", tmp_path / 'programs')


@pytest.fixture(scope='session')
def installed(tmp_path_factory):
    """A clone that was set up, to be read only: an installation takes seconds."""
    folder = tmp_path_factory.mktemp('installed')
    clone = Clone(folder / "a 'b; c", folder / 'programs')
    clone.output = clone.run(*NO_COMMAND, code=2)
    return clone
