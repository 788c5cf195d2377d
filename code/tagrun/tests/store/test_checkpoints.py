"""store/checkpoints.py: which checkpoints count."""

import errno
import hashlib
import os
import threading
import zipfile

import pytest

from tagrun.store import checkpoints


@pytest.fixture
def run(tmp_path):
    """A run's folder with three checkpoints, all listed."""
    folder = tmp_path / 'checkpoint'
    folder.mkdir()
    names = ('epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth')
    for name in names:
        (folder / name).write_bytes(name.encode())
    checkpoints.write_sums(tmp_path, {name: checkpoints.digest(folder / name) for name in names})
    return tmp_path


def test_only_listed_checkpoints_that_are_there_count(tmp_path):
    place = tmp_path / 'checkpoint'
    place.mkdir()
    assert checkpoints.listed(tmp_path) == {} and checkpoints.newest(tmp_path) is None
    for name in ('epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'):
        (place / name).write_bytes(name.encode())
    checkpoints.write_sums(
        tmp_path,
        {name: checkpoints.digest(place / name) for name in ('epoch_1.pth', 'epoch_2.pth')},
    )
    assert (
        list(checkpoints.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth']
        and checkpoints.newest(tmp_path) == 'epoch_2.pth'
    )
    (place / 'epoch_2.pth').unlink()
    assert checkpoints.newest(tmp_path) == 'epoch_1.pth'
    (place / 'epoch_best.pth').symlink_to('epoch_2.pth')
    assert checkpoints.best(tmp_path) is None


def test_lines_that_are_not_a_checkpoints_do_not_count(run):
    with open(run / 'checkpoint' / checkpoints.SUMS, 'a') as file:
        file.write('0' * 64 + '  ../epoch_1.pth\n' + '0' * 63 + '  epoch_1.pth\nepoch_2\n')
    assert list(checkpoints.listed(run)) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_what_is_newer_than_where_a_run_goes_on_is_forgotten(run):
    before = checkpoints.listed(run)
    checkpoints.forget_after(run, 'epoch_3.pth')
    assert checkpoints.listed(run) == before
    checkpoints.forget_after(run, 'epoch_1.pth')
    assert checkpoints.listed(run) == {'epoch_1.pth': before['epoch_1.pth']}


def test_the_best_is_what_the_link_names_if_it_is_listed(run):
    assert checkpoints.best(run) is None
    (run / 'checkpoint' / checkpoints.BEST).symlink_to('epoch_2.pth')
    assert checkpoints.best(run) == 'epoch_2.pth'


def test_a_digest_is_the_files_sha256(run):
    assert checkpoints.digest(run / 'checkpoint' / 'epoch_1.pth') == (
        hashlib.sha256(b'epoch_1.pth').hexdigest()
    )


def test_a_file_and_its_shards_are_removed_and_nothing_else(run):
    folder = run / 'checkpoint'
    shards = folder / checkpoints.shards('epoch_1.pth')
    assert shards.name == 'epoch_1.shards'
    shards.mkdir()
    (shards / 'part').touch()
    (folder / 'link').symlink_to(folder, target_is_directory=True)
    for path in (shards, folder / 'epoch_1.pth', folder / 'link', folder / 'none'):
        checkpoints.remove(path)
    assert sorted(os.listdir(folder)) == ['SHA256SUMS', 'epoch_2.pth', 'epoch_3.pth']


def test_a_list_that_is_a_folder_or_not_a_file_is_no_list(run):
    sums = run / 'checkpoint' / checkpoints.SUMS
    sums.unlink()
    sums.mkdir()
    assert checkpoints.listed(run) == {}
    sums.rmdir()
    os.mkfifo(sums)
    assert checkpoints.listed(run) == {}


def test_a_pipe_under_the_sums_name_lists_nothing_and_what_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / 'checkpoint').mkdir()
    os.mkfifo(tmp_path / 'checkpoint' / checkpoints.SUMS)
    assert checkpoints.listed(tmp_path) == {}
    with pytest.raises(OSError) as caught:
        checkpoints.listed(tmp_path / ('x' * 300))  # "there is none" would begin the run anew
    assert caught.value.errno == errno.ENAMETOOLONG


# ---- what another run needs ----


@pytest.fixture
def pre(tmp_path):
    """The folder of pre/0, with three checkpoints; fine/0 has a folder."""
    folder = tmp_path / '__result__' / 'pre' / '0'
    (folder / checkpoints.FOLDER).mkdir(parents=True)
    (tmp_path / '__result__' / 'fine' / '0').mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / checkpoints.FOLDER / f'epoch_{number}.pth').write_text(str(number))
    names = [f'epoch_{number}.pth' for number in (1, 2, 3)]
    digests = [checkpoints.digest(folder / checkpoints.FOLDER / name) for name in names]
    checkpoints.write_sums(folder, dict(zip(names, digests, strict=True)))
    return folder


def test_a_reserved_checkpoint_stays_in_the_list_and_the_others_may_go(pre):
    sums = checkpoints.listed(pre)
    assert checkpoints.reserve(pre, '1', 'fine/0') == ('epoch_1.pth', sums['epoch_1.pth'])
    assert checkpoints.shorten(pre, sums, ['epoch_3.pth']) == {'epoch_2.pth'}
    assert list(checkpoints.listed(pre)) == ['epoch_1.pth', 'epoch_3.pth']
    assert checkpoints.reserve(pre, '7', 'fine/0') is None
    assert checkpoints.newest(pre) == 'epoch_3.pth'


def test_what_comes_to_be_needed_while_the_list_is_shortened_is_put_back(pre, monkeypatch):
    """Another program notes its need, and sees the file in the list just before that is written."""
    write, seen = checkpoints.write_sums, []

    def slow_write(folder, sums):
        monkeypatch.setattr(checkpoints, 'write_sums', write)
        seen.append(checkpoints.reserve(pre, '1', 'fine/0'))
        write(folder, sums)

    monkeypatch.setattr(checkpoints, 'write_sums', slow_write)
    assert checkpoints.shorten(pre, checkpoints.listed(pre), ['epoch_3.pth']) == {'epoch_2.pth'}
    assert seen[0] and seen[0][0] in checkpoints.listed(pre)


def test_what_comes_to_be_needed_after_the_list_was_shortened_is_not_given_out(pre):
    checkpoints.shorten(pre, checkpoints.listed(pre), ['epoch_3.pth'])
    assert checkpoints.reserve(pre, '1', 'fine/0') is None


def test_a_needed_checkpoint_whose_name_is_written_again_stays_under_another_one(pre):
    name, digest = checkpoints.reserve(pre, '3', 'fine/0')
    shards = pre / checkpoints.FOLDER / checkpoints.shards(name)
    shards.mkdir()
    (shards / '__0_0.distcp').write_text('a part')
    checkpoints.make_way(pre, name)
    other = f'epoch_3_{digest[:8]}.pth'
    assert list(checkpoints.listed(pre)) == [other, 'epoch_1.pth', 'epoch_2.pth']
    (pre / checkpoints.FOLDER / name).unlink()
    assert (pre / checkpoints.FOLDER / other).read_text() == '3'
    assert checkpoints.with_digest(pre, name, digest) == other
    moved = pre / checkpoints.FOLDER / checkpoints.shards(other) / '__0_0.distcp'
    assert moved.read_text() == 'a part'
    checkpoints.make_way(pre, 'epoch_2.pth')
    assert list(checkpoints.listed(pre)) == [other, 'epoch_1.pth']


def test_a_resume_forgets_what_is_newer_but_not_what_another_run_needs(pre):
    checkpoints.reserve(pre, '3', 'fine/0')
    checkpoints.forget_after(pre, 'epoch_1.pth')
    assert list(checkpoints.listed(pre)) == ['epoch_3.pth', 'epoch_1.pth']
    assert checkpoints.newest(pre) == 'epoch_1.pth'


def test_a_checkpoint_is_copied_with_its_shards_over_what_was_there(pre, tmp_path):
    path, target = pre / checkpoints.FOLDER / 'epoch_1.pth', tmp_path / 'epoch_9.pth'
    (path.parent / 'epoch_1.shards').mkdir()
    (path.parent / 'epoch_1.shards' / '.metadata').write_text('whole')
    target.write_text('before')
    checkpoints.copy(path, target)
    assert target.read_text() == '1'
    assert (tmp_path / 'epoch_9.shards' / '.metadata').read_text() == 'whole'


def test_readers_and_a_run_that_rotates_never_lose_a_file_that_was_given_out(pre):
    """Saves and reservations, at once: what `reserve` gave is there, then and later."""
    stop, given, lost = threading.Event(), [], []
    directory = pre / checkpoints.FOLDER

    def save():
        for number in range(4, 60):
            (directory / f'epoch_{number}.pth').write_text(str(number))
            sums = {**checkpoints.listed(pre), f'epoch_{number}.pth': f'{number:064x}'}
            for name in checkpoints.shorten(pre, sums, [f'epoch_{number}.pth']):
                checkpoints.remove(directory / name)
        stop.set()

    def read():
        while not stop.is_set():
            reserved = checkpoints.reserve(pre, 'last', 'fine/0')
            if reserved:
                given.append(reserved[0])
                if not (directory / reserved[0]).exists():
                    lost.append(reserved[0])

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    save()
    for thread in threads:
        thread.join()
    assert given and not lost
    assert set(given) <= set(checkpoints.listed(pre))
    assert all((directory / name).exists() for name in given)


@pytest.mark.parametrize(
    'stem, expected',
    [
        ('epoch_3', True),
        ('epoch_4_train_250', True),
        ('epoch_4_my_phase_0', True),
        ('epoch_2_before_lr_drop', False),
        ('epoch_2 (copy)', False),
        ('epoch_best', False),
        ('epoch_3_', False),
    ],
)
def test_the_names_that_training_gives_are_known(stem, expected):
    assert checkpoints.is_own_name(stem) == expected


PHASES = [
    'train',
    'val/a',
    'val a',
    'val-a',
    'gemischt ü',
    '한국어',
    '..',
    'a' * 300,
    '',
    'x\ny',
    '%2F',
]


@pytest.mark.parametrize('phase', PHASES)
def test_a_save_within_any_phase_has_a_name_that_can_be_written_listed_and_found(tmp_path, phase):
    name = checkpoints.name_within(4, phase, 250)
    path = tmp_path / checkpoints.FOLDER / name
    path.parent.mkdir()
    path.write_bytes(b'x')
    checkpoints.write_sums(tmp_path, {name: checkpoints.digest(path)})
    assert list(checkpoints.listed(tmp_path)) == [name] == [checkpoints.newest(tmp_path)]
    assert checkpoints.is_own_name(path.stem) and checkpoints.named(tmp_path, path.stem) == name


def test_each_phase_has_names_of_its_own_and_a_usual_one_the_plain_name():
    names = {checkpoints.name_within(4, phase, 250) for phase in PHASES}
    assert len(names) == len(PHASES)
    assert {'epoch_4_train_250.pth', 'epoch_4_val-a_250.pth'} <= names


def saved(folder, name, content=b'weights', age_s=0):
    path = folder / checkpoints.FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('state', content)
    os.utime(path, (1_000_000 - age_s,) * 2)
    return path


def test_a_lost_list_is_written_again_of_what_is_whole_in_order(tmp_path):
    names = ['epoch_2.pth', 'epoch_9.pth', 'epoch_10.pth', 'epoch_10_train_5.pth']
    names += ['epoch_10_train_50.pth', 'epoch_11_train_5.pth']
    for name in reversed(names):
        saved(tmp_path, name)
    torn = saved(tmp_path, 'epoch_3.pth')
    torn.write_bytes(torn.read_bytes().replace(b'weights', b'weighty'))
    (tmp_path / checkpoints.FOLDER / checkpoints.LAST).symlink_to('epoch_11_train_5.pth')
    assert len(checkpoints.lost_list(tmp_path)) == 7
    order = ['epoch_2.pth', 'epoch_9.pth', 'epoch_10_train_5.pth', 'epoch_10_train_50.pth']
    order += ['epoch_10.pth', 'epoch_11_train_5.pth']
    assert checkpoints.restore_list(tmp_path) == order == list(checkpoints.listed(tmp_path))
    assert checkpoints.lost_list(tmp_path) == []


@pytest.mark.parametrize('link', [None, checkpoints.BEST])
def test_a_first_save_that_was_killed_is_no_lost_list(tmp_path, link):
    saved(tmp_path, 'epoch_1.pth')
    if link:
        (tmp_path / checkpoints.FOLDER / link).symlink_to('epoch_1.pth')
    assert checkpoints.lost_list(tmp_path) == (['epoch_1.pth'] if link else [])
    (tmp_path / checkpoints.FOLDER / checkpoints.SUMS).touch()  # it is being written again
    assert checkpoints.lost_list(tmp_path) == []


def test_of_a_lost_list_nothing_is_written_where_nothing_is_whole(tmp_path):
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        saved(tmp_path, name).write_bytes(b'torn')
    with pytest.raises(ValueError, match='no checkpoint'):
        checkpoints.restore_list(tmp_path)
    assert not (tmp_path / checkpoints.FOLDER / checkpoints.SUMS).exists()
