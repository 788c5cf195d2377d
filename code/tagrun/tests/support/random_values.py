"""States of random values: what a checkpoint takes, and now and then what it must refuse.

    state, has_bad = build(random.Random(7)); assert has_bad or equal(state, loaded)

`equal` is written after the promise, not after the code: NumPy's numbers come back as Python's, its
arrays as tensors, all else as itself.
"""

import collections
import decimal
import math

import numpy as np
import torch
from torch import nn

Pair = collections.namedtuple('Pair', 'left right')
NUMPY = ['?', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16']
NUMPY += ['>i4', '>f8', '>c16', '>u2', 'q', 'Q']
TORCH = [
    dtype
    for name in sorted(dir(torch))
    if isinstance(dtype := getattr(torch, name), torch.dtype)
    and not str(dtype).startswith(('torch.q', 'torch.bit'))
    and dtype.itemsize
    and not any(str(dtype).endswith(f'int{bits}') for bits in range(1, 8))
]


class Text(str):
    pass


def build(generator):
    """Return ({name: value}, whether a checkpoint must refuse one of them)."""
    bad = generator.random() < 0.4
    state = {f'part{index}': _value(generator, 4) for index in range(generator.randint(2, 8))}
    if bad:
        state[f'part{generator.randint(0, 3)}'] = _around(generator, _bad(generator))
    return state, bad


def _value(generator, depth):
    if depth and generator.random() < 0.5:
        return _container(generator, depth - 1)
    return generator.choice([_plain, _scalar, _array, _tensor, _special])(generator)


def _container(generator, depth):
    items = [_value(generator, depth) for _ in range(generator.randint(0, 4))]
    kind = generator.choice(['list', 'tuple', 'dict', 'OrderedDict', 'Counter', 'set'])
    if kind == 'set':
        return {_key(generator) for _ in items}
    if kind == 'Counter':
        return collections.Counter(generator.randint(0, 3) for _ in items)
    if kind in ('list', 'tuple'):
        return {'list': list, 'tuple': tuple}[kind](items)
    table = {_key(generator): item for item in items}
    return collections.OrderedDict(table) if kind == 'OrderedDict' else table


def _key(generator):
    number = generator.randint(-9, 9)
    return generator.choice(
        [number, f'key {number}', (number, 'a'), np.int64(number), np.str_(number), None, 1.5]
        + [np.float32(number), True, b'key', torch.float16, torch.Size([2, 3])]
    )


def _plain(generator):
    big = generator.getrandbits(2039) * generator.choice([1, -1])
    numbers = [0, -1, 2**31, 2**63, big, 0.1, math.inf, -math.inf, math.nan, 1e-320, True, None]
    return generator.choice([*numbers, 1 + 2j, '', 'é\ud800\n', b'\x00\xff', bytearray(b'ab')])


def _scalar(generator):
    dtype = generator.choice(NUMPY)
    scalar = np.array(generator.randint(0, 100)).astype(dtype)
    return generator.choice([scalar[()], scalar, np.str_('é'), np.bytes_(b'a'), np.array('text')])


def _array(generator):
    shape = generator.choice([(0,), (1,), (4,), (3, 2), (2, 0, 3), (2, 3, 4)])
    values = np.random.default_rng(generator.getrandbits(32)).integers(0, 100, shape)
    array = values.astype(generator.choice(NUMPY))
    array = generator.choice([array, array[::-1], array.T, np.asfortranarray(array)])
    if generator.random() < 0.2:
        array.flags.writeable = False
    return array


def _tensor(generator):
    shape = generator.choice([(), (0,), (3,), (4, 2), (2, 0), (2, 3, 4)])
    dtype = generator.choice(TORCH)
    size = math.prod(shape) * dtype.itemsize
    random = generator.randbytes(size) if dtype != torch.bool else bytes(size)
    flat = torch.frombuffer(bytearray(random), dtype=torch.uint8) if size else torch.empty(0)
    tensor = flat.view(dtype).reshape(shape) if size else torch.empty(shape, dtype=dtype)
    if len(shape) > 1 and generator.random() < 0.4:
        tensor = tensor.transpose(0, 1)
    if dtype.is_floating_point and dtype.itemsize > 1 and generator.random() < 0.3:
        return generator.choice([tensor.requires_grad_(), nn.Parameter(tensor)])
    return tensor


def _special(generator):
    matrix = torch.eye(4) * generator.randint(1, 9)
    matrix[0, 3] = 7
    return generator.choice(
        [
            matrix.to_sparse(),
            matrix.to_sparse_csr(),
            matrix.to_sparse_csc(),
            matrix.to_sparse_bsr((2, 2)),
            torch.sparse_coo_tensor(size=(2, 3)),
            torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,)),
            torch.quantize_per_tensor(matrix, 0.1, 0, torch.qint8),
            matrix[:, 1],
            matrix[::2, ::2],
            torch.ones(1).expand(5),
            torch.randn(3, dtype=torch.complex64).conj(),
            torch.device('cpu'),
            torch.device('cuda', 1),
            torch.float8_e5m2,
            torch.Size([1, 2]),
            nn.Parameter(matrix, requires_grad=False),
        ]
    )


def _bad(generator):
    return generator.choice(
        [
            np.datetime64('2020-01-01'),
            np.timedelta64(3, 'D'),
            np.longdouble(1),
            np.array([1, None]),
            np.array(['a', 'b']),
            np.asmatrix(np.eye(2)),
            np.ma.array([1, 2]),
            Pair(1, 2),
            Text('a'),
            collections.defaultdict(int),
            frozenset([1]),
            decimal.Decimal('0.1'),
            object(),
            nn.Linear(1, 1),
            range(3),
        ]
    )


def _around(generator, value):
    """Put a value some levels deep into containers."""
    for _ in range(generator.randint(0, 3)):
        before = [_value(generator, 1) for _ in range(generator.randint(0, 2))]
        kind = generator.choice([list, tuple, dict])
        value = {'key': value} if kind is dict else kind([*before, value])
    return value


def equal(value, loaded):
    """Return whether a checkpoint gave `value` back as it shall."""
    if isinstance(value, (np.generic, np.ndarray)):
        return _equal_numpy(value, loaded)
    if type(value) is not type(loaded):
        return False
    if torch.is_tensor(value):
        return _equal_tensor(value, loaded)
    if isinstance(value, dict):
        keys = [_python(key) for key in value]
        if [(type(key), key) for key in keys] != [(type(key), key) for key in loaded]:
            return False
        return all(map(equal, value.values(), loaded.values()))
    if isinstance(value, (list, tuple)):
        return len(value) == len(loaded) and all(map(equal, value, loaded))
    if isinstance(value, set):
        return {(type(_python(one)), one) for one in value} == {(type(one), one) for one in loaded}
    return value == loaded or (value != value and loaded != loaded)


def _python(key):
    if isinstance(key, tuple) and type(key) is tuple:
        return tuple(map(_python, key))
    return key.item() if isinstance(key, np.generic) else key


def _equal_numpy(value, loaded):
    if not value.ndim:
        return equal(value.item(), loaded)
    native = value.astype(value.dtype.newbyteorder('='))
    return (
        torch.is_tensor(loaded)
        and loaded.numpy().dtype == native.dtype
        and np.array_equal(native, loaded.numpy())
    )


def _equal_tensor(value, loaded):
    same = value.dtype == loaded.dtype and value.shape == loaded.shape
    same = same and value.layout == loaded.layout
    if not same or value.requires_grad != loaded.requires_grad:
        return False
    if value.is_quantized:
        return torch.equal(value.int_repr(), loaded.int_repr())
    if value.layout != torch.strided:
        return torch.equal(value.to_dense(), loaded.to_dense())
    return _bits(value) == _bits(loaded)


def _bits(tensor):
    flat = tensor.detach().resolve_conj().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b''
