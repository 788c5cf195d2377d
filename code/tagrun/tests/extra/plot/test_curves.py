"""The points of runs, their mean and spread, running means."""

import math

import pytest
from figures import legend, panels

from tagrun.extra.plot import curves


def test_seeds_are_one_line_with_mean_and_sample_deviation(project, figure):
    points = [curves.of_history(project.folder(f'five/{seed}'))['val/acc'] for seed in range(5)]
    curve = curves.curve(points)
    assert curve.mean.y == pytest.approx([0.2, 0.4, 0.6]) and curve.std[0] == pytest.approx(
        0.1 * math.sqrt(2.5)
    )
    drawn = figure('five', 'stopped', '--metric', 'acc')
    assert legend(drawn) == [
        'five/0-4  lr=0.01  (5 seeds)',
        'stopped/0  lr=0.5  (interrupted)',
        'mean ± std over seeds',
    ]
    assert len(panels(drawn)['val/acc'].collections) == 1


def test_a_running_mean_is_not_spoilt_by_one_that_is_no_number():
    points = curves.points([(x, math.nan if x == 3 else 1.0) for x in range(6)])
    assert [value for value in curves.running_mean(points, 4).y if not math.isnan(value)] == [
        1.0
    ] * 5


def test_the_points_of_a_history_are_its_numbers(tmp_path):
    (tmp_path / 'history.csv').write_text(
        'epoch,val/acc,note,seconds\n1,0.5,x,1\n,0.6,,1\n2,inf,y,1\n2,0.9,,1\n4,1e200,,1\n'
    )
    of_history = curves.of_history(tmp_path)
    assert list(of_history) == ['val/acc']
    x, y = of_history['val/acc']
    assert list(x) == [1, 2, 4] and y[:2] == pytest.approx([0.5, 0.6]) and math.isnan(y[2])


def test_a_trace_has_the_loss_of_each_step_and_no_trace_has_none(tmp_path):
    assert curves.of_trace(tmp_path) == {}
    (tmp_path / 'trace.csv').write_text(
        'epoch,step,order,batch,loss,weights\n1,1,a,b,2.5,\n1,2,a,b,nan,\n1,,,,,c\n1,3,a\n'
    )
    x, y = curves.of_trace(tmp_path)['train/loss']
    assert list(x) == [1, 2] and y[0] == 2.5 and math.isnan(y[1])


def test_a_mean_is_whole_where_all_runs_go_as_far_and_have_no_gap():
    whole = curves.points([(1, 0.5), (2, 0.6)])
    assert curves.is_whole(curves.curve([whole, whole]))
    assert not curves.is_whole(curves.curve([whole, curves.points([(1, 0.5)])]))
    assert not curves.is_whole(curves.curve([whole, curves.points([(1, 0.5), (2, math.nan)])]))
    assert curves.curve([whole]).std is None and curves.curve([whole]).raw == []
