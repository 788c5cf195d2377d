"""The vertical axis."""

import math

from figures import panels
from matplotlib.figure import Figure

from tagrun.extra.plot import curves, lines, looks, scales


def test_an_explosion_presses_nothing_flat_and_is_told(figure):
    axes = panels(figure('diverged/2', 'ten/3', '--metric', 'val/loss'))['val/loss']
    assert axes.get_ylim()[1] < 4 and [text.get_text() for text in axes.texts] == [
        'cut off: up to 1e+30'
    ]
    assert not panels(figure('diverged/2', '--metric', 'val/loss', '--log'))['val/loss'].texts


def scaled(*values, log=False):
    """The axes of one curve with these values, scaled."""
    axes = Figure().subplots()
    curve = curves.curve([curves.points(enumerate(values))])
    lines.draw_curve(axes, curve, looks.looks(['a'], [''])['a', ''], True)
    scales.scale(axes, [curve], log)
    return axes


def test_a_logarithmic_axis_says_how_many_values_it_leaves_out():
    axes = scaled(1.0, 0.0, -2.0, 100.0, log=True)
    assert axes.get_yscale() == 'log'
    assert [text.get_text() for text in axes.texts] == [
        'left out: 2 of 4 values, which are not above 0'
    ]


def test_both_directions_are_cut_off_and_a_curve_of_zeros_is_not():
    axes = scaled(1.0, 2.0, 1.5, 1.0, 1e9, -1e9)
    assert [text.get_text() for text in axes.texts] == ['cut off: up to 1e+09, down to -1e+09']
    assert axes.get_ylim()[1] < 3
    assert not scaled(0.0, 0.0, 0.0, 5.0).texts
    assert not scaled(math.nan, math.inf).texts
