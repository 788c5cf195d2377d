"""Each folder of extra/ can be deleted, and all of it: the other commands work on, and a command
that is gone is answered with one sentence.
"""

import shutil
import subprocess

import pytest
import stub_project
from project_factory import CODE, copied

EXTRA = CODE / 'tagrun' / 'extra'
FOLDERS = sorted(path.name for path in EXTRA.iterdir() if (path / '__init__.py').is_file())
ALL = 'all of extra/'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    return stub_project.make(tmp_path_factory.mktemp('whole') / "a 'b; c")


def commands_of(folder):
    """The commands that a folder of extra/ has, by their files."""
    files = EXTRA.glob('*/*.py') if folder == ALL else (EXTRA / folder).glob('*.py')
    return sorted(path.stem for path in files if '\ndef main(argv' in path.read_text())


@pytest.fixture(params=[*FOLDERS, ALL])
def lacking(request, whole, tmp_path):
    """(a project without that folder, the commands that went with it)."""
    project = copied(whole, tmp_path / "a 'b; c")
    extra = project.root / 'code' / 'tagrun' / 'extra'
    shutil.rmtree(extra if request.param == ALL else extra / request.param)
    project.commit('delete a capability')
    return project, commands_of(request.param)


def test_the_other_commands_work_on(lacking):
    project, gone = lacking
    project.tagrun('run', 't1', '--set', "how='interrupted'", code=75)
    project.tagrun('continue', 't1')
    project.tagrun('rerun', 't1', code=75)
    project.tagrun('run', 't2')
    assert project.statistic('t2/0')['status'] == 'finished'
    project.tagrun('record', 't2')
    assert 't2/0' in project.tagrun('table').stdout
    assert 't1/1' in project.tagrun('expls', '-r').stdout
    listed = project.tagrun('-h').stdout
    for command in gone:
        assert f'\n  {command} ' not in listed
    for command in ('run', 'continue', 'rerun', 'table', 'expls', 'doctor', 'stop'):
        assert f'\n  {command} ' in listed
        assert f'tagrun {command}' in project.tagrun(command, '-h').stdout


def test_a_command_that_is_gone_is_answered_with_one_sentence(lacking):
    project, gone = lacking
    for command in gone:
        said = project.tagrun(command, code=2).stderr.strip()
        assert said.startswith('tagrun: ') and command in said and '\n' not in said


@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_completion_offers_what_is_left(lacking, shell):
    project, gone = lacking
    program = shutil.which(shell) or pytest.skip(f'{shell} is not installed')
    script = '. code/tagrun/completion.sh; _tagrun_commands "$PWD"'
    words = [program, '-f', '-c', script] if shell == 'zsh' else [program, '-c', script]
    done = subprocess.run(words, cwd=project.root, capture_output=True, text=True, timeout=60)
    offered = done.stdout.split()
    assert {'run', 'continue', 'table'} <= set(offered), done.stderr
    assert not set(gone) & set(offered)
