"""store/table.py: rows and columns from many statistic.json."""

import math

import pytest
from run_factory import run

from tagrun.store import layout, lock, statistic, table
from tagrun.store.table import Column

ACC = Column('metric', 'val/acc')


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "a 'b; c"
    run(root, 't1/0', {'lr': 0.1, 'only': [1]}, {'val/acc': 'nan'})
    run(root, 't1/1', {'lr': 0.2}, {'val/acc': 0.5, 'val/f1': 1.0})
    return root


def rows(root, *numbers):
    return table.load(root, [('t1', number) for number in numbers])[0]


def test_a_row_has_its_values_and_its_ref(root):
    first, second = rows(root, 0, 1)
    assert first.name == 't1/0' and first.ref == ('t1', 0) and first.runs == [first]
    assert math.isnan(first.get(ACC)) and second.get(ACC) == 0.5
    assert first.get(Column('metric', 'val/f1')) is table.MISSING
    assert first.get(Column('run', 'seconds')) == 12.5
    assert (first.monitor, first.monitor_mode) == ('val/acc', 'max')


def test_a_run_that_cannot_be_read_has_a_reason_and_the_others_are_rows(root):
    layout.run_folder(root, 't1', 2).mkdir()
    layout.run_folder(root, 't1', 3).mkdir()
    held = lock.Lock(layout.run_folder(root, 't1', 3))
    (layout.run_folder(root, 't1', 0) / statistic.NAME).write_text('{')
    runs, damaged = table.load(root, [('t1', number) for number in range(5)])
    held.release()
    assert [row.name for row in runs] == ['t1/1']
    assert [name for name, _ in damaged] == ['t1/0', 't1/2', 't1/3', 't1/4']
    reasons = [reason for _, reason in damaged]
    assert reasons[0].startswith('statistic.json: not JSON')
    assert reasons[1:] == [
        'it wrote no statistic.json: its training never began',
        'it has just started',
        'its folder is not here',
    ]


def test_columns_are_those_of_any_run_in_first_seen_order(root):
    columns = table.columns(rows(root, 0, 1))
    assert columns[-1] == Column('metric', 'val/f1') and Column('hparam', 'only') in columns
    assert table.columns(rows(root, 0), ('run',))[0] == Column('run', 'tag')
    assert table.columns([]) == []


def test_a_missing_value_is_a_difference(root):
    both = rows(root, 0, 1)
    assert table.differs(both, Column('hparam', 'lr'))
    assert table.differs(both, Column('hparam', 'only'))
    assert not table.differs(both, Column('hparam', 'model'))
    assert not table.differs(both[:1], Column('hparam', 'lr')) and not table.differs([], ACC)


def test_a_value_is_shown_in_full():
    assert table.text(0.1 + 0.2) == '0.30000000000000004' and table.text(None) == 'None'
    assert table.text([1, {'a': 'é'}]) == '[1,{"a":"é"}]' and table.text(table.MISSING) == ''


def test_the_monitored_metric_is_that_of_most_runs(root):
    for number in (2, 3):
        run(root, f't1/{number}', monitor='val/loss', monitor_mode='min')
    run(root, 't1/4', monitor=['odd'])
    assert table.monitored(rows(root, 0, 2, 3, 4)) == 'val/loss'
    assert table.monitored(rows(root, 4)) is None


def test_the_better_direction_goes_by_the_runs_and_then_by_the_name(root):
    run(root, 't1/2', monitor='val/acc', monitor_mode='min')
    assert table.direction(rows(root, 2), Column('metric', 'train/acc')) == 'min'
    assert table.direction(rows(root, 2), Column('metric', 'val/f1')) == 'max'
    assert table.direction([], Column('metric', 'val/top5_error')) == 'min'
    assert table.direction([], Column('hparam', 'lr')) is None


def test_a_row_of_an_older_run_monitors_what_it_watched(root):
    folder = layout.run_folder(root, 't1', 0)
    content = statistic.read(folder)
    content['watch'], content['mode'] = content.pop('monitor'), content.pop('monitor_mode')
    statistic.write(folder, content)
    assert rows(root, 0)[0].monitor == 'val/acc' and rows(root, 0)[0].monitor_mode == 'max'


def test_what_a_run_took_from_others_is_a_column_and_hostile_text_is_not(root):
    source = {'file': 'epoch_3.pth', 'sha256': 'a' * 64, 'what': 'weights'}
    run(root, 't1/2', inputs={'pre/0': source})
    run(root, 't1/3', inputs=['pre/0'])
    runs = rows(root, 0, 2, 3)
    column = Column('run', 'inputs')
    cells = [each.get(column) for each in runs]
    assert cells == [table.MISSING, 'pre/0:epoch_3.pth', table.MISSING]
    assert [bool(each.inputs) for each in runs] == [False, True, False]
