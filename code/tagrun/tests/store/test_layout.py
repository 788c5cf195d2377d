"""store/layout.py: where everything lies, and that an id is claimed once."""

import os
import subprocess
import sys

import pytest

from tagrun.store import layout


def test_ids_are_claimed_once_and_rise(tmp_path):
    (tmp_path / '__result__' / 't1' / 'notes').mkdir(parents=True)
    code = (
        'import sys; from tagrun.store import layout\n'
        'for _ in range(25): print(layout.claim(sys.argv[1], "t1")[0])'
    )
    env = {**os.environ, 'PYTHONPATH': str(layout.Path(layout.__file__).parents[2])}
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', code, tmp_path], env=env, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    claimed = [int(line) for process in processes for line in process.communicate()[0].split()]
    assert sorted(claimed) == list(range(200)) == layout.numbers(tmp_path, 't1')


def test_each_kind_of_file_has_its_place(tmp_path):
    code = tmp_path / 'code'
    code.mkdir()
    root = layout.root_of(code)
    assert root == tmp_path.resolve()
    assert layout.run_folder(root, 't1', 0) == root / '__result__' / 't1' / '0'
    statistic = root / '__statistic__'
    assert layout.list_file(root, 'paper') == statistic / 'exper-list' / 'paper.txt'
    assert layout.title_file(root, 'paper') == statistic / 'title' / 'paper.json'
    assert layout.table_file(root, 'paper') == statistic / 'table' / 'paper.csv'


def test_only_folders_are_tags_and_only_numbers_are_runs(tmp_path):
    assert layout.tags(tmp_path) == [] and layout.numbers(tmp_path, 't1') == []
    for name in ('t1/0', 't1/10', 't1/2', 't1/02', 't1/notes', '.hidden'):
        (tmp_path / '__result__' / name).mkdir(parents=True)
    (tmp_path / '__result__' / 'file').touch()
    (tmp_path / '__result__' / 't1' / '3').touch()
    (tmp_path / '__result__' / 'link').symlink_to('t1')
    assert layout.tags(tmp_path) == ['t1'] and layout.numbers(tmp_path, 't1') == [0, 2, 10]


def test_a_tag_that_is_a_link_has_no_runs_and_none_is_claimed(tmp_path):
    (tmp_path / 'elsewhere' / '0').mkdir(parents=True)
    (tmp_path / '__result__').mkdir()
    (tmp_path / '__result__' / 't1').symlink_to(tmp_path / 'elsewhere')
    assert layout.numbers(tmp_path, 't1') == []
    with pytest.raises(OSError, match='a link to another place'):
        layout.claim(tmp_path, 't1')


def test_an_id_is_claimed_at_or_after_the_first(tmp_path):
    assert layout.claim(tmp_path, 't1', first=5)[0] == 5
    assert layout.claim(tmp_path, 't1', first=2)[0] == 6
