"""source.sh in real bash and zsh, typed at on a real terminal too. Python's side is a stand-in that says how it was called."""
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

SOURCE = Path(__file__).resolve().parents[2] / 'source.sh'
SHELLS = [pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f'{name} is not installed'))
          for name in ('bash', 'zsh')]
BARE = {'bash': ['--norc', '--noprofile'], 'zsh': ['-f']}
NAMES = ['run', 'con', 'resume', 'rerun', 're', 'record', 'title', 'table', 'expls', 'expels', 'itb']
STAND_IN = '''
import os, sys, time
if sys.argv[1:] == ['wait']:
    print(os.getpid(), flush=True)
    time.sleep(60)
print('CALLED', __file__.split(os.sep)[-4], sys.argv[1:])
sys.exit(len(sys.argv) == 1 and 2)
'''


def make_project(root):
    (root / 'code' / 'tagrun').mkdir(parents=True)
    (root / 'code' / 'tagrun' / '__main__.py').write_text(STAND_IN)
    (root / 'code' / 'requirements.txt').write_text('tabulate==0.10.0\n')
    shutil.copy(SOURCE, root / 'code')
    shutil.copy(SOURCE.with_name('tagrun') / 'completion.sh', root / 'code' / 'tagrun')
    return root


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "a 'b; c")


def environment(**more):
    """Ours, without what chooses a Python, but for TAGRUN_PYTHON."""
    kept = {name: value for name, value in os.environ.items() if name not in ('VIRTUAL_ENV', 'CONDA_PREFIX', 'BASH_ENV', 'ENV')}
    return {**kept, 'TAGRUN_PYTHON': sys.executable, **more}


def run(shell, script, cwd, arguments=()):
    """A non-interactive shell runs the script; $S is the project's source.sh."""
    return subprocess.run([shutil.which(shell), *BARE[shell], '-c', script, shell, *arguments], cwd=cwd, capture_output=True,
                          text=True, timeout=60, env=environment(S=str(cwd / 'code' / 'source.sh')))


def execute(project, *words, cwd='/', env=None, shell='bash'):
    return subprocess.run([shutil.which(shell), project / 'code' / 'source.sh', *words], cwd=cwd, capture_output=True, text=True,
                          timeout=60, env=env or environment())


class Terminal:
    """An interactive shell on a terminal of its own; a call types a line and returns what came back."""

    def __init__(self, shell, cwd):
        editing = ['--noediting'] if shell == 'bash' else ['+o', 'zle', '-o', 'no_prompt_sp', '-o', 'no_prompt_cr']
        self.child = pexpect.spawn(shutil.which(shell), [*BARE[shell], *editing, '-i'], cwd=str(cwd), echo=False, timeout=60,
                                   encoding='utf-8', dimensions=(40, 1000), env=environment(S=str(cwd / 'code' / 'source.sh')))
        self('PS1= PS2=')

    def __call__(self, line):
        self.child.sendline(line)
        self.child.sendline('echo end-of-$((20+22))')
        self.child.expect('end-of-42\r\n')
        return self.child.before.replace('\r\n', '\n')


@pytest.fixture
def terminal(request, project):
    return Terminal(request.param, project)


in_both = pytest.mark.parametrize('shell', SHELLS)
at_both_terminals = pytest.mark.parametrize('terminal', SHELLS, indirect=True)


# ---- Sourced in a script ----

@in_both
@pytest.mark.parametrize('name', NAMES)
def test_a_short_name_hands_its_words_on_as_they_are(shell, name, project):
    done = run(shell, f'. "$S"; {name} "a b" "c\'d" "" "*"', project)
    assert done.stdout == f'''CALLED a 'b; c ['{name}', 'a b', "c'd", '', '*']\n'''


@in_both
def test_sourcing_is_silent_and_leaves_only_our_names(shell, project):
    defined = {'bash': 'compgen -A function; compgen -v', 'zsh': 'print -l ${(k)functions} ${(k)parameters}'}[shell]
    state = {'bash': 'set +o; shopt', 'zsh': 'setopt'}[shell] + '; pwd; echo "$PATH"; alias'
    done = run(shell, f'{state}; echo ::; {defined}; echo ::; . "$S"; echo ::; {state}; echo ::; {defined}', project)
    options, names, nothing, options_after, names_after = [part.split('\n') for part in done.stdout.split('::\n')]
    assert (nothing, options_after[:-1], done.stderr) == ([''], options[:-1], '')
    added = {name for name in set(names_after) - set(names) if not name.startswith('_tagrun')}
    assert added == {'tagrun', *NAMES}


@in_both
def test_it_works_where_any_failure_or_unset_name_ends_the_script(shell, project):
    done = run(shell, 'set -eu; set -o pipefail; . "$S"; . "$S"; run t1; table; echo end', project)
    assert done.stdout.splitlines() == ["CALLED a 'b; c ['run', 't1']", "CALLED a 'b; c ['table']", 'end']
    assert done.stderr == ''


@pytest.mark.skipif(not shutil.which('zsh'), reason='zsh is not installed')
@pytest.mark.parametrize('options', [
    'sh_word_split', 'ksh_arrays', 'no_unset err_exit', 'null_glob', 'no_nomatch posix_builtins', 'warn_create_global',
    'no_function_argzero', 'glob_subst', 'extended_glob ksh_glob', 'sh'])
def test_it_works_under_zsh_options(options, project):
    prepare = 'emulate sh' if options == 'sh' else f'setopt {options}'
    done = run('zsh', f'{prepare}; . "$S"; run "a b" "*"', project)
    assert (done.stdout, done.stderr) == ("CALLED a 'b; c ['run', 'a b', '*']\n", '')


@in_both
def test_a_relative_path_does_and_so_does_a_link(shell, project, tmp_path):
    (tmp_path / 'link.sh').symlink_to(project / 'code' / 'source.sh')
    for script in ('. code/source.sh', 'cd code; . ./source.sh', f'. {tmp_path}/link.sh'):
        assert run(shell, f'{script}; cd /; run', project).stdout == "CALLED a 'b; c ['run']\n"


@in_both
def test_the_exit_code_is_the_verbs(shell, project):
    assert run(shell, '. "$S"; tagrun', project).returncode == 2
    assert run(shell, '. "$S"; tagrun -h', project).returncode == 0


def test_another_shell_is_told_so(project):
    done = subprocess.run(['sh', '-c', 'unset BASH_VERSION; . "$0"', project / 'code' / 'source.sh'], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith('tagrun: this shell is neither bash nor zsh')


# ---- Which project ----

@in_both
def test_the_nearest_project_is_taken_and_a_frozen_copy_is_none(shell, project, tmp_path):
    other = make_project(tmp_path / 'other')
    frozen = make_project(other / '__result__' / 't1' / '0')
    (frozen / 'run.json').write_text('{}')
    (tmp_path / 'elsewhere').mkdir()
    folders = [other, other / 'code' / 'tagrun', frozen / 'code', tmp_path / 'elsewhere']
    done = run(shell, '. "$S"; for folder in "$@"; do cd "$folder"; run; done', project, arguments=map(str, folders))
    assert done.stdout.splitlines() == ["CALLED other ['run']"] * 3 + ["CALLED a 'b; c ['run']"]


@in_both
def test_a_project_that_is_gone_is_one_sentence(shell, project):
    done = run(shell, '. "$S"; cd /; rm -r "$OLDPWD/code/tagrun"; run', project)
    assert done.returncode == 1
    assert done.stderr == f'tagrun: no project here or above, and {project} is none any more: source the code/source.sh of one\n'


@in_both
def test_executed_it_takes_its_own_project_always(shell, project, tmp_path):
    other = make_project(tmp_path / 'other')
    assert execute(project, 'run', 'a b', cwd=other, shell=shell).stdout == "CALLED a 'b; c ['run', 'a b']\n"
    assert execute(project, shell=shell).returncode == 2


def test_executed_it_gives_its_process_to_python_so_signals_arrive(project):
    process = subprocess.Popen(['bash', str(project / 'code' / 'source.sh'), 'wait'], stdout=subprocess.PIPE, text=True, env=environment())
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()


# ---- Which Python ----

def fake_python(folder, name='python', says=None, new_enough=True):
    """A program that says which Python it is, and with which words it was called, the last part of a path only."""
    folder.mkdir(parents=True, exist_ok=True)
    says = says or folder.parent.name
    file = folder / name
    file.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {int(not new_enough)}\necho {says} "${{@#*/code/}}"\n')
    file.chmod(0o755)
    return file


@pytest.fixture
def pythons(project, tmp_path):
    """Fake Pythons: the system's (alone on the PATH), a venv's, conda's, and the project's own. The environment that finds them."""
    fake_python(tmp_path / 'bin', 'python3', 'system')
    fake_python(tmp_path / 'venv' / 'bin')
    fake_python(tmp_path / 'conda' / 'bin')
    fake_python(project / '.venv' / 'bin')
    (project / '.venv' / 'requirements.txt').write_text('tabulate==0.10.0\n')
    return {'PATH': str(tmp_path / 'bin')}


@in_both
def test_the_python_is_the_named_one_then_the_active_environments_then_the_projects(shell, project, pythons, tmp_path):
    venv, conda, own = (str(place) for place in (tmp_path / 'venv', tmp_path / 'conda', project / '.venv'))

    def chosen(**env):
        return execute(project, 'table', env={**pythons, **env}, shell=shell).stdout

    assert chosen(TAGRUN_PYTHON=f'{conda}/bin/python', VIRTUAL_ENV=venv) == 'conda tagrun table\n'
    assert chosen(VIRTUAL_ENV=venv, CONDA_PREFIX=conda) == 'venv tagrun table\n'
    assert chosen(CONDA_PREFIX=conda) == 'conda tagrun table\n'
    assert chosen(VIRTUAL_ENV=own, CONDA_PREFIX=conda) == '.venv tagrun table\n'
    assert chosen(VIRTUAL_ENV='/gone') == '.venv tagrun table\n'
    assert chosen() == '.venv tagrun table\n'


@in_both
@pytest.mark.parametrize('spoil', ['stamp', 'pins', 'python'])
def test_an_incomplete_environment_is_set_up_before_the_verb(shell, spoil, project, pythons):
    (project / '.venv' / ('bin/python' if spoil == 'python' else 'requirements.txt')).unlink()
    if spoil == 'pins':
        (project / '.venv' / 'requirements.txt').write_text('tabulate==0.9.0\n')
    lines = execute(project, 'table', env=pythons, shell=shell).stdout.splitlines()
    assert lines[0] == 'system tagrun setup'
    assert lines[1:] == ([] if spoil == 'python' else ['.venv tagrun table'])


@in_both
def test_help_and_setup_themselves_need_no_set_up(shell, project, pythons):
    (project / '.venv' / 'requirements.txt').unlink()
    for words in ([], ['-h'], ['--help'], ['help'], ['setup', '--test']):
        assert execute(project, *words, env=pythons, shell=shell).stdout.split() == ['system', 'tagrun', *words]


@in_both
def test_a_failed_set_up_ends_the_verb(shell, project, pythons, tmp_path):
    (project / '.venv' / 'requirements.txt').unlink()
    (tmp_path / 'bin' / 'python3').write_text('#!/bin/sh\n[ "$1" = -c ] || exit 7\n')
    done = execute(project, 'table', env=pythons, shell=shell)
    assert (done.returncode, done.stdout) == (7, '')


@in_both
def test_the_first_python_that_is_new_enough_is_taken(shell, project, pythons, tmp_path):
    fake_python(tmp_path / 'bin', 'python3', 'old', new_enough=False)
    done = execute(project, '-h', env={**pythons, 'VIRTUAL_ENV': str(project / '.venv')}, shell=shell)
    assert done.stdout == '.venv tagrun -h\n'
    (project / '.venv' / 'requirements.txt').unlink()
    done = execute(project, '-h', env=pythons, shell=shell)
    assert done.returncode == 1 and done.stderr.startswith('tagrun: Python 3.10 or newer is needed and none is on the PATH')
    fake_python(tmp_path / 'bin', 'python3.12', 'new')
    assert execute(project, '-h', env=pythons, shell=shell).stdout == 'new tagrun -h\n'


@in_both
def test_a_named_python_that_is_not_there_is_one_sentence(shell, project):
    done = execute(project, 'run', env={**os.environ, 'TAGRUN_PYTHON': '/no/such'}, shell=shell)
    assert (done.returncode, done.stderr) == (1, 'tagrun: TAGRUN_PYTHON names /no/such, which cannot be run\n')


# ---- At the terminal ----

LOOPS = {
    'for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done': '1\n3\n',
    'for i in 1 2; do if true; then continue; fi; echo no; done': '',
    'for i in 1 2 3; do case $i in 2) continue;; esac; echo $i; done': '1\n3\n',
    'for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; echo no; done': '1a\n2a\n',
    'n=2; for i in 1 2; do for j in a b; do continue $n; done; echo no; done': '',
    'f() { for i in 1 2 3; do [ $i = 2 ] && continue; echo $i $1; done; echo $#; }; f x y': '1 x\n3 x\n2\n',
    'seq 3 | while read -r i; do [ $i = 2 ] && continue; echo $i; done': '1\n3\n',
    'while read -r -u 9 i; do [ $i = 2 ] && continue; echo $i; done 9< <(seq 3)': '1\n3\n',
    '. ./later.sh x': '1 x\n3 x\n',
}


@at_both_terminals
def test_the_loops_own_continue_lives_on_even_when_source_sh_is_gone(terminal, project):
    (project / 'later.sh').write_text('for i in 1 2 3; do\n  [ $i = 2 ] && continue\n  echo $i $1\ndone\n')
    assert terminal('. "$S"') == ''
    results = [{loop: terminal(loop) for loop in LOOPS}]
    terminal('set -u')
    results.append({loop: terminal(loop) for loop in LOOPS})
    terminal('rm "$S"')
    results.append({loop: terminal(loop) for loop in LOOPS})
    assert results == [LOOPS] * 3


@at_both_terminals
def test_continue_with_any_other_word_is_the_verb(terminal):
    terminal('. "$S"')
    assert terminal("continue t1 --from 'a b'") == "CALLED a 'b; c ['continue', 't1', '--from', 'a b']\n"
    assert terminal('continue 2/0') == "CALLED a 'b; c ['continue', '2/0']\n"
    assert terminal('continue 2 --from 3') == "CALLED a 'b; c ['continue', '2', '--from', '3']\n"
    assert terminal('con 2; resume 2') == "CALLED a 'b; c ['con', '2']\nCALLED a 'b; c ['resume', '2']\n"


@in_both
def test_a_script_keeps_its_continue_untouched(shell, project):
    done = run(shell, '. "$S"; type continue; for i in 1 2; do continue; done', project)
    assert done.stdout == 'continue is a shell builtin\n'


@at_both_terminals
def test_names_that_are_yours_stay_yours_and_are_told_in_one_line(terminal):
    terminal('title() { echo my title; }')
    terminal("alias re='echo my re' tagrun='echo my tagrun'")
    assert terminal('. "$S"') == 'tagrun: already yours, and left alone: re, title (`tagrun <name>` works)\n'
    assert terminal('title') + terminal('re') + terminal('tagrun') == 'my title\nmy re\nmy tagrun\n'
    assert terminal('table') + terminal('\\tagrun title') == "CALLED a 'b; c ['table']\nCALLED a 'b; c ['title']\n"


@at_both_terminals
def test_a_continue_of_yours_stays_yours(terminal):
    terminal("alias continue='echo mine'")
    assert terminal('. "$S"') == 'tagrun: already yours, and left alone: continue (`tagrun <name>` works)\n'
    assert terminal('continue') == 'mine\n'


@at_both_terminals
def test_sourcing_again_or_another_clone_is_silent_and_binds_anew(terminal, tmp_path):
    other = make_project(tmp_path / 'other')
    assert terminal('. "$S"') + terminal('. "$S"') + terminal(f'. {other}/code/source.sh; cd /') == ''
    assert terminal('run') + terminal('continue t1') == "CALLED other ['run']\nCALLED other ['continue', 't1']\n"
    assert terminal('for i in 1 2; do continue; echo no; done') == ''


@pytest.mark.parametrize('terminal', SHELLS[1:], indirect=True)
def test_zsh_with_local_loops_keeps_its_continue(terminal):
    terminal('setopt local_loops; . "$S"')
    assert terminal('for i in 1 2; do continue; echo no; done') == ''
    assert terminal('whence -w continue') == 'continue: builtin\n'


@at_both_terminals
def test_your_aliases_and_functions_for_plain_commands_are_kept_out(terminal):
    terminal("alias cd='echo no' printf='echo no' command='echo no' typeset='echo no'; cd() { echo no; }")
    assert terminal('. "$S"') + terminal('run') == "CALLED a 'b; c ['run']\n"
