"""The files of code/ as they stand: those that git would record."""

import shutil
import subprocess

import pytest
from worktree import dirty

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import snapshot
from tagrun.core.record.working_tree import read_files


@pytest.mark.parametrize(
    'where', ['a repository', 'a folder of one', 'a repository without a commit']
)
def test_the_code_on_the_desk_is_what_git_would_record(project, tmp_path, where):
    dirty(project)
    (project.root / 'code' / 'linked.py').symlink_to('model.py')
    (project.root / 'code' / 'new.sh').write_text('true\n')
    (project.root / 'code' / 'new.sh').chmod(0o755)
    if where != 'a repository':
        shutil.rmtree(project.root / '.git')
        top = project.root if 'without' in where else tmp_path
        subprocess.run(['git', 'init', '-q', top], check=True)
    repository = Repository.at(project.root)
    files = read_files(repository)
    assert {file.path for file in files} > {
        'new.sh',
        'linked.py',
        'main.py',
    } and 'requirements-test.txt' not in {file.path for file in files}
    project.git('add', '-A')
    project.git('-c', 'user.name=x', '-c', 'user.email=x', 'commit', '-qm', 'all')
    assert sorted(files) == sorted(snapshot.read(repository, repository.resolve('HEAD')))


def test_without_main_there_is_nothing_to_train(stubbed):
    (stubbed.root / 'code' / 'main.py').unlink()
    with pytest.raises(UserError, match='nothing to train'):
        read_files(Repository.at(stubbed.root))


def test_a_repository_in_code_is_refused_as_a_run_would(stubbed):
    inner = stubbed.root / 'code' / 'inner'
    subprocess.run(['git', 'init', '-q', inner], check=True)
    (inner / 'a.py').write_text('a = 1\n')
    subprocess.run(['git', '-C', inner, 'add', '-A'], check=True)
    identity = ['-c', 'user.name=x', '-c', 'user.email=x']
    subprocess.run(['git', '-C', inner, *identity, 'commit', '-qm', 'x'], check=True)
    with pytest.raises(UserError, match='code/inner is a git repository of its own'):
        read_files(Repository.at(stubbed.root))
    stubbed.git('add', '-A')
    stubbed.git('commit', '-qm', 'inner')
    with pytest.raises(UserError, match='code/inner is a submodule'):
        read_files(Repository.at(stubbed.root))
