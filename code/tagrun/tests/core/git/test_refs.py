"""core/git/refs.py: refs are deleted all or none, and only where they are what one knows."""

import pytest

from tagrun.core.git import refs
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository


def test_refs_are_deleted_all_or_none_and_only_where_they_were_not_moved(stubbed):
    repository = Repository.at(stubbed.root)
    head = repository.resolve('HEAD')
    made = {'refs/tags/a': head, 'refs/tagrun/code/a/0': head}
    repository.create_refs(made)
    with pytest.raises(GitError):
        refs.delete(repository, {**made, 'refs/tags/a': '1' * len(head)})
    assert all(repository.resolve(name) for name in made)
    refs.delete(repository, made)
    assert not any(repository.resolve(name) for name in made)
    refs.delete(repository, {})
