"""A run is claimed as a folder and a ref, with all its files, and nothing of yours is touched."""

import pytest
from worktree import desk

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim
from tagrun.store import run_json


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


def head(repository):
    return repository.resolve('HEAD')


def test_a_run_gets_its_tag_its_ref_its_snapshot_and_its_run_json(stubbed, repository):
    before = desk(stubbed)
    more = {'variant': 'x'}
    folder = claim.create_run(repository, 't1', head(repository), 7, more, tag_message='why')
    assert folder == stubbed.folder('t1/0')
    assert stubbed.git('tag', '-l', '--format=%(contents)', 't1').strip() == 'why'
    assert repository.resolve('refs/tagrun/code/t1/0') == head(repository)
    assert (folder / 'code' / 'main.py').is_file()
    info = run_json.read(folder)
    assert (info['seed'], info['variant'], info['commit']) == (7, 'x', head(repository))
    assert {**desk(stubbed), 'rest': None} == {**before, 'rest': None}


def test_ids_rise_and_one_whose_ref_came_from_elsewhere_is_passed_over(stubbed, repository):
    stubbed.git('update-ref', 'refs/tagrun/code/t1/1', 'HEAD')
    folders = [claim.create_run(repository, 't1', head(repository), 7) for _ in range(2)]
    assert [folder.name for folder in folders] == ['0', '2']
    assert not stubbed.folder('t1/1').exists()


def test_a_tag_that_exists_is_refused_and_leaves_no_folder(stubbed, repository):
    stubbed.git('tag', 't1')
    with pytest.raises(UserError, match="the tag 't1' exists"):
        claim.create_run(repository, 't1', head(repository), 7, tag_message='why')
    assert list(stubbed.folder('t1').iterdir()) == []


def test_where_results_cannot_be_written_one_sentence_says_so(stubbed, repository):
    (stubbed.root / '__result__').write_text('a file')
    with pytest.raises(UserError, match='cannot be written'):
        claim.create_run(repository, 't1', head(repository), 7)


def test_a_run_with_a_new_seed_is_of_a_side_commit_that_differs_in_the_seed_alone(
    stubbed, repository
):
    folder = claim.create_run_with_new_seed(repository, 't1', head(repository), {'nproc': 2})
    info = run_json.read(folder)
    assert stubbed.git('diff', '--name-only', 'HEAD', info['commit']).split() == ['code/seed']
    assert claim.read_seed(repository.file(info['commit'], 'code/seed')) == info['seed']
    assert info['nproc'] == 2
    with pytest.raises(UserError, match='git fetch origin'):
        claim.create_run_with_new_seed(repository, 't1', '0' * 40)


def test_a_run_that_was_killed_while_it_was_created_is_completed(stubbed, repository):
    folder = claim.create_run(repository, 't1', head(repository), 4242)
    info = run_json.read(folder)
    (folder / 'run.json').unlink()
    (folder / 'code' / 'main.py').unlink()
    claim.complete(repository, folder, info['commit'])
    del info['created']
    assert run_json.read(folder) == info
    assert (folder / 'code' / 'main.py').is_file()


@pytest.mark.parametrize('step', ['mark', 'write'])
def test_a_completed_run_has_each_key_that_it_was_to_have(stubbed, repository, monkeypatch, step):
    """It is killed after git has it: before its inputs are kept, or before its files are there."""
    module = claim.input_files if step == 'mark' else claim.frozen_copy
    more = {'rerun_of': 't0/3', 'exact': True, 'set': {'lr': 0.5}, 'nproc': 2, 'variant': 'x'}
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(module, step, ctrl_c)
        claim.create_run(repository, 't1', head(repository), 77, more, tag_message='why')
    folder = stubbed.folder('t1/0')
    assert not (folder / run_json.NAME).exists()
    claim.complete(repository, folder, head(repository))
    info = run_json.read(folder)
    assert {**info, **more, 'seed': 77} == info
    assert not (folder / claim.PREPARING).exists() and (folder / 'code' / 'main.py').is_file()


def ctrl_c(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize('content', [None, b'', b'x', b'-1', b'1.5', b'9' * 30, b'\xff'])
def test_a_seed_file_with_anything_but_one_integer_is_refused(content):
    with pytest.raises(UserError, match='one integer'):
        claim.read_seed(content)


def test_a_seed_is_drawn_and_read_back():
    assert 0 <= claim.fresh_seed() < 2**claim.SEED_BITS
    assert claim.read_seed(claim.seed_file(7)['code/seed']) == 7
