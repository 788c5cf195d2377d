"""A Python without the packages: `python code/main.py` says which one has them."""

import os
import subprocess
import sys

import pytest
from project_factory import CODE

from tagrun.training import packages

BARE = [sys.executable, '-S', '-E']  # without site-packages


@pytest.fixture
def by_hand(tmp_path):
    """A project whose main.py a bare Python is to run."""
    (tmp_path / "a 'b").mkdir()
    (tmp_path / "a 'b" / 'code').symlink_to(CODE)
    return tmp_path / "a 'b"


def start(folder, **environment):
    env = dict(os.environ)
    for name in ('TAGRUN_RUN', 'TAGRUN_PYTHON', 'VIRTUAL_ENV', 'CONDA_PREFIX', 'PYTHONPATH'):
        env.pop(name, None)
    words = [*BARE, 'code/main.py']
    return subprocess.run(
        words, cwd=folder, env={**env, **environment}, capture_output=True, text=True
    )


def test_the_python_that_has_them_is_named(by_hand):
    done = start(by_hand, TAGRUN_PYTHON=sys.executable)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'lacks ' in done.stderr and 'in another Python:' in done.stderr
    assert done.stderr.rstrip().endswith(' code/main.py')


def test_a_launched_run_shows_the_error_itself(by_hand, tmp_path):
    done = start(by_hand, TAGRUN_RUN=str(tmp_path))
    assert 'ModuleNotFoundError' in done.stderr and 'another Python' not in done.stderr


def test_another_error_is_left_alone():
    for error in (ModuleNotFoundError("No module named 'x'", name='x'), ValueError('mine')):
        assert packages.explain(error) is None


def test_without_any_it_says_what_installs_them(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['code/main.py'])
    main = type(sys)('__main__')
    main.__file__ = str(CODE / 'main.py')
    monkeypatch.setitem(sys.modules, '__main__', main)
    for name in ('TAGRUN_RUN', 'TAGRUN_PYTHON', 'VIRTUAL_ENV', 'CONDA_PREFIX'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit, match='lacks no_such. This installs'):
        packages.explain(ModuleNotFoundError('no', name='no_such.part'))
    monkeypatch.setattr(packages, 'OLDEST', (99, 0))
    with pytest.raises(SystemExit, match='is Python 3.*, and 3.10 or newer is needed'):
        packages.explain(TypeError('unsupported operand'))
