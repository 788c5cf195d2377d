"""core/git/objects.py: many objects are read by processes that stay."""

import os

import pytest
import small_repository

from tagrun.core.git.objects import Objects
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository


@pytest.fixture
def root(tmp_path):
    root = small_repository.make(tmp_path)
    deep = root / 'code' / 'nets' / 'inner'
    deep.mkdir(parents=True)
    (deep / 'é .py').write_bytes(b'\r\n\0')
    os.symlink('../main.py', root / 'code' / 'nets' / 'main')
    (root / 'code' / 'main.py').chmod(0o755)
    small_repository.commit(root, 'more')
    return root


def test_files_are_those_that_git_lists_with_their_content(root):
    repository = Repository.at(root)
    commit = repository.resolve('HEAD')
    with Objects(root) as objects:
        entries = objects.files(f'{commit}:code')
        assert entries == repository.tree(commit, 'code') and len(entries) == 4
        contents = repository.blobs(entry.id for entry in entries)
        assert {entry.id: objects.blob(entry.id) for entry in entries} == contents


def test_a_repository_with_longer_ids_is_read(tmp_path):
    root = small_repository.make(tmp_path)
    top = tmp_path / 'long'
    small_repository.git(tmp_path, 'init', '-q', '--object-format=sha256', str(top))
    (root / '.git').rename(tmp_path / 'old')
    (root / 'code').rename(top / 'code')
    for name, value in (('user.name', 'A'), ('user.email', 'a@example.org')):
        small_repository.git(top, 'config', name, value)
    commit = small_repository.commit(top, 'start')
    with Objects(top) as objects:
        paths = [entry.path for entry in objects.files(f'{commit}:code')]
    assert paths == ['config.py', 'main.py'] and len(commit) == 64


def test_what_is_not_here_is_named_and_the_next_question_is_answered(root):
    commit = Repository.at(root).resolve('HEAD')
    with Objects(root) as objects:
        for name in (f'{"0" * 40}:code', f'{commit}:none', 'no such name', f'{commit}\n{commit}'):
            with pytest.raises(GitError, match='not in this repository|not the name'):
                objects.files(name)
        with pytest.raises(GitError, match='is a blob and not a tree'):
            objects.files(f'{commit}:code/main.py')
        assert objects.has_commit(commit) and objects.files(f'{commit}:code')
        for other in ('0' * 40, f'{commit}\n{commit}', objects.files(f'{commit}:code')[0].id):
            assert not objects.has_commit(other)
        assert objects.has_commit(commit)


def test_git_replace_changes_nothing(root):
    commit = Repository.at(root).resolve('HEAD')
    small_repository.git(root, 'replace', 'HEAD', 'HEAD~1')
    with Objects(root) as objects:
        assert len(objects.files(f'{commit}:code')) == 4
