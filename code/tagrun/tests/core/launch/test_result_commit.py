"""The result commit of a run."""

import json

import pytest

from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch, result_commit
from tagrun.core.record import claim
from tagrun.store import run_json

REF = 'refs/tagrun/result/t1/0'


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


@pytest.fixture
def folder(repository):
    """A run that was trained, and whose result git has."""
    folder = claim.create_run(repository, 't1', repository.resolve('HEAD'), 7, tag_message='why')
    assert launch.train_here(repository, folder) == 0
    return folder


def test_a_further_result_is_a_child_of_the_former_and_of_the_code(stubbed, repository, folder):
    first = repository.resolve(REF)
    (folder / 'log').write_text('more\n')
    second = result_commit.record(repository, folder, run_json.read(folder))
    assert repository.resolve(REF) == second
    parents = stubbed.git('log', '-1', '--format=%P %s', second).split()
    assert parents[:2] == [repository.resolve('HEAD'), first]
    assert stubbed.git('show', f'{second}:log') == 'more\n'


def test_a_result_so_far_has_no_trace_and_says_so(stubbed, repository, folder):
    commit = result_commit.record(repository, folder, run_json.read(folder), so_far=True)
    assert stubbed.git('log', '-1', '--format=%s', commit) == 'result of t1/0 so far\n'
    names = stubbed.git('ls-tree', '--name-only', commit).split()
    assert 'trace_epochs.csv' not in names and 'history.csv' in names


def test_the_path_of_the_project_and_tokens_stay_here(folder):
    (folder / 'log').write_text('fetched https://me:pass@host/x\n')
    contents = result_commit.contents(folder)
    assert json.loads(contents['run.json'])['root'] is None
    assert contents['log'] == b'fetched https://(hidden)@host/x\n'
    assert set(contents) >= {'statistic.json', 'history.csv', 'trace_epochs.csv'}


def test_of_a_long_log_the_end_is_kept_from_a_whole_line_on(folder, monkeypatch):
    monkeypatch.setattr(result_commit, 'LOG_TAIL', 10)
    (folder / 'log').write_text('first\nsecond\nthird\n')
    assert result_commit.contents(folder)['log'] == b'(the beginning is left out)\nthird\n'


def test_a_git_that_is_busy_for_a_moment_is_tried_again(repository, folder, monkeypatch):
    monkeypatch.setattr(result_commit, 'WAITS_S', (0, 0, None))
    failures, real = [GitError('busy'), GitError('busy')], repository.set_ref

    def set_ref(*words):
        if failures:
            raise failures.pop()
        real(*words)

    monkeypatch.setattr(repository, 'set_ref', set_ref)
    commit = result_commit.record(repository, folder, run_json.read(folder))
    assert repository.resolve(REF) == commit
    failures.extend([GitError('busy')] * 3)
    with pytest.raises(GitError, match='busy'):
        result_commit.record(repository, folder, run_json.read(folder))


def another_is_quicker(repository, monkeypatch, record):
    """Let `record()` happen between the reading of the files and the first setting of the ref."""
    real, calls = repository.set_ref, []

    def set_ref(*words):
        calls.append(words)
        if len(calls) == 1:
            record()
        real(*words)

    monkeypatch.setattr(repository, 'set_ref', set_ref)


def test_of_two_first_results_at_once_one_is_the_others_child(repository, folder, monkeypatch):
    info, others = run_json.read(folder), []
    repository.git('update-ref', '-d', REF)
    quicker = Repository.at(repository.root)
    another_is_quicker(
        repository, monkeypatch, lambda: others.append(result_commit.record(quicker, folder, info))
    )
    mine = result_commit.record(repository, folder, info)
    assert repository.resolve(REF) == mine and repository.is_ancestor(others[0], mine)


def test_a_result_so_far_never_lands_on_the_final_one(repository, folder, monkeypatch):
    info, others = run_json.read(folder), []
    quicker = Repository.at(repository.root)
    another_is_quicker(
        repository, monkeypatch, lambda: others.append(result_commit.record(quicker, folder, info))
    )
    assert result_commit.record(repository, folder, info, so_far=True) == others[0]
    assert repository.resolve(REF) == others[0]
    # a run that goes on has results so far again
    assert result_commit.record(repository, folder, info, so_far=True) != others[0]
