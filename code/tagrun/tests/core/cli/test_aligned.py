"""core/cli/aligned.py: rows as columns for the screen."""

import sys

from tagrun.core.cli import aligned


def test_wide_letters_are_aligned_by_their_cells():
    assert aligned.cells('é') == 1 and aligned.cells('e\u0301') == 1 and aligned.cells('数据') == 4
    lines = aligned.lines(('tag', 'runs'), [('数据', '1'), ('t', '10')], right=('runs',))
    assert lines == ['tag   runs', '数据     1', 't       10']


def test_a_cell_is_on_one_line_and_drives_no_terminal():
    lines = aligned.lines(('a', 'b'), [('two\nlines\t', '\x1b[2J')])
    assert lines == ['a          b', 'two lines  \\x1b[2J']


def test_a_line_is_cut_to_the_terminal_and_whole_in_a_pipe(monkeypatch):
    rows = [('数' * 30, 'x'), ('n' * 80, 'x')]
    assert aligned.lines(('a', 'b'), rows)[2] == 'n' * 80 + '  x'
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '20')
    lines = aligned.lines(('a', 'b'), rows)
    assert lines[2] == 'n' * 19 + '…' and lines[1].endswith('数…')
    assert 19 <= aligned.cells(lines[1]) <= 20


def test_a_very_long_cell_makes_no_other_line_long():
    lines = aligned.lines(('run', 'why'), [('t1', 'short'), ('x' * 10**6, 'long')])
    assert [len(line) < 20 for line in lines] == [True, True, False]
    assert len(lines[2]) < 1100
