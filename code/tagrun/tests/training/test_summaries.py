"""training/summaries.py: what TensorBoard reads back of a researcher's own pictures and texts."""

import io

import numpy as np
import pytest
import torch
from matplotlib import image as images
from matplotlib.figure import Figure

from tagrun.training import summaries


def picture(summary):
    return images.imread(io.BytesIO(summary.value[0].image.encoded_image_string), format='png')


@pytest.mark.parametrize(
    'value, shape',
    [
        (torch.rand(5, 6), (5, 6)),
        (torch.rand(1, 5, 6, requires_grad=True), (5, 6)),
        (torch.rand(3, 5, 6).bfloat16(), (5, 6, 3)),
        (np.random.rand(5, 6, 4), (5, 6, 4)),
        (np.full((5, 6, 3), 7, np.int64), (5, 6, 3)),
        (np.eye(5, 6) > 0, (5, 6)),
        (np.full((5, 6), np.nan), (5, 6)),
    ],
)
def test_an_image_is_read_back(value, shape):
    assert picture(summaries.image('samples', value)).shape[:2] == shape[:2]


def test_integers_of_an_image_go_to_255_and_other_numbers_to_1():
    for value, shown in ((51, 0.2), (0.2, 0.2), (9.0, 1.0), (-1.0, 0.0)):
        drawn = picture(summaries.image('a', np.full((2, 2), value)))
        assert drawn[0, 0].max() == pytest.approx(shown, abs=0.01)


@pytest.mark.parametrize('shape', [(5,), (2, 4, 6), (1, 1, 2, 2), ()])
def test_another_shape_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match='an image is '):
        summaries.image('samples', torch.zeros(shape))


def test_a_figure_is_drawn_and_pyplot_forgets_it():
    import matplotlib

    matplotlib.use('agg')
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(2, 1), dpi=50)
    assert picture(summaries.figure('curve', figure)).shape[:2] == (50, 100)
    assert pyplot.get_fignums() == []
    assert picture(summaries.figure('curve', Figure(figsize=(1, 1), dpi=50))).shape[:2] == (50, 50)


def test_a_histogram_counts_the_finite_values():
    values = torch.tensor([1.0, 2.0, float('nan'), float('inf')], dtype=torch.bfloat16)
    drawn = summaries.histogram('weights', values).value[0].histo
    assert drawn.num == 2 and drawn.min == 1 and drawn.max == 2
    assert summaries.histogram('counts', np.arange(5)).value[0].histo.num == 5
    with pytest.raises(ValueError, match='needs a finite value'):
        summaries.histogram('weights', torch.tensor([float('nan')]))


def test_a_text_is_anything_that_can_be_printed():
    summary = summaries.text('note', {'lr': 0.1})
    assert summary.value[0].tensor.string_val == [b"{'lr': 0.1}"]


def test_a_number_is_one_number_of_any_kind():
    assert summaries.number(np.float32(0.5)) == 0.5
    assert summaries.number(torch.ones(1, 1)).ndim == 0
    for wrong in (torch.ones(2), 'a', None):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            summaries.number(wrong)
