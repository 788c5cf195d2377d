"""A project of its own for each test: the template's files in a folder called a 'b; c', under git, trained with one thread.

    def test_…(project): project.tagrun('run', 't1', '--set', 'epochs=2')
"""
import csv
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

CODE = Path(__file__).resolve().parents[2]
sys.path.append(str(CODE))      # last, as __main__.py has it
SMALL = {'model': "'mlp'", 'epochs': '3', 'hidden': '16', 'eval_batch_size': '1000', 'batch_size': '200'}    # a second of training


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='the long campaigns too')


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: minutes long; runs with --slow')
    for helper in ('hostile', 'pages'):     # their fixtures
        config.pluginmanager.import_plugin(helper)


def pytest_collection_modifyitems(config, items):
    if not config.getoption('--slow'):
        items[:] = [item for item in items if 'slow' not in item.keywords]


class Project:
    """A project folder and the command line on it."""

    def __init__(self, root):
        self.root = root
        self.env = {**os.environ, 'CI': 'true', 'OMP_NUM_THREADS': '1', 'TAGRUN_PYTHON': sys.executable, 'NO_COLOR': '1'}

    def git(self, *words, check=True):
        return subprocess.run(['git', *words], cwd=self.root, check=check, capture_output=True, text=True, env=self.env).stdout

    def command(self, *words):
        return [sys.executable, str(self.root / 'code' / 'tagrun'), *map(str, words)]

    def tagrun(self, *words, code=0, cwd=None, timeout=180, env=None):
        """Run a verb to its end; asserts its exit code and that no traceback was shown."""
        done = subprocess.run(self.command(*words), cwd=cwd or self.root, env={**self.env, **(env or {})}, capture_output=True,
                              text=True, timeout=timeout)
        assert done.returncode == code, f'{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}'
        assert 'Traceback' not in done.stderr + done.stdout, done.stderr
        return done

    def start(self, *words):
        return subprocess.Popen(self.command(*words), cwd=self.root, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def folder(self, name):
        return self.root / '__result__' / name

    def statistic(self, name):
        return json.loads((self.folder(name) / 'statistic.json').read_text())

    def configure(self, **values):
        """Change lines of config.py as an editor would; values are Python text."""
        path = self.root / 'code' / 'config.py'
        lines = path.read_text().splitlines()
        for name, value in values.items():
            at = next(index for index, line in enumerate(lines) if line.startswith(f'{name} = '))
            lines[at] = f'{name} = {value}'
        path.write_text('\n'.join(lines) + '\n')

    def edit(self, file, old, new):
        path = self.root / 'code' / file
        text = path.read_text()
        assert old in text, f'{old!r} is not in {file}'
        path.write_text(text.replace(old, new))

    def commit(self, message='a change'):
        self.git('add', '-A')
        self.git('commit', '-qm', message)

    def kill_training(self, name):
        """kill -9 to the process that owns the run."""
        owner = wait_for((self.folder(name) / 'lock').read_text, what='the owner\'s word')     # the file is there an instant before
        os.kill(json.loads(owner)['pid'], signal.SIGKILL)

    def outcome(self, name):
        """What two equal runs share to the last bit: weights, history (times left out), trace, best epoch, metrics."""
        folder, statistic = self.folder(name), self.statistic(name)
        with open(folder / 'history.csv', newline='') as file:
            history = [{key: value for key, value in row.items() if key != 'seconds'} for row in csv.DictReader(file)]
        return {'digest': statistic['digest'], 'metric': statistic['metric'], 'best_epoch': statistic['best_epoch'], 'history': history,
                'trace': (folder / 'trace.csv').read_text()}


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('data'))


def make_data(place):
    """__data__ as the example makes it, in the folder `place`; its path."""
    subprocess.run([sys.executable, '-c', 'import dataloader; dataloader.load_arrays()'], cwd=place, check=True,
                   env={**os.environ, 'PYTHONPATH': str(CODE)})
    return place / '__data__'


@pytest.fixture
def project(tmp_path, data):
    return make_project(tmp_path / "a 'b; c", data)


@pytest.fixture
def stubbed(tmp_path):
    """A project that trains nothing, for what does not ask how training goes: stub.py."""
    import stub
    return stub.make(tmp_path / "a 'b; c")


def make_project(root, data, **settings):
    """A committed copy of the template at `root`, with SMALL and further settings in config.py."""
    made = copied(_template(data), root)
    if settings:
        made.configure(**settings)
        made.git('commit', '-qa', '--amend', '--no-edit')
    return made


def copied(project, root):
    """A copy of a project at `root`; git finds its files unchanged there."""
    shutil.copytree(project.root, root, symlinks=True, dirs_exist_ok=True)
    made = Project(root)
    made.git('update-index', '-q', '--refresh')
    return made


@functools.cache
def _template(data):
    """The project that others are copies of, beside the data."""
    root = Path(tempfile.mkdtemp(prefix='template-', dir=data.parent))
    shutil.copytree(CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__', 'tests', 'bench'))
    shutil.copytree(data, root / '__data__')
    shutil.copy(CODE.parent / '.gitignore', root)
    return committed(Project(root), **SMALL)


def committed(made, **settings):
    """Put a new project under git, with these settings in config.py."""
    made.configure(**settings)
    made.git('init', '-q', '-b', 'main')
    made.git('config', 'user.name', 'A Tester')
    made.git('config', 'user.email', 'tester@example.org')
    made.git('config', 'tagrun.curves', 'false')     # hundreds of runs; test_plot.py draws them
    made.commit('start')
    return made


def wait_for(condition, timeout_s=60, what='it'):
    """Until `condition()` is true; its value."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f'waited {timeout_s} s for {what}')
