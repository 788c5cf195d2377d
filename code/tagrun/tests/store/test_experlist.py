"""store/experlist.py: lists as people write them, and as people should not."""

import os

import pytest
from run_factory import listed, run

from tagrun.store import experlist, layout
from tagrun.store.run_ref import RunRef


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "a 'b; c"
    for name in ('t1/0', 't1/1', 't1/10', 'base/0'):
        run(root, name)
    return root


def read(root, *lines):
    listed(root, 'mine', *lines)
    return experlist.read(root, 'mine')


def test_comments_blank_lines_and_windows_line_ends_are_no_runs(root):
    found = read(root, '\ufeff# the paper\r', '\r', 't1/0\r', '   base/0   # the baseline', '\t')
    assert found == ([('t1', 0), ('base', 0)], [])


def test_a_bare_tag_or_a_star_is_all_its_runs_by_number(root):
    assert read(root, 't1').runs == [('t1', 0), ('t1', 1), ('t1', 10)]
    assert read(root, 'base/0', 't1/*').runs == [('t1', 0), ('t1', 1), ('t1', 10), ('base', 0)]


def test_what_is_listed_twice_counts_once_where_it_stands_first(root):
    assert read(root, 't1/1', 'base/0', 't1', 't1/1').runs == [
        ('t1', 1),
        ('base', 0),
        ('t1', 0),
        ('t1', 10),
    ]


def test_a_bad_line_is_told_with_its_number_and_the_others_count(root):
    found = read(root, 't1/0', 't1/abc', 't9', 't1/7', 'base/0')
    assert found.runs == [('t1', 0), ('base', 0)]
    assert [(bad.number, bad.text) for bad in found.bad] == [(2, 't1/abc'), (3, 't9'), (4, 't1/7')]
    assert "'abc' is not a run's number" in found.bad[0].reason
    assert found.bad[1].reason == 't9 has no run here'


@pytest.mark.parametrize(
    'line',
    [
        '../../etc/0',
        '/abs/0',
        't1/0/../../..',
        '..',
        '.',
        '/',
        't1/',
        't1/-1',
        't1/00',
        't1/٣',
        '$(touch PWNED)/0',
        '~/0',
        '-rf/0',
        't1\x00/0',
        't1/0\x00',
        '\x1b]52;c;x\x07/0',
        'x' * (1 << 20),
        '*',
        '*/0',
        't1/1e3',
        'link/0',
        'base/1',
        'linked/0',
    ],
)
def test_a_hostile_line_names_no_run(root, tmp_path, line):
    outside = tmp_path / 'outside' / '0'
    outside.mkdir(parents=True)
    os.symlink(outside.parent, layout.result(root) / 'link')  # a tag that lies elsewhere
    os.symlink(outside, layout.result(root) / 'base' / '1')  # a run that does
    found = read(root, line, 't1/0')
    assert found.runs == [('t1', 0)]
    assert [bad.number for bad in found.bad] == [1]
    assert found.bad[0].reason and len(found.bad[0].text) < 100


def test_a_torn_or_undecodable_line_costs_only_itself(root):
    path = listed(root, 'mine', 'base/0')
    path.write_bytes(path.read_bytes() + b'\xff\xfe\n' + b't1/0\nt1')
    assert experlist.read(root, 'mine').runs == [('base', 0), ('t1', 0), ('t1', 1), ('t1', 10)]
    path.write_bytes(b'base/0\nt1/')
    assert experlist.read(root, 'mine').runs == [('base', 0)]


def test_what_is_added_is_not_added_again_however_the_list_names_it(root):
    listed(root, 'mine', 't1/0  # my best', 'base')
    assert experlist.add(root, 'mine', [('t1', 0), ('base', 0), ('t1', 1), ('t1', 1)]) == [
        ('t1', 1)
    ]
    assert layout.list_file(root, 'mine').read_text() == 't1/0  # my best\nbase\nt1/1\n'


def test_a_line_without_an_end_is_ended_before_another_is_added(root):
    layout.list_file(root, 'mine').write_text('t1/0')
    experlist.add(root, 'mine', [('base', 0)])
    assert layout.list_file(root, 'mine').read_text() == 't1/0\nbase/0\n'


def test_the_default_set_is_record_where_it_is_there(root):
    assert experlist.default(root) == 'finished'
    listed(root, 'record', 't1/0')
    assert experlist.default(root) == 'record'
    assert experlist.sets(root) == ['finished', 'record']
    assert experlist.default(root / 'nowhere') is None


def test_many_runs_are_named_in_few_letters():
    assert experlist.compact([('a', 0), ('a', 2), ('a', 1), ('b', 3), ('a', 7)]) == 'a/0-2,7 b/3'


def test_a_growing_list_gets_each_run_once(root):
    growing = experlist.Growing(root, 'grown')
    for number in (0, 1, 0):
        growing.add(RunRef('t1', number))
    assert layout.list_file(root, 'grown').read_text() == 't1/0\nt1/1\n'
