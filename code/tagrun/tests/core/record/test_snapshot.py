"""What a frozen copy holds of a commit's code."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import snapshot


def test_the_files_of_a_commit_are_read_and_of_the_tool_only_what_training_imports(stubbed):
    repository = Repository.at(stubbed.root)
    files = {file.path: file for file in snapshot.read(repository, repository.resolve('HEAD'))}
    assert files['main.py'].content == (stubbed.root / 'code' / 'main.py').read_bytes()
    assert 'tagrun/store/layout.py' in files and 'tagrun/CONTRACT' in files
    assert not [path for path in files if path.startswith(snapshot.LEFT_OUT)]


def test_a_commit_that_cannot_be_run_is_refused(stubbed):
    repository = Repository.at(stubbed.root)
    with pytest.raises(UserError, match='git fetch origin'):
        snapshot.read(repository, '0' * 40)
    stubbed.git('mv', 'code/main.py', 'code/other.py')
    stubbed.git('commit', '-qm', 'no main')
    with pytest.raises(UserError, match='no code/main.py'):
        snapshot.read(repository, repository.resolve('HEAD'))
