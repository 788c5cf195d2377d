"""The data of the page: a run's row, and how much room each run has."""

import json

import pytest
from report_pages import make_run

from tagrun.core.git.repository import Repository
from tagrun.extra.report import page_data
from tagrun.extra.report.run_files import RunFiles
from tagrun.store import table
from tagrun.store.table import Column


def load(project, *names):
    return table.load(project.root, [name.split('/') for name in names])[0]


@pytest.fixture
def pair(stubbed):
    """Two runs that differ in lr, one of them without a curve."""
    make_run(
        stubbed,
        't/0',
        metric={'val/acc': 0.5, 'val/loss': 'inf'},
        hparam={'lr': 0.1, 'model': 'cnn'},
        message='it ended',
    )
    make_run(stubbed, 't/1', metric={'val/acc': 0.9}, hparam={'lr': 0.2, 'model': 'cnn'})
    make_run(stubbed, 't/2', hparam={'model': 'cnn'}, files={'history.csv': ''})
    return stubbed, load(stubbed, 't/0', 't/1', 't/2')


def test_a_row_has_the_values_of_its_run(pair):
    project, runs = pair
    columns = [Column('run', 'status'), Column('hparam', 'lr')]
    data = page_data.gather(project.root, None, runs, columns)
    first = data['runs'][0]
    assert first['cells'] == ['finished', 0.1] and first['kind'] == 'finished'
    assert dict(zip(data['metrics'], first['best'], strict=True))['val/loss'] == 'inf'
    assert data['texts'][first['message']] == 'it ended'
    assert data['runs'][2]['args'][data['args'].index('lr')] is None
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_the_best_runs_with_curves_are_shown_at_first(pair):
    project, runs = pair
    data = page_data.gather(project.root, None, runs, [])
    assert data['top'] == [1, 0] and data['runs'][2]['curves'] is None
    assert data['monitor'] == 'val/acc' and data['curves'] == ['val/acc']


def test_a_label_has_the_arguments_in_which_runs_differ(pair):
    project, runs = pair
    data = page_data.gather(project.root, None, runs, [])
    assert [row['label'] for row in data['runs']] == ['lr=0.1', 'lr=0.2', '']


def test_the_message_of_a_tag_is_shown_and_one_that_says_only_its_name_is_not(stubbed):
    stubbed.tagrun('run', 'asked', '-m', 'Does it learn?')
    stubbed.git('tag', '-a', '-m', 'run plain', 'plain')
    make_run(stubbed, 'plain/0')
    runs = load(stubbed, 'asked/0', 'plain/0')
    data = page_data.gather(stubbed.root, Repository.at(stubbed.root), runs, [])
    asked, plain = data['runs']
    assert data['texts'][asked['why']].startswith('Does it learn?') and plain['why'] is None
    assert asked['patches'] and {'message', 'made from'} & {label for label, _ in asked['facts']}


@pytest.mark.parametrize(
    'count, curves, log, points',
    [(0, 0, 16_384, 600), (1, 5, 16_384, 600), (1000, 4, 1572, 50), (10_000, 60, 1000, 24)],
)
def test_runs_share_the_room_of_the_page(count, curves, log, points):
    files = {str(number): RunFiles({}, {}, [], (None, {}), {}) for number in range(count)}
    assert page_data.limits(files, curves) == (log, points, True)


def test_many_large_confusion_matrices_are_left_out():
    matrix = (['a'] * 100, [[1] * 100] * 100)
    files = {str(number): RunFiles({}, {}, [], (1, {'m': matrix}), {}) for number in range(41)}
    assert not page_data.limits(files, 1).matrices
    files.pop('0')
    assert page_data.limits(files, 1).matrices
