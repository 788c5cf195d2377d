"""A project of its own for each test, in a folder called a 'b; c', trained with one thread.

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

CODE = Path(__file__).resolve().parents[3]
# a second of training
SMALL = {
    'model': "'mlp'",
    'epochs': '3',
    'hidden': '16',
    'eval_batch_size': '1000',
    'batch_size': '200',
}

# of epoch.py; with it each training imports matplotlib and draws, which is a fifth of its time
MATRICES = '''            if not train:
                state.meter.sum(confusion=confusion_counts(y, prediction))
'''


class Project:
    """A project folder and the command line on it."""

    def __init__(self, root):
        self.root = root
        self.env = {
            **os.environ,
            'CI': 'true',
            'OMP_NUM_THREADS': '1',
            'TAGRUN_PYTHON': sys.executable,
            'NO_COLOR': '1',
        }

    def git(self, *words, check=True):
        return subprocess.run(
            ['git', *words],
            cwd=self.root,
            check=check,
            capture_output=True,
            text=True,
            env=self.env,
        ).stdout

    def command(self, *words):
        return [sys.executable, str(self.root / 'code' / 'tagrun'), *map(str, words)]

    def tagrun(self, *words, code=0, cwd=None, timeout=180, env=None):
        """Run a command to its end; check its exit code and that it showed no traceback."""
        done = subprocess.run(
            self.command(*words),
            cwd=cwd or self.root,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == code, (
            f'{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}'
        )
        assert 'Traceback' not in done.stderr + done.stdout, done.stderr
        return done

    def start(self, *words):
        return subprocess.Popen(
            self.command(*words),
            cwd=self.root,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

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
        """Kill the process that owns the run with SIGKILL."""
        # the file exists an instant before it has its text
        owner = wait_for((self.folder(name) / 'lock').read_text, what='the owner')
        os.kill(json.loads(owner)['pid'], signal.SIGKILL)

    def outcome(self, name):
        """Return what two equal runs share to the last bit; the times are left out."""
        folder, statistic = self.folder(name), self.statistic(name)
        with open(folder / 'history.csv', newline='') as file:
            history = list(csv.DictReader(file))
        for row in history:
            row.pop('seconds', None)
        return {
            'digest': statistic['digest'],
            'metric': statistic['metric'],
            'best_epoch': statistic['best_epoch'],
            'history': history,
            'trace': (folder / 'trace.csv').read_text(),
        }


def make_data(folder):
    """Make __data__ in a folder, as the example makes it; return its path."""
    subprocess.run(
        [sys.executable, '-c', 'import dataloader; dataloader.load_arrays()'],
        cwd=folder,
        check=True,
        env={**os.environ, 'PYTHONPATH': str(CODE)},
    )
    return folder / '__data__'


def make_project(root, data, matrices=False, **settings):
    """Return a committed copy of the template, with SMALL and further settings in config.py.

    matrices: whether epoch.py counts confusion matrices, as the template's own does.
    """
    project = copied(_template(data), root)
    if matrices:
        shutil.copy(CODE / 'epoch.py', project.root / 'code')
    if settings:
        project.configure(**settings)
    if matrices or settings:
        project.git('commit', '-qa', '--amend', '--no-edit')
    return project


def fresh_project(root, data):
    """Return a committed copy of the template, just as it is."""
    return copied(_pristine(data), root)


def copied(project, root):
    """Copy a project to `root`; git sees its files as unchanged there."""
    shutil.copytree(project.root, root, symlinks=True, dirs_exist_ok=True)
    copy = Project(root)
    copy.git('update-index', '-q', '--refresh')
    return copy


@functools.cache
def _template(data):
    """The project that make_project copies, beside the data."""
    root = Path(tempfile.mkdtemp(prefix='template-', dir=data.parent))
    project = copied(_pristine(data), root)
    project.edit('epoch.py', MATRICES, '')
    project.configure(**SMALL)
    project.git('commit', '-qa', '--amend', '--no-edit')
    return project


@functools.cache
def _pristine(data):
    """The template under git, beside the data."""
    root = Path(tempfile.mkdtemp(prefix='pristine-', dir=data.parent))
    shutil.copytree(
        CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__', 'tests', 'bench')
    )
    shutil.copytree(data, root / '__data__')
    shutil.copy(CODE.parent / '.gitignore', root)
    return committed(Project(root))


def committed(project, **settings):
    """Put a new project under git, with these settings in config.py."""
    project.configure(**settings)
    project.git('init', '-q', '-b', 'main')
    project.git('config', 'user.name', 'A Tester')
    project.git('config', 'user.email', 'tester@example.org')
    # hundreds of runs; test_plot.py draws them
    project.git('config', 'tagrun.curves', 'false')
    project.commit('start')
    return project


def wait_for(condition, timeout_s=60, what='it'):
    """Wait until `condition()` is true; return its value."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f'waited {timeout_s} s for {what}')
