"""`tagrun test`: it starts pytest in the right Python, with the words that it is given."""

import sys

import pytest

TESTS = """
import os
def test_first(): assert os.environ['OMP_NUM_THREADS'] == '1'
def test_second(): assert os.path.isdir('code/tagrun')
"""


@pytest.mark.parametrize(
    'words, code, outcome',
    [
        ([], 0, '2 passed'),
        (['-k', 'first', '-x'], 0, '1 passed, 1 deselected'),
        (['FILE::test_second'], 0, '1 passed'),
        (['-k', 'none'], 5, 'no tests ran'),
    ],
)
def test_the_tests_run_in_this_python_and_pytest_has_the_last_word(clone, words, code, outcome):
    tests = clone.root / 'code' / 'tagrun' / 'tests'
    tests.mkdir()
    (tests / 'test_it.py').write_text(TESTS)
    (clone.root / 'code' / 'requirements-test.txt').write_text('pytest\npytest-xdist\n')
    (clone.root / 'code' / 'requirements.txt').write_text('')
    words = [word.replace('FILE', str(tests / 'test_it.py')) for word in words]
    process = clone.start('test', *words, TAGRUN_PYTHON=sys.executable)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, '')
    assert outcome in out.splitlines()[-1]


def test_lint_checks_the_source_instead_and_says_what_is_not_clean(clone, tmp_path):
    """The tools lie beside the Python that is used: here they are scripts."""
    python = tmp_path / 'programs' / 'python'
    python.symlink_to(sys.executable)
    for name, code in {'ruff': 0, 'mypy': 1, 'shellcheck': 0}.items():
        tool = tmp_path / 'programs' / name
        tool.write_text(f'#!/bin/sh\necho "{name} $1"\nexit {code}\n')
        tool.chmod(0o755)
    (clone.root / 'code' / 'requirements-test.txt').write_text('')
    (clone.root / 'code' / 'requirements.txt').write_text('')
    process = clone.start('test', '--lint', TAGRUN_PYTHON=str(python))
    out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert [line.split()[0] for line in out.splitlines()] == ['ruff', 'ruff', 'mypy', 'shellcheck']
    assert said.splitlines() == ['tagrun: not clean: mypy']


def test_help_needs_no_package(clone):
    process = clone.start('test', '-h', TAGRUN_PYTHON=sys.executable)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, '')
    assert 'tagrun test --lint' in out
