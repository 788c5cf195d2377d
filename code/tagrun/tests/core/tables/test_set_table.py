"""core/tables/set_table.py: the file has everything, the screen what fits."""

import csv
import io
import sys

import pytest
from run_factory import run

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import set_table
from tagrun.core.tables.selection import Selection
from tagrun.store import layout


def test_the_table_is_written_and_printed(root, capsys):
    run(root, 't1/0', metric={'val/acc': 1 / 3})
    set_table.show(root, Selection(), precision=2)
    out, err = capsys.readouterr()
    text = layout.table_file(root, 'finished').read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert float(rows[0]['val/acc']) == 1 / 3 and ' 0.33' in out and '0.333' not in out
    assert 'finished.csv' in err and err.endswith(': 1 row, 11 columns\n')


@pytest.mark.parametrize('choice', [Selection(top=1), Selection(where='lr > 0.05')])
def test_a_selection_of_rows_leaves_the_file_as_it_is(choice, root, capsys):
    run(root, 't1/0')
    run(root, 't1/1', hparam={'lr': 0.1}, metric={'val/acc': 0.9})
    set_table.show(root, Selection())
    path = layout.table_file(root, 'finished')
    before = path.read_bytes()
    capsys.readouterr()
    set_table.show(root, choice)
    out, err = capsys.readouterr()
    assert path.read_bytes() == before and '1 row, in no file: -o FILE writes them' in err
    assert 't1/1' in out and 't1/0' not in out


def test_a_long_table_is_cut_on_the_screen_alone(root, capsys, monkeypatch):
    monkeypatch.setattr(set_table, 'ROWS_SHOWN', 2)
    for number in range(3):
        run(root, f't1/{number}')
    set_table.show(root, Selection())
    out, err = capsys.readouterr()
    assert 't1/1' in out and 't1/2' not in out and 'the first 2 of 3 rows' in err
    assert 't1/2' in layout.table_file(root, 'finished').read_text()


def test_columns_that_do_not_fit_a_terminal_are_counted(root, capsys, monkeypatch):
    run(root, 't1/0')
    run(root, 't1/1', hparam={'lr': 0.1})
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '40')
    set_table.show(root, Selection())
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 40
    assert '8 columns left out to fit, 8 of them the same in all rows' in err


def test_a_name_that_the_terminal_cannot_show_is_escaped(root, monkeypatch):
    run(root, 't1/0', hparam={'größe': 'é\ud800'})
    screen = io.TextIOWrapper(io.BytesIO(), encoding='ascii')
    monkeypatch.setattr(sys, 'stdout', screen)
    set_table.show(root, Selection())
    text = screen.buffer.getvalue().decode('ascii')
    assert 'gr\\xf6\\xdfe' in text and '\\xe9' in text


def test_a_file_that_cannot_be_written_is_refused(root):
    with pytest.raises(UserError, match='cannot be written: No such file or directory'):
        set_table.write(root / 'no folder' / 'x.csv', b'')
