"""Figures of curves and of values, and the files that they become."""

import matplotlib
import pytest
from figures import legend, panels

from tagrun.extra.plot import curves, picture


def curve(*values):
    return curves.curve([curves.points(enumerate(values, 1))])


def test_each_title_is_a_panel_and_one_name_is_the_heading():
    figure = picture.of_curves(
        {
            'acc': {('a', 'train'): curve(1, 2), ('a', 'val'): curve(2, 3)},
            'loss': {('a', ''): curve(1)},
        },
        ['a'],
    )
    assert list(panels(figure)) == ['acc', 'loss'] and figure.get_suptitle() == 'a'
    assert [axes.get_xlabel() for axes in panels(figure).values()] == ['epoch', 'epoch']


def test_words_on_the_axis_are_sorted_and_joined_by_no_line():
    figure = picture.of_values({'acc': [('cnn', [1.0]), ('attention', [2.0])]}, 'model', 'acc')
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ['attention', 'cnn']
    (means,) = axes.containers
    assert means[0].get_linestyle() == 'None'


def test_numbers_keep_their_places_and_axes_can_be_logarithmic():
    lines = {'a': [(0.1, [1.0, 3.0])], 'b': [(10.0, [2.0])]}
    figure = picture.of_values(lines, 'lr', 'acc', log_x=True, log_y=True)
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ('log', 'log')
    assert legend(figure) == ['a', 'b', 'one run', 'mean ± std']


@pytest.mark.parametrize('suffix', ['png', 'svg', 'pdf'])
def test_equal_figures_are_equal_bytes(tmp_path, suffix):
    for name in ('a', 'b'):
        figure = picture.of_curves({'acc': {('a', ''): curve(1, 2)}}, ['a'])
        picture.save(figure, tmp_path / f'{name}.{suffix}')
    first = (tmp_path / f'a.{suffix}').read_bytes()
    assert len(first) > 3000 and (tmp_path / f'b.{suffix}').read_bytes() == first


def test_a_matplotlibrc_changes_nothing():
    matplotlib.rcParams['lines.linewidth'] = 20
    picture.of_curves({'acc': {('a', ''): curve(1, 2)}}, ['a'])
    assert matplotlib.rcParams['lines.linewidth'] == picture.STYLE['lines.linewidth']


def test_a_folder_that_is_missing_is_an_os_error(tmp_path):
    figure = picture.of_curves({'acc': {('a', ''): curve(1, 2)}}, ['a'])
    with pytest.raises(OSError):
        picture.save(figure, tmp_path / 'none' / 'a.png')
