"""The legend: what stands in it, and the room that it takes."""

import math

from figures import legend as texts_of

from tagrun.extra.plot import curves, legend, looks


def curve(*values, runs=1, smooth=1):
    return curves.curve([curves.points(enumerate(values))] * runs, smooth)


def texts(panels, names, phases=('',)):
    entries = legend.of_curves(panels, names, phases, looks.looks(names, phases))
    return [text for _, text in entries]


def test_one_line_needs_no_entry():
    assert texts({'acc': {('a', ''): curve(1, 2)}}, ['a']) == []


def test_names_phases_and_marks_stand_where_they_occur():
    names, phases = ['a', 'b'], ['train', 'val']
    panels = {
        'acc': {
            ('a', 'train'): curve(1, 2, runs=2),
            ('b', 'val'): curve(1, math.nan, 3, 4, smooth=2),
        }
    }
    marks = ['mean ± std over seeds', 'before the running mean', legend.NOT_FINITE]
    assert texts(panels, names, phases) == [*names, *phases, *marks]


def test_names_beyond_the_looks_are_counted():
    names = [str(number) for number in range(looks.DISTINCT + 3)]
    panels = {'acc': {(name, ''): curve(1, 2) for name in names}}
    assert texts(panels, names)[-1] == '3 more'


def test_values_have_entries_for_several_runs_and_for_gaps():
    of_lines = looks.looks(['a'], [''])
    entries = legend.of_values([[1.0, 2.0], [math.inf]], ['a'], of_lines)
    assert [text for _, text in entries] == ['one run', 'mean ± std', 'no finite number']
    assert legend.of_values([[1.0]], ['a'], of_lines) == []


def test_a_short_legend_is_below_the_panels_and_a_long_one_beside_them():
    def size(count):
        names = [f'run number {number}' for number in range(count)]
        panels = {'acc': {(name, ''): curve(1, 2) for name in names}}
        entries = legend.of_curves(panels, names, [''], looks.looks(names, ['']))
        figure, axes = legend.figure_with(1, entries)
        assert len(axes) == 1 and texts_of(figure) == names
        return figure.get_size_inches()

    assert list(size(2)) == [6.4, 4.3]
    width, height = size(40)
    assert width > 7 and height > 6


def test_a_name_that_matplotlib_would_leave_out_stands_in_the_legend():
    names = ['_a', '_b']
    panels = {'acc': {(name, ''): curve(1, 2) for name in names}}
    entries = legend.of_curves(panels, names, [''], looks.looks(names, ['']))
    assert texts_of(legend.figure_with(1, entries)[0]) == names


def test_panels_stand_three_in_a_row():
    figure, axes = legend.figure_with(5, [])
    assert len(axes) == 5 and len(figure.axes) == 6 and not figure.axes[5].axison
