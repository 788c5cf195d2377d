"""What a commit's code can do is read from its CONTRACT, and from nothing else."""

import pytest
from project_factory import CODE

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import contract
from tagrun.core.record.contract import EVALUATE, INPUTS, NODES, NPROC, OWNED


def commit_with(project, text):
    (project.root / 'code' / 'tagrun' / 'CONTRACT').write_text(text)
    project.commit('another contract')
    return Repository.at(project.root), project.git('rev-parse', 'HEAD').strip()


def test_this_code_has_the_features_that_its_commands_ask_for():
    assert contract.frozen_features(CODE.parent) == {NPROC, NODES, EVALUATE, INPUTS, OWNED}


@pytest.mark.parametrize(
    'content, features',
    [
        (b'1', {NPROC, NODES}),
        (b'1\n', {NPROC, NODES}),
        (b'1\nnproc\n', {NPROC}),
        (b'1\r\nnproc\r\nmore-2\r\n', {NPROC, 'more-2'}),
        (b'1\n\nnodes\n\n', {NODES}),
    ],
)
def test_features_are_the_lines_below_the_number_and_without_lines_the_first_two(content, features):
    assert contract.parse(content) == (1, features)


@pytest.mark.parametrize(
    'content',
    [b'', b'x', b'-1', b'1 2', b'nproc\n1', b'1\nNo Feature', b'1\n../x', b'\xff', b'1' * 99],
)
def test_what_is_not_a_contract_is_none(content):
    assert contract.parse(content) is None


def test_a_commit_with_the_number_alone_has_nproc_and_nodes(stubbed):
    repository, commit = commit_with(stubbed, '1\n')
    assert contract.features(repository, commit) == {NPROC, NODES}


def test_a_commit_with_lines_has_these_alone_whatever_is_in_the_files_now(stubbed):
    repository, commit = commit_with(stubbed, '1\nnodes\n')
    (stubbed.root / 'code' / 'tagrun' / 'CONTRACT').write_text('1\n')
    assert contract.features(repository, commit) == {NODES}


def test_code_without_nproc_is_not_started_in_two_processes(stubbed):
    commit_with(stubbed, '1\nnodes\n')
    lines = stubbed.tagrun('run', 't1', '--nproc', '2', code=1).stderr.splitlines()
    assert [line for line in lines if 'older than --nproc' in line] == lines[-1:]
    stubbed.tagrun('run', 't2', '--nproc', '1')


def test_a_larger_contract_and_a_missing_one_are_refused(stubbed):
    repository, commit = commit_with(stubbed, '2\nnproc\n')
    with pytest.raises(
        UserError, match=f'commit {commit[:10]} needs contract 2.*update code/tagrun'
    ):
        contract.features(repository, commit)
    stubbed.git('rm', '-q', 'code/tagrun/CONTRACT')
    stubbed.git('commit', '-qm', 'none')
    with pytest.raises(UserError, match='no code/tagrun/CONTRACT'):
        contract.features(repository, stubbed.git('rev-parse', 'HEAD').strip())


def test_a_frozen_copy_without_a_contract_has_no_features(tmp_path):
    assert contract.frozen_features(tmp_path) == frozenset()
