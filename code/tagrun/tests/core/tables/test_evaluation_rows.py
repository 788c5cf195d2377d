"""core/tables/evaluation_rows.py: a row for each finished evaluation of a set's runs."""

import pytest
from run_factory import HPARAM, run

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import evaluation_rows, selection, set_table
from tagrun.core.tables.selection import Selection
from tagrun.store import evaluations, statistic
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Column

RUNS = [RunRef('t1', 0), RunRef('t2', 0)]


def evaluated(root, name, metric, status='finished', **settings):
    """Make a run, if it is not there, and an evaluation of it."""
    ref = RunRef.parse(name)
    folder = ref.folder(root)
    if not folder.exists():
        run(root, name)
    number, own = evaluations.claim(folder)
    content = {
        'run': name,
        'status': status,
        'evaluation': number,
        'checkpoint': 'epoch_3.pth',
        'set': settings,
        'monitor': 'val/acc',
        'monitor_mode': 'max',
        'metric': metric,
        'hparam': {**HPARAM, **settings},
        'time': {'seconds': 0.5},
    }
    statistic.write(own, content)
    return own


def test_a_row_has_what_was_set_and_measured(root):
    evaluated(root, 't1/0', {'test/acc': 0.9})
    evaluated(root, 't1/0', {'test/acc': 0.8}, lr=0.5)
    evaluated(root, 't2/0', {'val/acc': 0.7})
    rows = evaluation_rows.load(root, 'paper', RUNS)
    names = ['t1/0/evaluation/0', 't1/0/evaluation/1', 't2/0/evaluation/0']
    assert [row.name for row in rows] == names
    assert evaluation_rows.columns(rows) == [
        evaluation_rows.CHECKPOINT,
        Column('hparam', 'lr'),
        Column('metric', 'test/acc'),
        Column('metric', 'val/acc'),
    ]
    assert [row.get(Column('hparam', 'lr')) for row in rows] == [0.01, 0.5, 0.01]
    assert rows[1].get(evaluation_rows.CHECKPOINT) == 'epoch_3.pth'
    assert rows[1].get(Column('run', 'seconds')) == 0.5


def test_what_did_not_finish_is_left_out_and_said(root, capsys):
    evaluated(root, 't1/0', {'test/acc': 0.9})
    for status in ('failed', 'running', 'interrupted'):
        evaluated(root, 't1/0', {}, status)
    evaluations.claim(RUNS[0].folder(root))
    assert len(evaluation_rows.load(root, 'paper', RUNS)) == 1
    assert '4 evaluations left out that did not finish' in capsys.readouterr().err


def test_without_one_it_says_what_makes_them(root):
    run(root, 't1/0')
    with pytest.raises(UserError, match='`tagrun evaluate @paper` makes them'):
        evaluation_rows.load(root, 'paper', RUNS)


def test_the_table_has_a_file_of_its_own_and_the_set_keeps_its(root, capsys):
    evaluated(root, 't1/0', {'test/acc': 0.9})
    evaluated(root, 't1/0', {'test/acc': 0.8}, lr=0.5)
    set_table.show(root, Selection(set='finished'))
    own = root / '__statistic__' / 'table' / 'finished.csv'
    before = own.read_bytes()
    set_table.show(root, Selection(set='finished', evaluations=True))
    assert own.read_bytes() == before
    lines = (root / '__statistic__' / 'evaluation' / 'finished.csv').read_text().splitlines()
    assert lines == [
        'expernameid,checkpoint,lr,test/acc',
        't1/0/evaluation/0,epoch_3.pth,0.01,0.9',
        't1/0/evaluation/1,epoch_3.pth,0.5,0.8',
    ]


def test_conditions_order_and_columns_work_as_for_runs(root):
    for lr, acc in ((0.1, 0.9), (0.2, 0.8), (0.3, 0.95)):
        evaluated(root, 't1/0', {'test/acc': acc}, lr=lr)
    choice = Selection(set='finished', evaluations=True, where='lr > 0.1', sort_by='acc')
    rows = selection.select(root, choice).rows
    assert [row.name[-1] for row in rows] == ['2', '1']
