"""A run's recorded code: run.json, git's ref and the tag, and what is said where they disagree."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim, provenance
from tagrun.store import run_json


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


@pytest.fixture
def folder(repository):
    """A run of a tag that was never trained."""
    return claim.create_run(repository, 't1', repository.resolve('HEAD'), 1, tag_message='why')


def test_where_all_agree_nothing_is_said(repository, folder, capsys):
    assert provenance.read_verified(repository, folder) == run_json.read(folder)
    assert capsys.readouterr().err == ''


def test_a_run_with_another_seed_is_still_of_its_tag(repository, folder, capsys):
    again = claim.create_run_with_new_seed(repository, 't1', repository.resolve('HEAD'))
    provenance.read_verified(repository, again)
    assert capsys.readouterr().err == ''


def test_a_tag_that_is_gone_or_was_moved_is_only_reported(stubbed, repository, folder, capsys):
    stubbed.git('tag', '-d', 't1')
    provenance.read_verified(repository, folder)
    assert "git has no tag 't1' any more" in capsys.readouterr().err
    stubbed.git('commit', '-q', '--allow-empty', '-m', 'another')
    stubbed.git('tag', 't1')
    provenance.read_verified(repository, folder)
    assert "the tag 't1' names commit" in capsys.readouterr().err


def test_a_run_whose_ref_says_another_commit_is_refused(stubbed, repository, folder):
    stubbed.git('commit', '-q', '--allow-empty', '-m', 'another')
    stubbed.git('update-ref', 'refs/tagrun/code/t1/0', 'HEAD')
    with pytest.raises(UserError, match='one of the two was changed'):
        provenance.read_verified(repository, folder)


@pytest.mark.parametrize(
    'changes, reason',
    [
        ({'commit': None}, 'a scratch run has no recorded code'),
        ({'commit': '--all'}, 'cannot be read'),
        ({'imported': {'kind': 'MLflow'}, 'commit': None}, 'was imported'),
    ],
)
def test_a_run_without_a_commit_is_refused_with_the_reason(folder, changes, reason):
    run_json.write(folder, {**run_json.read(folder), **changes})
    with pytest.raises(UserError, match=reason):
        provenance.read(folder)


def test_a_missing_run_json_is_refused_with_what_to_type(folder):
    (folder / 'run.json').unlink()
    with pytest.raises(UserError, match="`rerun t1` runs the tag's"):
        provenance.read(folder)
