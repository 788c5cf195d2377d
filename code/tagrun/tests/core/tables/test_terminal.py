"""core/tables/terminal.py: which columns fit, and which are left out."""

from run_factory import run
from table_rows import rows_of

from tagrun.core.tables import terminal
from tagrun.store import table
from tagrun.store.table import Column


def test_a_narrow_terminal_has_the_monitored_metric_and_what_differs(root):
    run(root, 't1/0')
    run(root, 't1/1', hparam={'lr': 0.1}, metric={'val/acc': 0.8})
    runs = rows_of(root, 't1/0', 't1/1')
    text, left_out = terminal.fitted(table.columns(runs), runs, 4, width=34)
    assert all(len(line) <= 34 for line in text.splitlines())
    assert text.split('\n')[0].split() == ['expernameid', 'lr', 'val/acc'] and len(left_out) == 9
    text, _ = terminal.fitted(
        table.columns(runs), runs, 4, width=34, wanted=[Column('hparam', 'grad_clip')]
    )
    assert 'grad_clip' in text and 'val/acc' not in text
    assert terminal.fitted(table.columns(runs), runs, 4)[1] == []


def test_a_long_cell_is_cut_on_a_terminal_alone_and_a_number_never(root):
    run(root, 't1/0', hparam={'note': 'x' * 100, 'big': 10**40})
    runs = rows_of(root, 't1/0')
    columns = [Column('hparam', 'note'), Column('hparam', 'lr')]
    text, left_out = terminal.fitted(columns, runs, 4, width=80)
    assert 'x' * 31 + '…' in text and '0.01' in text and not left_out
    assert 'x' * 100 in terminal.fitted(columns, runs, 4)[0]


def test_a_column_that_is_the_same_in_all_rows_goes_first(root):
    run(root, 't1/0')
    run(root, 't1/1', hparam={'lr': 0.1})
    columns = [Column('hparam', 'model'), Column('hparam', 'lr')]
    _, left_out = terminal.fitted(columns, rows_of(root, 't1/0', 't1/1'), 4, width=22)
    assert left_out == [Column('hparam', 'model')]
