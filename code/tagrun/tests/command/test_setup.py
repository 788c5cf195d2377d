"""`tagrun setup` with real environments and real pip, of one small package.

An installation that is killed or raced: tests/core/environment/test_install.py.
"""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from bare_clone import BASH, NO_COMMAND, OFFLINE

# ---- As it should go ----


def test_the_first_command_sets_up_and_says_what_it_does_and_how_large_it_is(installed):
    lines = installed.output.splitlines()
    assert (
        lines[0] == 'tagrun: set-up, once: 1 package of requirements.txt, with dependencies, into '
        f'{installed.venv}, by pip'
    )
    assert re.fullmatch(
        r'tagrun: 1 package, (0.1 MB to download, less what pip has in its cache|size unknown)',
        lines[1],
    )
    assert 'Successfully installed tabulate-0.10.0' in lines
    assert re.fullmatch(r'tagrun: set up in [\d.]+ s', lines[-2])
    assert lines[-1].startswith("tagrun: unknown command 'no-command'")
    assert installed.is_complete()


def test_the_second_command_starts_at_once_and_setup_says_that_nothing_is_to_do(installed):
    start = time.monotonic()
    assert installed.run(*NO_COMMAND, code=2).count('\n') == 1
    assert (
        installed.run('setup')
        == f'tagrun: nothing to set up: {installed.venv}/bin/python has all of requirements.txt\n'
    )
    assert time.monotonic() - start < 5


def test_other_pins_are_brought_and_what_you_added_stays(clone):
    clone.run('setup')
    (clone.venv / 'yours').write_text('')
    (clone.root / 'code' / 'requirements.txt').write_text('tabulate==0.9.0\n')
    assert 'Successfully installed tabulate-0.9.0' in clone.run(*NO_COMMAND, code=2)
    assert clone.is_complete() and (clone.venv / 'yours').exists()


def test_the_tests_packages_come_only_when_asked_for(clone):
    clone.run('setup')
    assert not clone.has('iniconfig')
    assert 'Successfully installed iniconfig' in clone.run('setup', '--test')
    assert 'nothing to set up' in clone.run('setup', '--test')
    assert clone.has('iniconfig') and clone.is_complete()


@pytest.mark.skipif(not shutil.which('uv'), reason='uv is not on the PATH')
def test_uv_is_used_where_it_is(clone):
    clone.env['PATH'] += os.pathsep + os.path.dirname(shutil.which('uv'))
    output = clone.run(*NO_COMMAND, code=2)
    assert 'by uv' in output and 'tabulate==0.10.0' in output
    assert clone.is_complete() and clone.has('pip')


def test_a_file_of_yours_that_is_called_like_one_of_pythons_own_does_no_harm(clone, tmp_path):
    (tmp_path / 'queue.py').write_text('raise SystemExit("yours")')
    done = subprocess.run(
        [BASH, clone.root / 'code' / 'source.sh', 'setup'],
        cwd=tmp_path,
        env={**clone.env, 'PYTHONPATH': ''},
    )
    assert done.returncode == 0 and clone.is_complete()


# ---- Refused ----


def test_without_a_network_there_is_one_sentence_with_pips_last_error(clone):
    last = clone.run(*NO_COMMAND, code=1, **OFFLINE).splitlines()[-1]
    assert last == (
        'tagrun: the package index cannot be reached; with a network, run the same command again: '
        'No matching distribution found for tabulate==0.10.0'
    )
    clone.run('setup')
    assert clone.is_complete()


def test_a_failed_change_of_pins_leaves_the_old_environment_usable(clone):
    clone.run('setup')
    old = (clone.root / 'code' / 'requirements.txt').read_text()
    (clone.root / 'code' / 'requirements.txt').write_text('tabulate==99.0\n')
    assert (
        clone.run('setup', code=1)
        .splitlines()[-1]
        .endswith('No matching distribution found for tabulate==99.0')
    )
    (clone.root / 'code' / 'requirements.txt').write_text(old)
    assert 'nothing to set up' in clone.run('setup')


def test_a_python_without_ensurepip_is_told_what_to_install(clone, tmp_path):
    (tmp_path / 'sitecustomize.py').write_text("import sys\nsys.modules['ensurepip'] = None\n")
    last = clone.run('setup', code=1, PYTHONPATH=str(tmp_path)).splitlines()[-1]
    assert re.search(
        r'its ensurepip is missing: `apt install python3\.\d+-venv`, or install uv$', last
    )


def test_a_place_that_cannot_be_written_is_one_sentence(clone):
    clone.venv.write_text('a file')
    assert (
        clone.run('setup', code=1)
        == f'tagrun: the set-up cannot go on: {clone.venv}: File exists\n'
    )


# ---- An environment of yours ----


@pytest.fixture
def yours(tmp_path):
    """An environment without packages, and what lies in it."""
    subprocess.run(
        [sys.executable, '-I', '-m', 'venv', '--without-pip', tmp_path / 'y o'], check=True
    )
    return tmp_path / 'y o'


@pytest.mark.parametrize('how', ['VIRTUAL_ENV', 'CONDA_PREFIX', 'TAGRUN_PYTHON'])
def test_your_environment_is_never_installed_into_but_told_what_it_lacks(clone, yours, how):
    chosen = {how: str(yours / 'bin' / 'python' if how == 'TAGRUN_PYTHON' else yours)}
    before, code = sorted(yours.rglob('*')), clone.root / 'code'
    quoted = "'" + str(code).replace("'", "'\"'\"'")
    pip = f"'{yours}/bin/python' -m pip install -r {quoted}/requirements.txt'"
    remedy = f'tagrun: {yours}/bin/python lacks %s: {pip}'
    assert clone.run('setup', code=1, **chosen) == remedy % 'tabulate' + '\n'
    assert (
        clone.run('test', code=1, **chosen)
        == remedy % 'tabulate, iniconfig' + f" -r {quoted}/requirements-test.txt'\n"
    )
    (site,) = yours.glob('lib/python*/site-packages')
    (site / 'tabulate-0.1.dist-info').mkdir()
    (site / 'tabulate-0.1.dist-info' / 'METADATA').write_text('Name: tabulate\nVersion: 0.1\n')
    assert (
        clone.run('setup', **chosen)
        == f'tagrun: nothing to set up: {yours}/bin/python has all of requirements.txt\n'
    )
    shutil.rmtree(site / 'tabulate-0.1.dist-info')
    assert sorted(yours.rglob('*')) == before and not clone.venv.exists()
