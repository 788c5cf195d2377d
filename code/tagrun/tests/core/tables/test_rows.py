"""core/tables/rows.py: a Group is a row with means."""

import math

import pytest
from run_factory import run
from table_rows import ACC, rows_of

from tagrun.core.tables import rows
from tagrun.core.tables.rows import Group
from tagrun.store.table import MISSING, Column, Mean


@pytest.fixture
def runs(root):
    run(root, 't1/0', metric={'val/acc': 0.5})
    run(root, 't1/1', metric={'val/acc': 0.7}, hparam={'lr': 0.1})
    return rows_of(root, 't1/0', 't1/1')


def test_a_group_has_the_mean_of_the_runs_that_count(runs):
    assert Group(runs, runs, 2).get(ACC) == (0.6, pytest.approx(0.141421, abs=1e-6), 2, False)
    assert Group(runs, runs[:1], 2).get(ACC) == Mean(0.5, None, 1, True)


def test_a_metric_that_no_run_has_is_missing_and_one_to_come_is_marked(runs):
    none = Column('metric', 'none')
    assert Group(runs, runs, 2).get(none) is MISSING
    to_come = Group(runs, [], 2).get(none)
    assert math.isnan(to_come.mean) and to_come.count == 0 and to_come.incomplete


def test_a_value_that_is_not_shared_is_missing(runs):
    group = Group(runs, runs, 2)
    assert group.get(Column('hparam', 'model')) == 'cnn'
    assert group.get(Column('hparam', 'lr')) is MISSING


def test_a_group_is_named_by_its_runs_and_the_rows_are_of_one_kind(runs):
    group = Group(runs, runs, 2)
    assert group.name == 't1/0-1'
    assert rows.is_grouped([group]) and not rows.is_grouped(runs) and not rows.is_grouped([])
    assert rows.runs_of([group]) == rows.runs_of(runs) == runs


@pytest.mark.parametrize(
    'values, mean, std',
    [
        ([2.0], 2.0, None),
        ([1.0, 3.0], 2.0, math.sqrt(2)),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([1e308, -1e308], math.nan, math.nan),
    ],
)
def test_mean_and_std_are_those_of_a_sample(values, mean, std):
    assert rows.mean_and_std(values) == pytest.approx((mean, std), nan_ok=True)
