"""The set-up with real environments and real pip, of one small package: whole, killed, raced, offline, and not at all in yours."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import wait_for

CODE = Path(__file__).resolve().parents[2]
BASH = shutil.which('bash')
OFFLINE = {'PIP_CONFIG_FILE': '/dev/null', 'PIP_FIND_LINKS': '', 'PIP_INDEX_URL': 'http://127.0.0.1:9/simple', 'PIP_RETRIES': '0'}
CHOOSES_PYTHON = ('VIRTUAL_ENV', 'CONDA_PREFIX', 'TAGRUN_PYTHON', 'PYTHONPATH')
NO_VERB = ('no-verb',)      # one that is not there: the set-up comes first, and then it is refused with 2


class Clone:
    """A project with tagrun and small requirements, and a PATH with nothing but a python3: no uv."""

    def __init__(self, root, programs):
        self.root, self.venv = root, root / '.venv'
        (root / 'code').mkdir(parents=True)
        shutil.copy(CODE / 'source.sh', root / 'code')
        shutil.copytree(CODE / 'tagrun', root / 'code' / 'tagrun', ignore=shutil.ignore_patterns('__pycache__', 'tests'))
        (root / 'code' / 'requirements.txt').write_text('# pins\ntabulate==0.10.0\n')
        (root / 'code' / 'requirements-test.txt').write_text('iniconfig\n')
        programs.mkdir()
        (programs / 'python3').write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        (programs / 'python3').chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name not in CHOOSES_PYTHON}
        self.env = {**kept, 'PATH': str(programs)}

    def start(self, *words, **env):
        return subprocess.Popen([BASH, str(self.root / 'code' / 'source.sh'), *words], env={**self.env, **env}, text=True, cwd='/',
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def run(self, *words, code=0, **env):
        """What the verb said on stderr; asserts its exit code and that there was no traceback and no output."""
        process = self.start(*words, **env)
        out, said = process.communicate(timeout=120)
        assert (process.returncode, out) == (code, ''), said
        assert 'Traceback' not in said
        return said

    def has(self, module):
        done = subprocess.run([self.venv / 'bin' / 'python', '-I', '-c', f'import {module}'], capture_output=True)
        return done.returncode == 0

    def is_complete(self):
        stamp, pins = (folder / 'requirements.txt' for folder in (self.venv, self.root / 'code'))
        return stamp.read_text() == pins.read_text() and self.has('tabulate')


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / "a 'b; c", tmp_path / 'programs')


@pytest.fixture(scope='session')
def made(tmp_path_factory):
    """A clone that was set up, to be copied: making one takes seconds. It is for reading."""
    place = tmp_path_factory.mktemp('made')
    made = Clone(place / "a 'b; c", place / 'programs')
    made.said = made.run(*NO_VERB, code=2)
    return made


# ---- As it should go ----

def test_the_first_verb_sets_up_and_says_what_it_does_and_how_large_it_is(made):
    lines = made.said.splitlines()
    assert lines[0] == f'tagrun: set-up, once: 1 package of requirements.txt, with dependencies, into {made.venv}, by pip'
    assert re.fullmatch(r'tagrun: 1 package, (0.1 MB to download, less what pip has in its cache|size unknown)', lines[1])
    assert 'Successfully installed tabulate-0.10.0' in lines
    assert re.fullmatch(r'tagrun: set up in [\d.]+ s', lines[-2])
    assert lines[-1].startswith("tagrun: 'no-verb' is no verb")
    assert made.is_complete()


def test_the_second_verb_starts_at_once_and_setup_says_that_nothing_is_to_do(made):
    start = time.monotonic()
    assert made.run(*NO_VERB, code=2).count('\n') == 1
    assert made.run('setup') == f'tagrun: nothing to set up: {made.venv}/bin/python has all of requirements.txt\n'
    assert time.monotonic() - start < 5


def test_other_pins_are_brought_and_what_you_added_stays(clone):
    clone.run('setup')
    (clone.venv / 'yours').write_text('')
    (clone.root / 'code' / 'requirements.txt').write_text('tabulate==0.9.0\n')
    assert 'Successfully installed tabulate-0.9.0' in clone.run(*NO_VERB, code=2)
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
    said = clone.run(*NO_VERB, code=2)
    assert 'by uv' in said and 'tabulate==0.10.0' in said
    assert clone.is_complete() and clone.has('pip')


def test_a_file_of_yours_that_is_called_like_one_of_pythons_own_does_no_harm(clone, tmp_path):
    (tmp_path / 'queue.py').write_text('raise SystemExit("yours")')
    done = subprocess.run([BASH, clone.root / 'code' / 'source.sh', 'setup'], cwd=tmp_path, env={**clone.env, 'PYTHONPATH': ''})
    assert done.returncode == 0 and clone.is_complete()


# ---- Cut off ----

@pytest.mark.parametrize('moment', ['venv', 'pip', 'installing'])
def test_a_set_up_that_was_killed_is_begun_anew(clone, moment):
    site = {'venv': 'bin/python', 'pip': 'lib/python*/site-packages/pip/__main__.py',
            'installing': 'lib/python*/site-packages/tabulate'}[moment]
    process = clone.start('setup')
    wait_for(lambda: list(clone.venv.glob(site)), what=site)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (clone.venv / 'requirements.txt').read_text() == ''
    (clone.venv / 'torn').write_text('')
    clone.run(*NO_VERB, code=2)
    assert clone.is_complete() and not (clone.venv / 'torn').exists()


def test_a_pip_that_outlived_its_set_up_is_waited_for(clone):
    process = subprocess.Popen([sys.executable, clone.root / 'code' / 'tagrun', 'setup'], env=clone.env, cwd='/', text=True,
                               stderr=subprocess.PIPE)
    while process.stderr.readline().startswith('tagrun:'):
        pass
    process.kill()      # not its pip, whose first line this was
    assert 'another set-up of this project is at work; waiting for it' in clone.run(*NO_VERB, code=2)
    assert clone.is_complete()
    process.communicate()


def test_of_two_set_ups_at_once_one_waits_for_the_other(clone):
    said = [process.communicate(timeout=120)[1] for process in [clone.start(*NO_VERB), clone.start(*NO_VERB)]]
    assert sorted('waiting for it' in text for text in said) == [False, True]
    assert sorted('Successfully installed' in text for text in said) == [False, True]
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
    said = process.communicate(timeout=60)[1]
    assert process.returncode in (130, -signal.SIGINT) and 'Traceback' not in said
    clone.run('setup')
    assert clone.is_complete()


# ---- Refused ----

def test_without_a_network_there_is_one_sentence_with_pips_last_error(clone):
    last = clone.run(*NO_VERB, code=1, **OFFLINE).splitlines()[-1]
    assert last == ('tagrun: the package index cannot be reached; with a network, the same command tries again: '
                    'No matching distribution found for tabulate==0.10.0')
    clone.run('setup')
    assert clone.is_complete()


def test_a_failed_change_of_pins_leaves_the_old_environment_usable(clone):
    clone.run('setup')
    old = (clone.root / 'code' / 'requirements.txt').read_text()
    (clone.root / 'code' / 'requirements.txt').write_text('tabulate==99.0\n')
    assert clone.run('setup', code=1).splitlines()[-1].endswith('No matching distribution found for tabulate==99.0')
    (clone.root / 'code' / 'requirements.txt').write_text(old)
    assert 'nothing to set up' in clone.run('setup')


def test_a_python_without_ensurepip_gets_the_cure(clone, tmp_path):
    (tmp_path / 'sitecustomize.py').write_text("import sys\nsys.modules['ensurepip'] = None\n")
    last = clone.run('setup', code=1, PYTHONPATH=str(tmp_path)).splitlines()[-1]
    assert re.search(r'its ensurepip is missing: `apt install python3\.\d+-venv`, or install uv$', last)


def test_a_place_that_cannot_be_written_is_one_sentence(clone):
    clone.venv.write_text('a file')
    assert clone.run('setup', code=1) == f'tagrun: the set-up cannot go on: {clone.venv}: File exists\n'


# ---- An environment of yours ----

@pytest.fixture
def yours(tmp_path):
    """An environment without packages, and what lies in it."""
    subprocess.run([sys.executable, '-I', '-m', 'venv', '--without-pip', tmp_path / 'y o'], check=True)
    return tmp_path / 'y o'


@pytest.mark.parametrize('how', ['VIRTUAL_ENV', 'CONDA_PREFIX', 'TAGRUN_PYTHON'])
def test_your_environment_is_never_installed_into_but_told_what_it_lacks(clone, yours, how):
    chosen = {how: str(yours / 'bin' / 'python' if how == 'TAGRUN_PYTHON' else yours)}
    before, code = sorted(yours.rglob('*')), clone.root / 'code'
    quoted = "'" + str(code).replace("'", "'\"'\"'")
    cure = f"tagrun: {yours}/bin/python lacks %s: '{yours}/bin/python' -m pip install -r {quoted}/requirements.txt'"
    assert clone.run('setup', code=1, **chosen) == cure % 'tabulate' + '\n'
    assert clone.run('test', code=1, **chosen) == cure % 'tabulate, iniconfig' + f" -r {quoted}/requirements-test.txt'\n"
    site, = yours.glob('lib/python*/site-packages')
    (site / 'tabulate-0.1.dist-info').mkdir()
    (site / 'tabulate-0.1.dist-info' / 'METADATA').write_text('Name: tabulate\nVersion: 0.1\n')
    assert clone.run('setup', **chosen) == f'tagrun: nothing to set up: {yours}/bin/python has all of requirements.txt\n'
    shutil.rmtree(site / 'tabulate-0.1.dist-info')
    assert sorted(yours.rglob('*')) == before and not clone.venv.exists()


def test_requirements_are_read_as_pip_reads_them(clone):
    requirements = clone.root / 'code' / 'requirements.txt'
    requirements.write_text('# a comment\nabsent-a==1.0   # why\nAbsent_B[extra]>=2; python_version >= "3.10"\n'
                            'absent-c==1; python_version < "3.10"\nabsent-d @ https://example.org/d.whl\n'
                            'git+https://example.org/e\n-r more.txt\n\nabsent-f; sys_platform != "no"\npytest\n')
    asked = ('import sys; sys.path.append(sys.argv[1]); from tagrun.command import setup; '
             'print(*setup.missing(setup.REQUIREMENTS))')
    done = subprocess.run([sys.executable, '-c', asked, clone.root / 'code'], cwd=clone.root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ['absent-a', 'Absent_B', 'absent-d', 'absent-f']


# ---- `tagrun test` ----

TESTS = """
import os
def test_first(): assert os.environ['OMP_NUM_THREADS'] == '1'
def test_second(): assert os.path.isdir('code/tagrun')
"""


@pytest.mark.parametrize('words, code, outcome', [
    ([], 0, '2 passed'), (['-k', 'first', '-x'], 0, '1 passed, 1 deselected'), (['FILE::test_second'], 0, '1 passed'),
    (['-k', 'none'], 5, 'no tests ran')])
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
