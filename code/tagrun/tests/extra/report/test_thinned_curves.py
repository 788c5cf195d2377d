"""Curves of the page: their order, and what thinning leaves."""

import math

from tagrun.extra.report import thinned_curves


def rows(**columns):
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def test_the_phases_of_a_metric_stand_together_and_the_monitored_one_first():
    history = [
        dict.fromkeys(('epoch', 'train/loss', 'train/acc', 'lr', 'val/loss', 'val/acc', 'seconds'))
    ]
    assert thinned_curves.curve_names([history, []], 'val/acc') == [
        'val/acc',
        'train/acc',
        'train/loss',
        'val/loss',
        'lr',
    ]
    assert thinned_curves.curve_names([history], None)[0] == 'train/loss'


def test_a_curve_from_epoch_one_on_is_its_values_alone():
    history = rows(epoch=['1', '2', '3'], acc=['0.5', 'nan', '0.123456'], none=['', 'x', 'inf'])
    assert thinned_curves.of_run(history, ['acc', 'none', 'gone'], 600) == [
        [0.5, None, 0.1235],
        None,
        None,
    ]


def test_other_epochs_stand_beside_the_values_and_wrong_ones_are_counted():
    history = rows(epoch=['10', '20.5'], acc=['1', '2'])
    assert thinned_curves.of_run(history, ['acc'], 600) == [[[10, 20.5], [1.0, 2.0]]]
    history = rows(epoch=['2', '1'], acc=['1', '2'])
    assert thinned_curves.of_run(history, ['acc'], 600) == [[1.0, 2.0]]


def test_a_run_without_a_curve_has_none():
    assert thinned_curves.of_run([], ['acc'], 600) is None
    assert thinned_curves.of_run(rows(epoch=['1'], acc=['x']), ['acc'], 600) is None


def test_thinning_keeps_the_ends_and_the_peaks():
    values = [math.sin(place) for place in range(10_000)]
    values[5_000], values[7_001], values[3] = 99.0, -99.0, None
    places = thinned_curves.thinned(values, 100)
    assert len(places) <= 102 and {0, 9_999, 5_000, 7_001} <= set(places) and 3 not in places
    history = [{'epoch': str(place + 1), 'acc': str(value)} for place, value in enumerate(values)]
    ((epochs, drawn),) = thinned_curves.of_run(history, ['acc'], 100)
    assert len(epochs) == len(drawn) and drawn[epochs.index(5_001)] == 99.0
