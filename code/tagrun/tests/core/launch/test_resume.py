"""Going on with a run, and beginning a new one from a checkpoint of it."""

import shutil
import zipfile

import pytest

from tagrun.core.check import git_leftovers, run_leftovers
from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch, resume
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.record import claim
from tagrun.store import checkpoints, lock, pruning, run_json
from tagrun.store.run_ref import RunRef


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


@pytest.fixture
def folder(stubbed, repository):
    """A run that was interrupted after its first checkpoint."""
    stubbed.configure(how="'interrupted'")
    stubbed.commit()
    head = repository.resolve('HEAD')
    folder = claim.create_run(repository, 't1', head, 7, tag_message='why')
    assert launch.train_here(repository, folder) == launch.RESUMABLE
    return folder


def test_it_goes_on_from_its_newest_checkpoint_and_then_is_finished(repository, folder, capsys):
    pruning.request(folder, 'a sweep')
    assert resume.resume(repository, folder) == 0
    assert run_json.read(folder)['resume'] == 'epoch_1.pth'
    assert pruning.reason(folder) == ''
    assert resume.resume(repository, folder) == 0
    assert 't1/0 is finished' in capsys.readouterr().err


def test_its_code_is_repaired_and_what_its_commit_lacks_is_moved(repository, folder, capsys):
    (folder / 'code' / 'main.py').unlink()
    (folder / 'code' / 'mine.py').write_text('')
    assert resume.resume(repository, folder) == 0
    said = capsys.readouterr().err
    assert 'had been changed (main.py)' in said and 'its commit lacks (mine.py)' in said
    assert (folder / 'code' / 'main.py').is_file()
    assert not (folder / 'code' / 'mine.py').exists()


def test_without_a_checkpoint_it_begins_anew(repository, folder, capsys):
    shutil.rmtree(folder / 'checkpoint')
    assert resume.prepare(repository, folder, run_json.read(folder))
    assert 'begins anew' in capsys.readouterr().err
    assert run_json.read(folder)['resume'] is None


def test_whole_checkpoints_whose_list_is_lost_are_not_overwritten(repository, folder):
    directory = folder / 'checkpoint'
    with zipfile.ZipFile(directory / 'epoch_1.pth', 'w') as archive:
        archive.writestr('state', b'weights')
    for content in (None, b'torn'):
        (directory / checkpoints.SUMS).unlink(missing_ok=True)
        if content:
            (directory / checkpoints.SUMS).write_bytes(content)
        with pytest.raises(UserError, match='newest epoch_1.pth.*SHA256SUMS.*doctor --fix'):
            resume.prepare(repository, folder, run_json.read(folder))
        finding, *_ = run_leftovers.find(
            repository, RunRef('t1', 0), git_leftovers.References(repository, [RunRef('t1', 0)])
        )
        assert 'SHA256SUMS is lost' in finding.what
        finding.fix()
    assert resume.prepare(repository, folder, run_json.read(folder))
    assert run_json.read(folder)['resume'] == 'epoch_1.pth'


def test_a_run_that_is_trained_or_was_fetched_is_refused(repository, folder):
    info = run_json.read(folder)
    held = lock.Lock(folder)
    with pytest.raises(UserError, match='t1/0 is being trained: process'):
        resume.resume(repository, folder)
    with pytest.raises(UserError, match='t1/0 is being trained: process'):
        resume.resume(repository, folder, LaunchOptions(engine='queue'))
    held.release()
    run_json.write(folder, {**info, 'fetched_from': 'origin'})
    with pytest.raises(UserError, match='was fetched from origin'):
        resume.resume(repository, folder)


@pytest.mark.parametrize('start', ['1', 'best', 'last', 'epoch_1', 'epoch_1.pth'])
def test_a_new_run_begins_with_a_checkpoint_and_the_history_before_it(repository, folder, start):
    (folder / 'tensorboard').mkdir()
    (folder / 'tensorboard' / 'events').write_text('x')
    (folder / 'checkpoint' / 'epoch_1.shards').mkdir()
    (folder / 'checkpoint' / 'epoch_1.shards' / 'part').write_bytes(b'y')
    new = resume.create_branch(repository, folder, run_json.read(folder), start)
    info = run_json.read(new)
    assert (info['id'], info['resume'], info['continued_from']) == (1, 'epoch_1.pth', 't1/0')
    assert checkpoints.listed(new) == checkpoints.listed(folder)
    for name in ('trace.csv', 'tensorboard/events', 'checkpoint/epoch_1.shards/part'):
        assert (new / name).read_bytes() == (folder / name).read_bytes()


def test_a_file_from_elsewhere_is_a_start_too(repository, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / 'weights.pth', 'w') as file:
        file.writestr('data', 'x')
    info = run_json.read(folder)
    new = resume.create_branch(repository, folder, info, str(tmp_path / 'weights.pth'))
    assert list(checkpoints.listed(new)) == [resume.FROM_FILE]


@pytest.mark.parametrize('start', ['1', 'best', 'last', 'epoch_1.pth'])
def test_a_damaged_checkpoint_is_named_before_a_run_is_spent(repository, folder, start):
    file = folder / 'checkpoint' / 'epoch_1.pth'
    file.write_bytes(file.read_bytes()[:-1] + b'x')
    with pytest.raises(UserError, match=r'epoch_1.pth of t1/0 is damaged, its SHA-256 is not'):
        resume.branch(repository, folder, start, LaunchOptions())
    assert not (folder.parent / '1').exists()


def test_a_damaged_file_from_elsewhere_is_refused(repository, folder, tmp_path):
    file = tmp_path / 'model.pth'
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('data', b'weights' * 100)
    content = bytearray(file.read_bytes())
    content[50] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match='it is damaged: a part of it does not have its CRC-32'):
        resume.branch(repository, folder, str(file), LaunchOptions())


def test_a_new_run_is_trained_in_as_many_processes_as_the_old_one(repository, folder):
    run_json.write(folder, {**run_json.read(folder), 'nproc': 2})
    assert resume.branch(repository, folder, 'best', LaunchOptions()) == 0
    assert run_json.read(folder.parent / '1')['nproc'] == 2


@pytest.mark.parametrize(
    'start, reason',
    [
        ('7', 'no checkpoint of epoch 7; there is epoch_1.pth'),
        ('no/such', "an epoch's number, best"),
        ('x' * 5000, "an epoch's number, best"),
        (__file__, 'not a checkpoint'),
    ],
)
def test_a_start_that_is_not_there_is_refused_before_a_run_is_spent(
    repository, folder, start, reason
):
    with pytest.raises(UserError, match=reason):
        resume.create_branch(repository, folder, run_json.read(folder), start)
    assert not (folder.parent / '1').exists()
