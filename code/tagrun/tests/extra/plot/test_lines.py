"""How a curve is drawn: gaps, crosses, bands, and very long lines."""

import math

from figures import legend, panels, widths

from tagrun.extra.plot import curves, lines, picture
from tagrun.extra.plot.legend import NOT_FINITE


def test_a_band_ends_where_one_of_its_seeds_does_and_the_others_go_on_thin(project, figure):
    whole, short = (
        curves.of_history(project.folder(name))['val/acc'] for name in ('five/1', 'stopped/0')
    )
    curve = curves.curve([whole, short])
    assert list(curve.mean.x) == [1, 2]
    drawn = picture.of_curves({'acc': {('a', ''): curve}}, ['a'])
    assert widths(panels(drawn)['acc'])[:2] == [(0.7, 2), (0.7, 3)]


def test_what_is_no_number_is_a_gap_and_a_cross_where_it_began(figure):
    axes = panels(figure('diverged/0', '--metric', 'val/acc'))['val/acc']
    crosses = [line for line in axes.get_lines() if line.get_marker() == 'X']
    assert [list(line.get_xdata()) for line in crosses] == [[1, 3]]
    line = next(line for line in axes.get_lines() if line.get_linestyle() == '-')
    assert [math.isnan(value) for value in line.get_ydata()] == [False, True, False, True, True]
    dots = next(line for line in axes.get_lines() if line.get_marker() == 'o')
    assert list(dots.get_xdata()) == [1, 3]  # between two gaps a line would not be seen


def test_a_run_that_never_had_a_number_is_there_too(figure):
    drawn = figure('diverged/1', 'ten/3', '--metric', 'val/acc')
    assert NOT_FINITE in legend(drawn)
    assert any(
        line.get_marker() == 'X' and list(line.get_xdata()) == [1]
        for line in panels(drawn)['val/acc'].get_lines()
    )


def test_a_long_trace_keeps_its_peaks():
    points = curves.points(
        [(x, 100.0 if x == 777_777 else math.nan if x == 5 else 1.0) for x in range(1_000_000)]
    )
    x, y = lines.thinned(points)
    assert (
        len(x) <= lines.DRAWN
        and max(value for value in y if not math.isnan(value)) == 100
        and math.isnan(y[list(x).index(5)])
    )
