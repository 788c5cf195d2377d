"""training/epoch_history.py: the epochs' metrics, the best epoch, early stopping."""

import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from saved_checkpoints import reloaded

from tagrun.training.epoch_history import EpochHistory, columns


@pytest.mark.parametrize(
    'mode, values, best',
    [
        ('max', [0.1, 0.5, 0.5, 0.4], 2),
        ('min', [3, 2, 2, 5], 2),
        ('max', [math.nan, 0.1, math.nan], 2),
        ('max', [math.nan, math.nan], 0),
        ('max', [-math.inf, -5], 2),
    ],
)
def test_the_best_epoch_is_the_first_of_the_best_and_never_a_nan(mode, values, best):
    history = EpochHistory('val/acc', mode)
    for value in values:
        history.add({'val/acc': value, 'lr': 1}, {}, 1.0)
    assert history.best_epoch == best
    assert (history.at(best) == {'val/acc': values[best - 1]}) if best else (history.at(0) == {})


def test_patience_runs_out_after_so_many_epochs_without_a_better_one():
    history = EpochHistory('val/acc', 'max', patience=2)
    answers = [
        history.add({'val/acc': value}, {}, 1.0) or history.out_of_patience()
        for value in (0.5, 0.4, 0.3)
    ]
    assert answers == [True, False, True]


def test_a_history_comes_back_from_a_checkpoint():
    history = EpochHistory('val/acc', 'max')
    for value in (0.5, 0.6):
        history.add({'val/acc': value}, {'val/confusion': torch.eye(2)}, 1.0)
    other = EpochHistory('val/acc', 'max')
    other.load_state_dict(reloaded(history.state_dict()))
    assert other.rows == history.rows and other.best_epoch == 2 and list(other.matrices)
    assert other.state_dict()['rows'] == history.state_dict()['rows']


def test_the_matrices_are_those_of_the_best_epoch():
    history = EpochHistory('val/acc', 'max')
    for number, value in enumerate((0.5, 0.9, 0.7), 1):
        history.add({'val/acc': value}, {'val/confusion': torch.eye(2) * number}, 1.0)
    assert history.matrices['val/confusion'][0, 0] == 2


def test_without_the_monitored_metric_no_epoch_is_the_best():
    history = EpochHistory('val/f1', 'max')
    assert not history.add({'val/acc': 0.5}, {}, 1.0) and history.best_epoch == 0


def test_a_direction_that_is_neither_min_nor_max_is_refused():
    with pytest.raises(ValueError, match="monitor_mode is 'up'; 'min' or 'max'"):
        EpochHistory('val/acc', 'up')


# --- what an epoch's metrics become --------------------------------------------------------------


def columns_of(value, classes=None):
    return columns({'val': {'m': value}}, {'val': classes})


@pytest.mark.parametrize(
    'value',
    [2, 2.0, np.float16(2), np.int8(2), np.longdouble(2), np.array(2), np.array([2.0]), Fraction(2)]
    + [Decimal(2), torch.tensor(2), torch.tensor([2.0]), torch.ones(1, 1, 1) * 2]
    + [torch.tensor(2.0, dtype=torch.bfloat16), torch.tensor(2.0, requires_grad=True)]
    + [torch.tensor(2.0).to_sparse(), np.array(2, '>f4'), np.array(2, 'g')],
)
def test_a_number_of_any_kind_is_a_column(value):
    numbers, matrices, refused = columns_of(value)
    assert numbers == {'val/m': 2.0} and type(numbers['val/m']) is float
    assert not matrices and not refused


def test_booleans_and_numbers_without_a_value_are_columns_too():
    assert columns_of(np.bool_(True)).numbers == columns_of(True).numbers == {'val/m': 1.0}
    assert math.isnan(columns_of(np.float32('nan')).numbers['val/m'])


@pytest.mark.parametrize(
    'value',
    [np.array([0.5, 1, 0]), torch.tensor([0.5, 1, 0]), np.array([0.5, 1, 0], '>f8')]
    + [np.array([0.5, 1, 0], 'g'), torch.tensor([0.5, 1, 0]).bfloat16(), np.float32([0.5, 1, 0])],
)
def test_a_1d_metric_is_a_column_for_each_class(value):
    named = columns_of(value, ['cat', 'dog', 'cow']).numbers
    assert named == {'val/m/cat': 0.5, 'val/m/dog': 1.0, 'val/m/cow': 0.0}
    for classes in (None, ['a', 'b'], ['a', 'a', 'b']):
        assert list(columns_of(value, classes).numbers) == ['val/m/0', 'val/m/1', 'val/m/2']


@pytest.mark.parametrize(
    'value',
    [torch.eye(3), np.eye(3), np.eye(3, dtype=int), np.eye(3, dtype='>i4'), np.eye(3, dtype=bool)]
    + [
        np.asmatrix(np.eye(3)),
        np.eye(3)[::-1, ::-1],
        np.eye(3, dtype='g'),
        torch.eye(3).to_sparse(),
    ],
)
def test_a_square_matrix_of_any_kind_is_a_heatmap(value):
    numbers, matrices, refused = columns_of(value)
    assert matrices['val/m'].tolist() == np.eye(3).tolist() and not numbers and not refused
    assert reloaded(matrices['val/m']).equal(matrices['val/m'])


def test_a_matrix_is_a_copy_that_a_later_epoch_does_not_change():
    for matrix in (torch.eye(2), np.eye(2)):
        kept = columns_of(matrix).matrices['val/m']
        matrix[:] = 5
        assert kept.tolist() == [[1, 0], [0, 1]]


def test_what_is_masked_is_not_a_number():
    numbers = columns_of(np.ma.array([1, 2], mask=[False, True])).numbers
    assert numbers['val/m/0'] == 1 and math.isnan(numbers['val/m/1'])


@pytest.mark.parametrize(
    'value, kind',
    [
        (None, 'NoneType'),
        ('0.5', 'str'),
        ([0.5, 0.2], 'list'),
        ({'f1': 0.5}, 'dict'),
        (1j, 'complex'),
        (10**400, 'int'),
        (np.complex64(1), 'complex64'),
        (np.datetime64('2020'), 'datetime64'),
        (object(), 'object'),
        (np.ones((2, 3)), r'ndarray of float64 and shape \(2, 3\)'),
        (torch.ones(2, 3), r'Tensor of torch.float32 and shape \(2, 3\)'),
        (torch.ones(2, 2, 2), r'Tensor of torch.float32 and shape \(2, 2, 2\)'),
        (torch.ones(0), r'Tensor of torch.float32 and shape \(0,\)'),
        (torch.ones(0, 0), r'Tensor of torch.float32 and shape \(0, 0\)'),
        (torch.ones(5000), r'Tensor of torch.float32 and shape \(5000,\)'),
        (torch.ones(2) * 1j, r'Tensor of torch.complex64 and shape \(2,\)'),
        (torch.ones(2, device='meta'), r'Tensor of torch.float32 and shape \(2,\)'),
        (np.array(['a', 'b']), r'ndarray of <U1 and shape \(2,\)'),
    ],
)
def test_what_is_no_metric_is_named_with_phase_and_shape_and_all_else_stays(value, kind):
    numbers, matrices, refused = columns({'val': {'m': value, 'acc': 0.5}}, {})
    assert numbers == {'val/acc': 0.5} and not matrices
    assert len(refused) == 1 and re.fullmatch(rf'val/m is a {kind}', refused[0])


def test_a_phase_that_returned_no_dict_is_named():
    numbers, _, refused = columns({'train': None, 'val': {'acc': 1}}, {})
    assert numbers == {'val/acc': 1.0} and 'train is a NoneType, and not a dict' in refused[0]
