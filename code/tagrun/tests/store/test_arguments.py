"""Which names of config.py are arguments, and whether they are those that were asked for."""

import types

import numpy as np
import pytest

from tagrun.store import arguments


def module(source):
    config = types.ModuleType('config')
    exec(source, vars(config))
    return arguments.of_module(config, source)


def test_numbers_of_numpy_are_recorded_as_pythons():
    values = module(
        'import numpy as np\na = np.int64(3)\nb = np.float32(0.5)\nc = np.array(7)\n'
        'd = np.prod([2, 3])\ne = np.bool_(True)\n'
    )
    assert [(type(value), value) for value in values.values()] == [
        (int, 3),
        (float, 0.5),
        (int, 7),
        (int, 6),
        (bool, True),
    ]


@pytest.mark.parametrize(
    'line, name',
    [
        ('a = {3}', 'a is a set'),
        ('a, b = 1, object()', 'b is a object'),
        ('[a, *b] = 1, {2}', 'b is a list'),
        ('a = 1\nb: object = b"x"', 'b is a bytes'),
        ('globals().update(c=1j)', 'c is a complex'),
        ('a = {1: 2}', 'a is a dict'),
    ],
)
def test_a_value_of_ones_own_that_json_cannot_record_is_named(line, name):
    with pytest.raises(TypeError, match=f'^{name}; numbers'):
        module(line)


@pytest.mark.parametrize('line', ['seed = 1', 'seed: int = 1', 'globals().update(seed=3)'])
def test_a_seed_is_refused_with_where_it_belongs(line):
    with pytest.raises(TypeError, match='code/seed .echo 42 > code/seed., and `run -f`'):
        module(line)


def test_a_function_called_seed_is_not_a_seed():
    assert module('from random import seed') == {}


def test_what_is_bound_by_the_way_is_not_an_argument():
    source = 'import io\nfor part in [{1}]:\n    pass\nwith io.StringIO() as file:\n    pass\n'
    assert module(source) == {}
    assert module('from io import *\nlr = 0.1\n')['lr'] == 0.1


def test_what_differs_is_named_with_what_there_is():
    have = {'lr': 0.1, 'phases': ('a', 'b'), 'steps': 3, 'deep': None}
    assert arguments.differing(have, {'lr': 0.1, 'phases': ['a', 'b'], 'steps': 3.0}) == {}
    wanted = {'lr': 0.2, 'phases': ['b'], 'gone': 1, 'deep': None}
    assert arguments.differing(have, wanted) == {'lr': 0.1, 'phases': ('a', 'b'), 'gone': None}
    assert np.isnan(arguments.differing({'a': float('nan')}, {'a': 1})['a'])


@pytest.mark.parametrize(
    'line', ['epochs = 0', 'batch_size = 0', 'epochs = -1', 'grad_accum_steps = 0', 'patience = -1']
)
def test_a_number_below_the_least_is_refused(line):
    name, _, value = line.split()
    with pytest.raises(ValueError, match=f'{name} is {value}: it must be [01] or more'):
        module(line)


@pytest.mark.parametrize('line', ['epochs = None', 'batch_size = [8, 16]', 'eval_interval = 0'])
def test_other_kinds_of_value_are_the_researchers_own(line):
    assert module(line)


def test_nan_epochs_are_refused():
    with pytest.raises(ValueError, match='epochs is nan'):
        module("epochs = float('nan')")
