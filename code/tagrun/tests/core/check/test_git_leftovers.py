"""What a killed git left, and what git has of the runs."""

import subprocess

import breakage
import pytest

from tagrun.core.check import git_leftovers
from tagrun.core.git.repository import Repository
from tagrun.store.run_ref import RunRef


def find(project):
    return list(git_leftovers.find(Repository.at(project.root)))


@pytest.mark.parametrize('what', breakage.GIT)
def test_what_a_killed_git_left_is_removed(stub_with_run, what):
    breakage.GIT[what](stub_with_run)
    (finding,) = find(stub_with_run)
    assert what in f'{finding.where}: {finding.what}'
    finding.fix()
    assert find(stub_with_run) == []


def test_a_young_lock_is_only_reported(stub_with_run):
    (stub_with_run.root / '.git' / 'index.lock').touch()
    (finding,) = find(stub_with_run)
    assert finding.is_harmless and finding.fix is None


def test_an_old_lock_is_not_removed_while_a_git_works_in_this_repository(stub_with_run, tmp_path):
    breakage.break_lock(stub_with_run)
    words = ['git', 'cat-file', '--batch']
    git = subprocess.Popen(words, cwd=stub_with_run.root, stdin=-1, stdout=-1)
    try:
        assert git_leftovers.git_at_work(Repository.at(stub_with_run.root)) == git.pid
        (finding,) = find(stub_with_run)
        assert finding.fix is None and not finding.is_harmless
    finally:
        git.communicate()
    assert git_leftovers.git_at_work(Repository.at(stub_with_run.root)) == 0


def test_references_have_the_commits_and_the_results_of_the_runs(stub_with_run):
    repository = Repository.at(stub_with_run.root)
    references = git_leftovers.References(repository, [RunRef('t1', 0), RunRef('t1', 9)])
    assert references.code == {'t1/0': repository.resolve('refs/tagrun/code/t1/0')}
    content = (stub_with_run.folder('t1/0') / 'statistic.json').read_bytes()
    assert references.result == {'t1/0': content}


def test_a_result_without_a_statistic_hides_no_other(stub_with_run):
    commit = stub_with_run.git('rev-parse', 'HEAD').strip()
    stub_with_run.git('update-ref', 'refs/tagrun/result/t1/1', commit)
    runs = [RunRef('t1', 0), RunRef('t1', 1)]
    references = git_leftovers.References(Repository.at(stub_with_run.root), runs)
    assert references.result['t1/1'] == b''
    assert b'"finished"' in references.result['t1/0']
