"""training/values.py: what is saved can be loaded, and comes back as it was; all else is refused,
by its path, when it is saved.
"""

import collections
import datetime
import decimal
import enum
import os
import random
import types

import numpy as np
import pytest
import torch
from project_factory import make_project
from random_values import build, equal
from torch import nn

from tagrun.store import checkpoints as stored
from tagrun.training import checkpoint, values
from tagrun.training.checkpoint import Background, Checkpoints

Point = collections.namedtuple('Point', 'x y')
Level = enum.IntEnum('Level', 'LOW HIGH')


class Name(str):
    """A string that would come back as a plain one."""


class Table(dict):
    """A dict that would come back as a plain one."""


def back(folder, **state):
    """Return what a checkpoint gives back of these attributes of a state."""
    saver = Checkpoints(folder, Background(), keep_last=1, keep_every=0)
    saver.save('epoch_1.pth', {'state': {'model': {}, **state}})
    saver.background.wait()
    return checkpoint.load(folder, 'epoch_1.pth')['state']


def test_200_random_states_come_back_equal_or_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'fsync', lambda _: None)  # which a power failure alone can tell
    saver, refused = Checkpoints(tmp_path, Background(), keep_last=1, keep_every=0), 0
    for seed in range(200):
        state, has_bad = build(random.Random(seed))
        state['model'] = {'w': torch.full((3,), float(seed))}
        try:
            saver.save(f'epoch_{seed}.pth', {'state': state})
        except TypeError as error:
            refused += 1
            assert has_bad, (seed, error)
            check_refusal(state, str(error))
        else:
            assert not has_bad, seed
            values.check(state)
            saver.background.wait()
            loaded = checkpoint.load(tmp_path, f'epoch_{seed}.pth')['state']
            assert equal(state, loaded), seed
            newest = state
    assert 40 < refused < 160
    name = stored.newest(tmp_path)
    assert equal(newest, checkpoint.load(tmp_path, name)['state'])


def check_refusal(state, message):
    """The path in a message leads to what is refused, and a check at the start says the same."""
    path, _, reason = message.partition(' is a ')
    value = eval(path, {'state': types.SimpleNamespace(**state)})
    assert type(value).__name__ in reason.split(':')[0], message
    with pytest.raises(TypeError) as caught:
        values.check(state)
    assert str(caught.value) == message


REFUSED = {
    'datetime64': (np.datetime64('2020'), 'numpy.datetime64'),
    'timedelta64': (np.timedelta64(1, 's'), 'numpy.timedelta64'),
    'long double': (np.longdouble(1), 'numpy.longdouble'),
    'void': (np.zeros(1, 'i4,f4')[0], 'numpy.void'),
    'array of objects': (np.array([None, 1]), 'numpy.ndarray of object'),
    'array of strings': (np.array(['a']), 'numpy.ndarray of <U1'),
    'array of dates': (np.array(['2020'], 'M8[D]'), r'numpy.ndarray of datetime64\[D\]'),
    'matrix': (np.asmatrix(np.eye(2)), 'numpy.matrix'),
    'masked array': (np.ma.array([1, 2], mask=[0, 1]), 'numpy.ma.MaskedArray'),
    'named tuple': (Point(1, 2), r'\S*test_values.Point'),
    'enum': (Level.LOW, r'\S*test_values.Level'),
    'str subclass': (Name('a'), r'\S*test_values.Name'),
    'dict subclass': (Table(a=1), r'\S*test_values.Table'),
    'defaultdict': (collections.defaultdict(list), 'collections.defaultdict'),
    'deque': (collections.deque([1]), 'collections.deque'),
    'frozenset': (frozenset([1]), 'frozenset'),
    'decimal': (decimal.Decimal(1), 'decimal.Decimal'),
    'date': (datetime.date(2020, 1, 1), 'datetime.date'),
    'function': (len, 'builtin_function_or_method'),
    'object': (object(), 'object'),
    'range': (range(3), 'range'),
    'optimizer': (torch.optim.SGD([torch.zeros(1)], 0.1), 'torch.optim.sgd.SGD'),
    'dtype of NumPy': (np.dtype('f4'), r'numpy.dtypes?\S*Float32DType|numpy.dtype'),
}


@pytest.mark.parametrize('kind', REFUSED)
def test_what_would_not_come_back_is_refused_by_its_path(kind):
    value, name = REFUSED[kind]
    for attempt in (values.check, values.copied):
        with pytest.raises(TypeError, match=rf'^state\.returns\[2\] is a {name}.*: a checkpoint'):
            attempt({'returns': [0, 1, value]})
        with pytest.raises(TypeError, match=rf"^state\.a\['b'\]\[0\] is a {name}"):
            attempt({'a': {'b': (value,)}})


@pytest.mark.parametrize(
    'value, words',
    [
        (1 << 2039, 'an integer of more than 255 bytes'),
        (b'', 'empty bytes'),
        (np.bytes_(b''), 'empty bytes'),
        (torch.zeros(2, device='meta'), 'on meta'),
        (torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]), 'nested'),
        (torch.eye(2).to_mkldnn(), 'mkldnn'),
        (torch.empty(2, dtype=torch.uint3), 'torch.uint3'),
        (torch.masked.masked_tensor(torch.ones(2), torch.ones(2).bool()), 'MaskedTensor'),
        ({torch.zeros(1)}, 'a key or an item that is a torch.Tensor'),
        ({(1, torch.zeros(1)): 2}, 'a key or an item that is a torch.Tensor'),
        ({Level.LOW: 1}, r'\S*test_values.Level'),
        ({np.datetime64('2020'): 1}, 'numpy.datetime64'),
    ],
)
def test_what_torch_cannot_give_back_is_refused_too(value, words):
    for attempt in (values.check, values.copied):
        with pytest.raises(TypeError, match=rf'^state\.x (is|has) .*{words}'):
            attempt({'x': value})


def test_what_has_a_state_dict_deeper_down_is_refused_with_what_to_write():
    for value in (nn.Linear(1, 1), torch.optim.SGD([torch.zeros(1)], 0.1)):
        with pytest.raises(TypeError, match=r"^state\.nets\['g'\] is .* an attribute of the state"):
            values.check({'nets': {'g': value}})


def test_a_container_that_holds_itself_or_is_nested_too_deep_is_refused():
    table = {}
    table['self'] = [table]
    deep = []
    for _ in range(values.DEEPEST + 1):
        deep = [deep]
    for value in (table, deep):
        with pytest.raises(TypeError, match=r'^state\.x\S*… holds itself, or is nested deeper'):
            values.copied({'x': value})


def test_what_is_as_deep_and_as_long_as_can_be_comes_back(tmp_path):
    deep, number = 1, (1 << 2039) - 1
    for level in range(values.DEEPEST - 1):
        deep = [deep] if level % 2 else {'a': deep}
    state = back(tmp_path, deep=deep, numbers=[number, -number])
    assert state['deep'] == deep and state['numbers'] == [number, -number]


def test_keys_of_numpy_become_those_of_python(tmp_path):
    table = {np.int64(3): 1, np.str_('a'): 2, (np.int8(1), 'b'): 3, np.bool_(True): 4}
    keys = list(back(tmp_path, table=table)['table'])
    assert keys == [3, 'a', (1, 'b'), True]
    assert [type(key) for key in keys] == [int, str, tuple, bool] and type(keys[2][0]) is int


def test_a_copy_shares_nothing_with_what_was_copied(tmp_path):
    state = {'a': np.zeros(3), 'b': [torch.zeros(3)], 'c': bytearray(b'abc'), 'd': {1}}
    copy = values.copied(state)
    state['a'][0], state['b'][0][0], state['c'][0] = 1, 1, 65
    state['d'].add(2)
    assert copy['a'][0] == 0 and copy['b'][0][0] == 0 and copy['c'] == b'abc' and copy['d'] == {1}


def test_a_later_copy_fills_the_earlier_one_where_it_fits():
    first = values.copied({'t': torch.zeros(3), 'a': np.zeros(3), 'p': nn.Parameter(torch.ones(2))})
    later = {'t': torch.ones(3), 'a': np.ones(3), 'p': nn.Parameter(torch.zeros(2))}
    second = values.copied(later, first)
    for name in later:
        assert second[name].data_ptr() == first[name].data_ptr() and equal(
            later[name], second[name]
        )
    other = values.copied({'t': torch.ones(3).bool(), 'a': np.ones((3, 1)), 'p': 1}, first)
    assert other['t'].dtype == torch.bool and other['a'].shape == (3, 1) and other['p'] == 1


def test_the_versions_in_a_modules_state_dict_come_back(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    saved = back(tmp_path, net=model.state_dict())['net']
    assert saved._metadata == model.state_dict()._metadata and equal(model.state_dict(), saved)


# --- in a run ------------------------------------------------------------------------------------

RESULT = '    return state.meter.result()'
LATE = """    import numpy as np
    state.best_f1 = max(getattr(state, 'best_f1', np.float64(0)), np.float64(state.step % 7))
    state.scores = [*getattr(state, 'scores', []), np.int32(state.epoch)]
    state.table = np.full(2, state.epoch, 'f4')
    return {**state.meter.result(), 'f1': np.float64(state.best_f1), 'n': len(state.scores)}"""
DATE = """    import numpy as np
    state.returns = [1, 2, np.datetime64('2020') if state.epoch else 3]
    return state.meter.result()"""


def test_values_of_numpy_that_come_onto_the_state_later_are_resumed_exactly(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, epochs='4', model="'linear'", keep_last='9')
    project.edit('epoch.py', RESULT, LATE)
    project.commit()
    project.tagrun('run', '-f', 't1')
    project.tagrun('continue', 't1', '--from', '2')
    whole, resumed = (project.folder(name) / 'history.csv' for name in ('t1/0', 't1/1'))
    rows = [path.read_text().splitlines() for path in (whole, resumed)]
    assert [row.rpartition(',')[0] for row in rows[0]] == [
        row.rpartition(',')[0] for row in rows[1]
    ]
    assert len(rows[0]) == 5 and 'val/f1' in rows[0][0]
    state = checkpoint.load(project.folder('t1/0'), 'epoch_4.pth')['state']
    assert type(state['best_f1']) is float and state['table'].tolist() == [3, 3]


def test_a_value_that_cannot_be_saved_fails_the_run_and_leaves_what_was_saved(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, epochs='3', model="'linear'")
    project.edit('epoch.py', RESULT, DATE)
    project.commit()
    screen = project.tagrun('run', '-f', 't1', code=1).stderr
    assert 'TypeError: state.returns[2] is a numpy.datetime64: a checkpoint takes' in screen
    assert project.statistic('t1/0')['status'] == 'failed'
    assert stored.newest(project.folder('t1/0')) == 'epoch_1.pth'
    assert checkpoint.load(project.folder('t1/0'), 'epoch_1.pth')['state']['returns'] == [1, 2, 3]


def test_an_object_that_came_after_the_start_is_named_when_it_cannot_be_restored(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, epochs='2', model="'linear'")
    late = '    state.late = torch.optim.swa_utils.AveragedModel(state.model)'
    project.edit('epoch.py', RESULT, f'{late}\n{RESULT}')
    project.commit()
    project.tagrun('run', '-f', 't1')
    screen = project.tagrun('continue', 't1', '--from', '1', code=1).stderr
    assert 'AttributeError: state.py: make self.late in __init__' in screen


# --- back on the state ---------------------------------------------------------------------------


def test_a_tensor_comes_back_in_place_where_it_fits():
    parameter, scale = nn.Parameter(torch.zeros(2)), torch.zeros(2)
    live = {'rows': [parameter, torch.zeros(3)], 'scale': scale}
    saved = {'rows': [torch.ones(2), torch.ones(4), torch.ones(1)], 'scale': torch.ones(2)}
    result = values.restored(saved, live)
    assert result['rows'][0] is parameter and parameter.tolist() == [1, 1]
    assert result['scale'] is scale and scale.tolist() == [1, 1] and parameter.requires_grad
    assert [len(row) for row in result['rows']] == [2, 4, 1]


def test_a_tensor_comes_back_to_the_device_of_the_live_one():
    live = [torch.zeros(3, device='meta'), torch.zeros(2, 2, device='meta')]
    assert all(tensor.is_meta for tensor in values.restored([torch.ones(3), torch.ones(1)], live))


def test_what_cannot_be_written_in_place_is_replaced():
    for live in (torch.zeros(1).expand(3), inference_tensor(), torch.zeros(3).double(), 5, None):
        assert values.restored(torch.ones(3), live).tolist() == [1, 1, 1]
    array = values.restored(torch.ones(3), np.zeros(2))
    assert type(array) is np.ndarray and array.tolist() == [1, 1, 1]
    for saved, live in ((5, torch.zeros(1)), ([1, 2], None), ({'a': 1}, [1]), ((1,), {})):
        assert values.restored(saved, live) == saved


def inference_tensor():
    with torch.inference_mode():
        return torch.zeros(3)
