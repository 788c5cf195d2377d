"""No link in a folder of records is followed; the folder itself may be one."""

import errno
import os

import pytest

from tagrun.store import beneath


@pytest.fixture
def records(tmp_path):
    """`__result__`, a link to a large disk, with a run, and a canary outside."""
    (tmp_path / 'disk' / 't1' / '0').mkdir(parents=True)
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'outside' / 'run.json').write_text('canary')
    (tmp_path / '__result__').symlink_to(tmp_path / 'disk')
    (tmp_path / 'disk' / 't1' / '0' / 'run.json').write_text('mine')
    return tmp_path / '__result__'


def read(path, **how):
    with open(beneath.open_file(path, os.O_RDONLY, **how), encoding='utf-8') as file:
        return file.read()


@pytest.mark.parametrize(
    'path, top',
    [
        ('/p/__result__/t1/0/run.json', '/p/__result__'),
        ('/p/__statistic__/table/a.csv', '/p/__statistic__'),
        ('/__result__/p/__result__/t1', '/__result__/p/__result__'),
        ('__result__/t1', '__result__'),
        ('/p/__result__', None),
        ('/p/code/config.py', None),
        ('run.json', None),
    ],
)
def test_the_folder_of_records_is_the_last_on_the_way(path, top):
    assert beneath.top_of(path) == top


def test_the_folder_itself_may_be_a_link(records):
    assert read(records / 't1' / '0' / 'run.json') == 'mine'


@pytest.mark.parametrize('linked', ['t1', 't1/0', 't1/0/run.json'])
@pytest.mark.parametrize('to', ['outside', 'nowhere'])
def test_a_link_below_it_is_refused_in_words(records, linked, to):
    target = records.parent / to
    path = records / linked
    os.rename(path, records.parent / 'moved')
    path.symlink_to(target / 'run.json' if linked.endswith('json') else target)
    for act in (read, beneath.check):
        with pytest.raises(OSError, match='a link to another place') as refused:
            act(records / 't1' / '0' / 'run.json')
        assert refused.value.errno == errno.ELOOP
        assert refused.value.filename == str(path)


def test_folders_are_made_but_not_through_a_link(records):
    beneath.make_folder(records / 't2' / '0')
    beneath.make_folder(records / 't2' / '0')
    assert (records / 't2' / '0').is_dir()
    (records / 't3').symlink_to(records.parent / 'outside')
    with pytest.raises(OSError, match='a link'):
        beneath.make_folder(records / 't3' / '0')
    assert os.listdir(records.parent / 'outside') == ['run.json']


def test_a_file_is_removed_but_not_through_a_link(records):
    (records / 't3').symlink_to(records.parent / 'outside')
    with pytest.raises(OSError, match='a link'):
        beneath.remove(records / 't3' / 'run.json')
    beneath.remove(records / 't3')
    for _ in range(2):
        beneath.remove(records / 't1' / '0' / 'run.json')
    assert os.listdir(records.parent / 'outside') == ['run.json']
    assert os.listdir(records / 't1' / '0') == []


def test_elsewhere_links_are_yours(tmp_path):
    (tmp_path / 'a').write_text('mine')
    (tmp_path / 'b').symlink_to('a')
    assert read(tmp_path / 'b') == 'mine'
    beneath.check(tmp_path / 'b')
    beneath.make_folder(tmp_path / 'c' / 'd')
    assert (tmp_path / 'c' / 'd').is_dir()
    with pytest.raises(OSError, match='a link'):
        read(tmp_path / 'b', follow=False)


def test_no_name_leads_out_of_the_top(tmp_path):
    for path in (tmp_path / 'top' / '..' / 'x', tmp_path / 'top'):
        with pytest.raises(OSError), beneath.parent(path, top=tmp_path / 'top'):
            pass


def test_what_is_not_there_is_told_by_its_whole_path(records):
    with pytest.raises(FileNotFoundError) as absent:
        read(records / 't9' / '0' / 'run.json')
    assert absent.value.filename == str(records / 't9')
    beneath.check(records / 't9' / '0' / 'run.json')


def test_no_descriptor_is_left_open(records):
    before = len(os.listdir('/dev/fd'))
    (records / 't1' / 'link').symlink_to('0')
    for name in ('t1/0/run.json', 't1/link/run.json', 't9/0/run.json'):
        with pytest.raises(OSError), beneath.parent(records / name):
            raise OSError
        beneath.make_folder(records / 't1' / 'new')
    assert len(os.listdir('/dev/fd')) == before
