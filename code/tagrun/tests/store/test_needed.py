"""store/needed.py: which checkpoints stay because another run needs them."""

import os

import pytest

from tagrun.store import checkpoints, needed

ONE, OTHER = '1' * 64, '2' * 64


@pytest.fixture
def directory(tmp_path):
    """The folder checkpoint/ of pre/0; fine/0 has a folder, gone/0 has none."""
    result = tmp_path / "a 'b; c" / '__result__'
    (result / 'fine' / '0').mkdir(parents=True)
    path = result / 'pre' / '0' / checkpoints.FOLDER
    path.mkdir(parents=True)
    return path


def test_what_a_run_needs_stays_as_long_as_that_run_has_a_folder(directory):
    assert needed.digests(directory) == set()
    needed.add(directory, 'epoch_1.pth', ONE, 'fine/0')
    needed.add(directory, 'epoch_2.pth', OTHER, 'gone/0')
    assert needed.digests(directory) == {ONE}
    (directory.parents[2] / 'fine' / '0').rmdir()
    assert needed.digests(directory) == set()


def test_what_a_command_holds_stays_for_a_while(directory, monkeypatch):
    needed.hold(directory, 'epoch_1.pth', ONE)
    assert needed.digests(directory) == {ONE}
    now = needed.time.time()
    monkeypatch.setattr(needed.time, 'time', lambda: now + needed.HELD_S + 2)
    assert needed.digests(directory) == set()


@pytest.mark.parametrize(
    'line',
    [
        f'{ONE}  epoch_1.pth  fine',
        f'{ONE}  epoch_1.pth  ../fine/0',
        f'{ONE}  epoch_1.pth  -fine/0',
        f'{ONE}  epoch_1.pth  until never',
        f'{ONE}  epoch_1.pth  until 99999999999999-01-01T00:00:00Z',
        f'{ONE[1:]}  epoch_1.pth  fine/0',
        f'{ONE} epoch_1.pth',
        '\udcff\udcff',
        '',
    ],
)
def test_a_line_that_says_nothing_is_passed_over_and_the_others_count(directory, line):
    text = f'{line}\n{OTHER}  epoch_2.pth  fine/0\n{ONE}  epoch_1.p'
    (directory / needed.NAME).write_bytes(os.fsencode(text))
    assert needed.digests(directory) == {OTHER}


def test_a_fifo_or_a_link_under_its_name_is_neither_waited_for_nor_written_through(directory):
    os.mkfifo(directory / needed.NAME)
    assert needed.digests(directory) == set()
    (directory / needed.NAME).unlink()
    (directory / needed.NAME).symlink_to(directory / 'elsewhere')
    with pytest.raises(OSError):
        needed.add(directory, 'epoch_1.pth', ONE, 'fine/0')
    assert not (directory / 'elsewhere').exists()


def test_the_same_need_is_noted_once(directory):
    for _ in range(3):
        needed.add(directory, 'epoch_1.pth', ONE, 'fine/0')
    assert len((directory / needed.NAME).read_text().splitlines()) == 1


def test_in_a_folder_that_nobody_may_write_nothing_is_noted(directory, monkeypatch):
    def refused(*_):
        raise OSError(30, 'Read-only file system')

    monkeypatch.setattr(needed.atomic, 'append_line', refused)
    needed.add(directory, 'epoch_1.pth', ONE, 'fine/0')
    assert needed.digests(directory) == set()


def test_nothing_is_written_where_a_link_leads(directory, tmp_path):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    directory.rmdir()
    directory.symlink_to(elsewhere)
    needed.add(directory, 'epoch_1.pth', ONE, 'fine/0')
    needed.hold(directory, 'epoch_1.pth', ONE)
    assert list(elsewhere.iterdir()) == []
