"""run_tables.py: files of a run, and tables of a set, as data frames."""

import math
import warnings

import pandas as pd
import pytest
import run_factory
from table_rows import HOSTILE

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import formats, selection, set_table
from tagrun.core.tables.selection import Selection
from tagrun.extra.loading import run_tables
from tagrun.store import history, layout

EXACT = 0.1 + 0.2  # 0.30000000000000004


def read_exactly(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # newer versions do that without being asked
        return pd.read_csv(path, float_precision='round_trip')


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / '__result__' / 't1' / '0'
    path.mkdir(parents=True)
    return path


def test_history_has_every_digit_and_no_value_where_none_was_measured(folder):
    rows = [
        {'epoch': 1, 'train/loss': EXACT, 'seconds': 0.5},
        {'epoch': 2, 'train/loss': math.inf, 'val/acc': 0.5, 'seconds': math.nan},
    ]
    history.write(folder, rows)
    frame = run_tables.history(folder)
    assert list(frame.columns) == ['epoch', 'train/loss', 'val/acc', 'seconds']
    assert frame['train/loss'].tolist() == [EXACT, math.inf]
    assert frame['val/acc'].isna().tolist() == [True, False]
    assert frame['epoch'].tolist() == [1, 2]


def trace(folder, *lines):
    text = '\n'.join(['epoch,step,order,batch,loss,weights', *lines])
    (folder / 'trace.csv').write_text(text + '\n')
    return run_tables.trace(folder)


def test_trace_has_a_row_a_step_and_digests_stay_text(folder):
    digits = f'1,1,00000012,1e100000,{EXACT!r},', '1,2,12345678,0b3f11d2,nan,', '1,,,,,9c11'
    frame = trace(folder, *digits, '2,3,0,1,2.5,', '2,4,0,1')
    assert list(frame.columns) == ['epoch', 'step', 'order', 'batch', 'loss', 'weights']
    assert frame['step'].tolist() == [1, 2, 3, 4] and frame['epoch'].tolist() == [1, 1, 2, 2]
    assert frame['order'].tolist() == ['00000012', '12345678', '0', '0']
    assert frame['batch'].tolist()[0] == '1e100000'
    assert frame['loss'].tolist()[::2] == [EXACT, 2.5] and frame['loss'].isna()[1]
    assert frame['weights'].tolist() == ['', '9c11', '', '']


def test_trace_of_several_values_has_a_column_each(folder):
    frame = trace(folder, '1,1,a,b,critic=0.5 generator=1.25,', '1,2,a,b,critic=0.75,')
    assert frame['critic'].tolist() == [0.5, 0.75]
    assert frame['generator'].isna().tolist() == [False, True]
    assert 'loss' not in frame.columns


def test_a_line_that_is_still_being_written_is_left_out(folder):
    text = 'epoch,step,order,batch,loss,weights\n1,1,a,b,0.5,\n1,2,a'
    (folder / 'trace.csv').write_text(text)
    assert len(run_tables.trace(folder)) == 1


def test_missing_files_are_one_sentence(folder):
    with pytest.raises(UserError, match='t1/0 has no trace.csv here'):
        run_tables.trace(folder)
    with pytest.raises(UserError, match='t1/0 has no history.csv that can be read: No such file'):
        run_tables.history(folder)


@pytest.fixture
def root(tmp_path, monkeypatch):
    root = tmp_path / "a 'b; c"
    for number, text in enumerate([*HOSTILE[:4], 'None', '', 'plain']):
        run_factory.run(root, f't1/{number}', {'note': text, 'lr': EXACT * number})
    run_factory.run(root, 't2/0', {'lr': None, 'deep': True}, {'val/acc': 'nan'})
    run_factory.run(root, 't2/1', {'note': 'é'}, {'val/loss': 'inf'}, status='failed')
    monkeypatch.chdir(tmp_path)
    return root


def test_a_set_is_what_pandas_reads_from_the_file_of_table(root):
    frame = run_tables.of_set(root, Selection('finished'))
    path = layout.table_file(root, 'finished')
    assert not path.exists()
    set_table.show(root, Selection('finished'))
    pd.testing.assert_frame_equal(frame, read_exactly(path))
    assert len(frame) == 9 and frame.columns[0] == 'expernameid'


@pytest.mark.parametrize(
    'choice',
    [
        Selection(),
        Selection(sort_by='lr', top=4),
        Selection(where='lr == None or val/loss == 0.61'),
    ],
)
def test_options_choose_as_those_of_table(root, choice):
    selected = selection.select(root, choice)
    path = root / 'table.csv'
    path.write_bytes(formats.to_csv(selected.columns, selected.rows))
    expected = read_exactly(path)
    frame = run_tables.of_set(root, choice)
    pd.testing.assert_frame_equal(frame, expected)
    assert len(frame) and (not choice.top or len(frame) == 4)


def test_an_unknown_set_is_one_sentence(root):
    with pytest.raises(UserError, match="there is no set 'finishd'.*Did you mean 'finished'"):
        run_tables.of_set(root, Selection('finishd'))
