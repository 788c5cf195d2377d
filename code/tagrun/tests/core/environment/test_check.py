"""Which Python has the packages, and which of them are missing."""

import os
import sys

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.environment import check

REQUIREMENTS = """# a comment
absent-a==1.0   # why
Absent_B[extra]>=2; python_version >= "3.10"
absent-c==1; python_version < "3.10"
absent-d @ https://example.org/d.whl
git+https://example.org/e
-r more.txt

absent-f; sys_platform != "no"
pytest
"""


@pytest.fixture
def no_choice(monkeypatch, tmp_path):
    # the tests may run in the project's own .venv, which is never an environment of yours
    monkeypatch.setattr(check, 'ENVIRONMENT', tmp_path / '.venv')
    for name in ('TAGRUN_PYTHON', 'VIRTUAL_ENV', 'CONDA_PREFIX'):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_requirements_are_read_as_pip_reads_them(tmp_path):
    file = tmp_path / 'requirements.txt'
    file.write_text(REQUIREMENTS)
    assert check.required(file) == ['absent-a', 'Absent_B', 'absent-d', 'absent-f', 'pytest']
    assert check.missing(file) == ['absent-a', 'Absent_B', 'absent-d', 'absent-f']
    assert check.required(tmp_path / 'no such file') == []


def test_a_refusal_names_what_is_missing_and_the_command_that_installs_it(tmp_path):
    complete, incomplete = tmp_path / 'complete.txt', tmp_path / "in 'complete'.txt"
    complete.write_text('pytest\n')
    incomplete.write_text('absent-a\npytest\nabsent-b\n')
    check.refuse_if_incomplete([complete])
    with pytest.raises(UserError) as refusal:
        check.refuse_if_incomplete([complete, incomplete])
    assert f'{sys.executable} lacks absent-a, absent-b: ' in str(refusal.value)
    assert str(refusal.value).count(' -r ') == 1
    assert str(refusal.value).endswith(f'''-r '{tmp_path}/in '"'"'complete'"'"'.txt\'''')


def test_this_python_has_what_the_project_requires():
    assert check.require() is None
    assert check.missing(check.REQUIREMENTS) == []
    assert check.required(check.REQUIREMENTS)


def test_without_an_environment_of_yours_the_python_is_that_of_dot_venv(no_choice):
    assert not check.is_yours()
    assert check.python() == str(check.ENVIRONMENT / 'bin' / 'python')


def test_a_python_named_in_tagrun_python_is_yours(no_choice):
    no_choice.setenv('TAGRUN_PYTHON', sys.executable)
    assert check.is_yours()
    assert check.python() == sys.executable


@pytest.mark.parametrize('name', ['VIRTUAL_ENV', 'CONDA_PREFIX'])
def test_an_active_environment_is_yours_if_it_has_a_python(no_choice, tmp_path, name):
    no_choice.setenv(name, str(tmp_path))
    assert not check.is_yours()
    (tmp_path / 'bin').mkdir()
    os.symlink(sys.executable, tmp_path / 'bin' / 'python')
    assert check.is_yours()


def test_the_projects_own_environment_is_not_yours_though_it_is_active(no_choice):
    no_choice.setenv('VIRTUAL_ENV', str(check.ENVIRONMENT))
    no_choice.setenv('CONDA_PREFIX', sys.prefix)
    assert not check.is_yours()


def test_an_environment_without_its_stamp_is_not_complete(tmp_path, no_choice):
    no_choice.setattr(check, 'ENVIRONMENT', tmp_path)
    file = tmp_path / 'code' / 'requirements.txt'
    file.parent.mkdir()
    file.write_text('pytest\n')
    assert check.stamp(file) == tmp_path / 'requirements.txt'
    assert not check.is_complete([file])
    check.stamp(file).write_text('pytest\n')
    # it has no Python
    assert not check.can_run('pass') and not check.is_complete([file])
