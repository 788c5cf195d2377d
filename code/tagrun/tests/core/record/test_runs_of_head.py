"""The runs of the commit one stands on."""

import time

from tagrun.core.git.repository import Repository
from tagrun.core.record import claim, runs_of_head


def test_runs_of_head_and_of_its_side_commits_oldest_first(stubbed):
    repository = Repository.at(stubbed.root)
    head = repository.resolve('HEAD')
    for tag, create in (('b', claim.create_run_with_new_seed), ('a', claim.create_run)):
        seed = [7] if create is claim.create_run else []
        create(repository, tag, head, *seed)
        time.sleep(0.01)
    claim.create_run_with_new_seed(repository, 'a', repository.resolve('refs/tagrun/code/b/0'))
    assert runs_of_head.runs(repository) == [('b', 0), ('a', 0), ('a', 1)]


def test_a_commit_of_ones_own_and_a_run_without_a_folder_do_not_count(stubbed):
    repository = Repository.at(stubbed.root)
    claim.create_run(repository, 'a', repository.resolve('HEAD'), 7)
    stubbed.git('update-ref', 'refs/tagrun/code/gone/0', 'HEAD')
    assert runs_of_head.runs(repository) == [('a', 0)]
    stubbed.git('commit', '-q', '--allow-empty', '-m', 'my own')
    assert runs_of_head.runs(repository) == []


def test_before_the_first_commit_there_are_none(tmp_path, stubbed):
    stubbed.git('checkout', '-q', '--orphan', 'new')
    assert runs_of_head.runs(Repository.at(stubbed.root)) == []
