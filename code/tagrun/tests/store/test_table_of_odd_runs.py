"""store/table.py: runs that are damaged, odd or hostile, and the direction of a metric."""

import math
import os

import pytest
from run_factory import run
from table_rows import ACC, loaded

from tagrun.core.tables import formats
from tagrun.store import table
from tagrun.store.table import Column


@pytest.fixture
def root(tmp_path):
    return tmp_path / "a 'b; c"


def test_columns_come_in_the_order_they_are_first_seen(root):
    run(root, 't1/0', hparam={'zeta': 1})
    run(root, 't1/1', hparam={'alpha': 1}, metric={'val/f1': 0.5})
    names = [column.name for column in table.columns(loaded(root, 't1/0', 't1/1')[0])]
    assert names[5:8] == ['torch_compile', 'zeta', 'alpha'] and names[-2:] == ['test/acc', 'val/f1']


@pytest.mark.parametrize(
    'content, reason',
    [
        ('', 'not JSON'),
        ('[]', 'not a JSON object'),
        ('{"metric": 3}', "'metric' is not an object"),
        ('[' * 100_000, 'not JSON'),
        ('{"hparam": {"n": ' + '9' * 5000 + '}}', 'not JSON'),
        (b'\xff\xfe', 'not JSON'),
    ],
)
def test_a_damaged_run_is_named_with_its_reason(root, content, reason):
    (run(root, 't1/0') / 'statistic.json').write_bytes(
        content.encode() if isinstance(content, str) else content
    )
    run(root, 't1/1')
    runs, damaged = loaded(root, 't1/0', 't1/1', 't2/0')
    assert [found.name for found in runs] == ['t1/1']
    assert [name for name, _ in damaged] == ['t1/0', 't2/0']
    assert reason in damaged[0][1] and damaged[1][1] == 'its folder is not here'


def test_a_fifo_a_folder_or_a_huge_file_in_the_place_of_a_result_holds_nothing_up(root):
    for number, make in enumerate(
        (
            os.mkfifo,
            os.mkdir,
            lambda path: os.symlink('/dev/zero', path),
            lambda path: path.write_bytes(b'') or os.truncate(path, 65 << 20),
        )
    ):
        path = run(root, f't1/{number}') / 'statistic.json'
        path.unlink()
        make(path)
    runs, damaged = loaded(root, *(f't1/{number}' for number in range(4)))
    assert not runs and len(damaged) == 4


def test_odd_content_is_kept_as_data(root):
    run(
        root,
        't1/0',
        hparam={'__proto__': 1, '': 2, '../../x': 3, 'x' * 10_000: 4, 'deep': [[[{'a': None}]]]},
        status=['odd'],
        monitor={},
        monitor_mode=3,
        seed={'a': 1},
    )
    runs, _ = loaded(root, 't1/0')
    assert table.text(runs[0].get(Column('hparam', 'deep'))) == '[[[{"a":null}]]]'
    assert formats.to_csv(table.columns(runs, table.GROUPS), runs)


def test_nan_and_infinity_are_the_floats_they_stand_for(root):
    run(root, 't1/0', metric={'val/acc': math.nan, 'val/loss': math.inf})
    runs, _ = loaded(root, 't1/0')
    assert math.isnan(runs[0].get(ACC)) and runs[0].get(Column('metric', 'val/loss')) == math.inf
    assert runs[0].get(Column('metric', 'none')) is table.MISSING


@pytest.mark.parametrize(
    'name, wanted',
    [
        ('val/acc', 'max'),
        ('train/acc', 'max'),
        ('val/loss', 'min'),
        ('test/top5_error', 'min'),
        ('val/rmse', 'min'),
        ('val/terrain', 'max'),
        ('val/power', 'max'),
        ('val/f1', 'max'),
        ('val/ppl', 'min'),
        ('val/perceptual-loss', 'min'),
    ],
)
def test_which_values_are_better_goes_by_the_monitored_metric_and_by_names(root, name, wanted):
    run(root, 't1/0')
    assert table.direction(loaded(root, 't1/0')[0], Column('metric', name)) == wanted


def test_a_monitored_metric_goes_by_the_runs_own_mode(root):
    run(root, 't1/0', monitor='val/acc', monitor_mode='min')
    assert table.direction(loaded(root, 't1/0')[0], Column('metric', 'test/acc')) == 'min'
