"""training/epoch_table.py: the rows of the epochs, at each width of a terminal."""

import pytest

from tagrun.training.epoch_history import EpochHistory
from tagrun.training.epoch_table import HEADER_EVERY, EpochTable, number

PHASES = ('train', 'val', 'test')


def metrics(value, names=('loss', 'acc'), phases=PHASES):
    return {f'{phase}/{name}': value for phase in phases for name in names}


@pytest.fixture
def history():
    return EpochHistory('val/acc', 'max')


def rows(table, history, numbers, columns=80):
    history.add(numbers, {}, seconds=0.25)
    return [row.plain for row in table.rows(history, columns)]


def test_a_header_comes_first_and_numbers_stand_below_their_names(history):
    table = EpochTable(60)
    phases, names, row = rows(table, history, metrics(0.5))
    assert row == ' 1/60   0.5000  0.5000   0.5000  0.5000   0.5000  0.5000   0.2 s  best'
    assert names == 'epoch     loss     acc     loss     acc     loss     acc    time'
    assert phases.split() == [*PHASES]
    (row,) = rows(table, history, metrics(0.25))
    assert row.startswith(' 2/60') and not row.endswith('best')


def test_the_header_comes_again_now_and_then_and_where_columns_change(history):
    table = EpochTable(None)
    counts = [len(rows(table, history, metrics(0.5))) for _ in range(HEADER_EVERY + 2)]
    assert counts == [3] + [1] * (HEADER_EVERY - 1) + [3, 1]
    assert len(rows(table, history, metrics(0.5, phases=('train',)))) == 3
    assert len(rows(table, history, metrics(0.5, phases=('train',)))) == 1


@pytest.mark.parametrize('columns', [34, 40, 60, 80, 120, 200])
@pytest.mark.parametrize('count', [1, 2, 5])
def test_every_line_fits_and_the_watched_phase_is_never_left_out(history, columns, count):
    names = ('acc', 'loss', 'f1', 'precision', 'recall')[:count]
    lines = rows(EpochTable(1000), history, metrics(0.5, names), columns)
    assert max(map(len, lines)) <= columns and 'val' in lines[0] and 'best' in lines[-1]
    assert ('test' in lines[0]) == (columns >= {1: 60, 2: 80, 5: 200}[count])


def test_phases_are_left_out_from_the_right(history):
    assert rows(EpochTable(60), history, metrics(0.5), 60)[0].split() == ['train', 'val']
    assert rows(EpochTable(60), history, metrics(0.5), 40)[0].split() == ['val']


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.95751, '0.9575'),
        (0, '0.0000'),
        (1234.5678, '1234.5678'),
        (1.2e-5, '1.20e-05'),
        (-3e12, '-3.00e+12'),
        (float('nan'), 'nan'),
        (float('inf'), 'inf'),
    ],
)
def test_a_number_is_short_and_keeps_its_digits(value, text):
    assert number(value) == text


def test_a_column_never_becomes_narrower(history):
    table = EpochTable(3)
    rows(table, history, metrics(123456.75))
    (row,) = rows(table, history, metrics(0.5))
    assert row.index('0.5000') == len(' 2/3') + 3 + len('123456.7500') - len('0.5000') + 1
