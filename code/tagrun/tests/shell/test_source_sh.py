"""source.sh in scripts: the words that it passes on, which project, which Python."""

import os
import shutil
import signal
import subprocess

import pytest
from shells import NAMES, environment, execute, in_both, make_project, run

# ---- Sourced in a script ----


@in_both
@pytest.mark.parametrize('name', NAMES)
def test_a_short_name_hands_its_words_on_as_they_are(shell, name, project):
    done = run(shell, f'. "$S"; {name} "a b" "c\'d" "" "*"', project)
    assert done.stdout == f'''CALLED a 'b; c ['{name}', 'a b', "c'd", '', '*']\n'''


@in_both
def test_sourcing_is_silent_and_leaves_only_our_names(shell, project):
    defined = {
        'bash': 'compgen -A function; compgen -v',
        'zsh': 'print -l ${(k)functions} ${(k)parameters}',
    }[shell]
    state = {'bash': 'set +o; shopt', 'zsh': 'setopt'}[shell] + '; pwd; echo "$PATH"; alias'
    done = run(
        shell,
        f'{state}; echo ::; {defined}; echo ::; . "$S"; echo ::; {state}; echo ::; {defined}',
        project,
    )
    options, names, nothing, options_after, names_after = [
        part.split('\n') for part in done.stdout.split('::\n')
    ]
    assert (nothing, options_after[:-1], done.stderr) == ([''], options[:-1], '')
    added = {name for name in set(names_after) - set(names) if not name.startswith('_tagrun')}
    assert added == {'tagrun', *NAMES}


@in_both
def test_it_works_where_any_failure_or_unset_name_ends_the_script(shell, project):
    done = run(shell, 'set -eu; set -o pipefail; . "$S"; . "$S"; run t1; table; echo end', project)
    assert done.stdout.splitlines() == [
        "CALLED a 'b; c ['run', 't1']",
        "CALLED a 'b; c ['table']",
        'end',
    ]
    assert done.stderr == ''


@pytest.mark.skipif(not shutil.which('zsh'), reason='zsh is not installed')
@pytest.mark.parametrize(
    'options',
    [
        'sh_word_split',
        'ksh_arrays',
        'no_unset err_exit',
        'null_glob',
        'no_nomatch posix_builtins',
        'warn_create_global',
        'no_function_argzero',
        'glob_subst',
        'extended_glob ksh_glob',
        'sh',
    ],
)
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
def test_the_exit_code_is_that_of_the_command(shell, project):
    assert run(shell, '. "$S"; tagrun', project).returncode == 2
    assert run(shell, '. "$S"; tagrun -h', project).returncode == 0


def test_another_shell_is_told_so(project):
    done = subprocess.run(
        ['sh', '-c', 'unset BASH_VERSION; . "$0"', project / 'code' / 'source.sh'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.startswith(
        'tagrun: this shell is neither bash nor zsh'
    )


# ---- Which project ----


@in_both
def test_the_nearest_project_is_taken_and_a_frozen_copy_is_none(shell, project, tmp_path):
    other = make_project(tmp_path / 'other')
    frozen = make_project(other / '__result__' / 't1' / '0')
    (frozen / 'run.json').write_text('{}')
    (tmp_path / 'elsewhere').mkdir()
    folders = [other, other / 'code' / 'tagrun', frozen / 'code', tmp_path / 'elsewhere']
    done = run(
        shell,
        '. "$S"; for folder in "$@"; do cd "$folder"; run; done',
        project,
        arguments=map(str, folders),
    )
    assert done.stdout.splitlines() == ["CALLED other ['run']"] * 3 + ["CALLED a 'b; c ['run']"]


@in_both
def test_a_project_that_is_gone_is_one_sentence(shell, project):
    done = run(shell, '. "$S"; cd /; rm -r "$OLDPWD/code/tagrun"; run', project)
    assert done.returncode == 1
    assert (
        done.stderr
        == f'tagrun: no project here or above, and {project} is not one any more: source '
        'the code/source.sh of a project\n'
    )


@in_both
def test_executed_it_takes_its_own_project_always(shell, project, tmp_path):
    other = make_project(tmp_path / 'other')
    assert (
        execute(project, 'run', 'a b', cwd=other, shell=shell).stdout
        == "CALLED a 'b; c ['run', 'a b']\n"
    )
    assert execute(project, shell=shell).returncode == 2


def test_executed_it_gives_its_process_to_python_so_signals_arrive(project):
    process = subprocess.Popen(
        ['bash', str(project / 'code' / 'source.sh'), 'wait'],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()


# ---- Which Python ----


def fake_python(folder, name='python', says=None, new_enough=True):
    """A program that says which Python it is, and with which words it was called, the last part of
    a path only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    says = says or folder.parent.name
    file = folder / name
    file.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exit {int(not new_enough)}\necho {says} "${{@#*/code/}}"\n'
    )
    file.chmod(0o755)
    return file


@pytest.fixture
def pythons(project, tmp_path):
    """Fake Pythons: the system's (alone on the PATH), a venv's, conda's, and the project's own. The
    environment that finds them.
    """
    fake_python(tmp_path / 'bin', 'python3', 'system')
    fake_python(tmp_path / 'venv' / 'bin')
    fake_python(tmp_path / 'conda' / 'bin')
    fake_python(project / '.venv' / 'bin')
    (project / '.venv' / 'requirements.txt').write_text('tabulate==0.10.0\n')
    return {'PATH': str(tmp_path / 'bin')}


@in_both
def test_the_python_is_the_named_one_then_the_active_environments_then_the_projects(
    shell, project, pythons, tmp_path
):
    venv, conda, own = (
        str(place) for place in (tmp_path / 'venv', tmp_path / 'conda', project / '.venv')
    )

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
def test_an_incomplete_environment_is_set_up_before_the_command(shell, spoil, project, pythons):
    (project / '.venv' / ('bin/python' if spoil == 'python' else 'requirements.txt')).unlink()
    if spoil == 'pins':
        (project / '.venv' / 'requirements.txt').write_text('tabulate==0.9.0\n')
    lines = execute(project, 'table', env=pythons, shell=shell).stdout.splitlines()
    assert lines[0] == 'system tagrun setup'
    assert lines[1:] == ([] if spoil == 'python' else ['.venv tagrun table'])


@in_both
def test_help_version_and_setup_themselves_need_no_set_up(shell, project, pythons):
    (project / '.venv' / 'requirements.txt').unlink()
    asking = ([], ['-h'], ['--help'], ['help'], ['share', '-h'], ['run', '--set', '--help'])
    for words in (*asking, ['-V'], ['--version'], ['setup', '--test']):
        assert execute(project, *words, env=pythons, shell=shell).stdout.split() == [
            'system',
            'tagrun',
            *words,
        ]


@in_both
def test_a_failed_set_up_ends_the_command(shell, project, pythons, tmp_path):
    (project / '.venv' / 'requirements.txt').unlink()
    (tmp_path / 'bin' / 'python3').write_text('#!/bin/sh\n[ "$1" = -c ] || exit 7\n')
    done = execute(project, 'table', env=pythons, shell=shell)
    assert (done.returncode, done.stdout) == (7, '')


@in_both
def test_the_first_python_that_is_new_enough_is_taken(shell, project, pythons, tmp_path):
    fake_python(tmp_path / 'bin', 'python3', 'old', new_enough=False)
    done = execute(
        project, '-h', env={**pythons, 'VIRTUAL_ENV': str(project / '.venv')}, shell=shell
    )
    assert done.stdout == '.venv tagrun -h\n'
    (project / '.venv' / 'requirements.txt').unlink()
    done = execute(project, '-h', env=pythons, shell=shell)
    assert done.returncode == 1 and done.stderr.startswith(
        'tagrun: Python 3.10 or newer is needed and none is on the PATH'
    )
    fake_python(tmp_path / 'bin', 'python3.12', 'new')
    assert execute(project, '-h', env=pythons, shell=shell).stdout == 'new tagrun -h\n'


@in_both
def test_a_named_python_that_is_not_there_is_one_sentence(shell, project):
    done = execute(project, 'run', env={**os.environ, 'TAGRUN_PYTHON': '/no/such'}, shell=shell)
    assert (done.returncode, done.stderr) == (
        1,
        'tagrun: TAGRUN_PYTHON names /no/such, which cannot be run\n',
    )
