"""What a researcher's values become in a checkpoint, and how they come back.

    copy = copied(state.state_dict())   # TypeError: state.returns[2] is a numpy.datetime64: …
    check(state.state_dict())           # the same, without a copy
    live = restored(saved, live)        # on the device of the live one, in place where it fits

torch.load(weights_only=True) gives a few types back, and only those may be saved. NumPy's scalars
become numbers, its arrays tensors. All else is refused by its path.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DEEPEST = 200  # levels of containers: pickle itself fails at some 400
LONGEST_INT = 2039  # bits: torch.load reads integers of up to 255 bytes
SHORTEST_PATH = 8  # keys that a message shows of a path
ATOMS = {float, str, bool, complex, type(None), torch.Size, torch.device, torch.dtype}
DICTS = {dict, OrderedDict, Counter}
LAYOUTS = {
    torch.strided,
    torch.sparse_coo,
    torch.sparse_csr,
    torch.sparse_csc,
    torch.sparse_bsr,
    torch.sparse_bsc,
}
# no operation of torch copies these
UNCOPIED = {getattr(torch, f'{sign}int{bits}', None) for sign in ('', 'u') for bits in range(1, 8)}
TAKEN = (
    'a checkpoint takes tensors, numbers, strings, NumPy arrays of numbers, and lists, tuples, '
    'dicts and sets of them'
)


class _Refused(Exception):
    """A value that would not come back as it was; path: the keys to it, the innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[Any] = []


def copied(value: Any, buffers: Any = None, name: str = 'state') -> Any:
    """Return `value` with its tensors copied to the CPU, into those of `buffers` where they fit.

    buffers: an earlier copy of the like. Out of a GPU tensors go to pinned memory, at the bus's own
    speed; they have arrived after torch.cuda.synchronize(). Raises TypeError for what a checkpoint
    would not give back; name: what `value` is called there.
    """
    return _named(value, buffers, name, True)


def check(value: Any, name: str = 'state') -> None:
    """Raise TypeError, with its path, if a part of `value` cannot be saved."""
    _named(value, None, name, False)


def _named(value: Any, buffers: Any, name: str, copy: bool) -> Any:
    try:
        return _taken(value, buffers, 0, copy)
    except _Refused as refused:
        raise TypeError(f'{path(name, refused.path[::-1])} {refused.reason}') from None


def path(name: str, keys: Sequence[Any]) -> str:
    """Return "state.metrics['val'][1]" of the name and the keys after it."""
    parts = [name]
    for position, key in enumerate(keys[:SHORTEST_PATH]):
        is_attribute = name == 'state' and not position and isinstance(key, str)
        parts.append(f'.{key}' if is_attribute else f'[{key!r}]')
    if len(keys) > SHORTEST_PATH:
        parts.append('…')
    return ''.join(parts)


def _taken(value: Any, before: Any, depth: int, copy: bool) -> Any:
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind is int:
        if value.bit_length() > LONGEST_INT:
            raise _Refused('is an integer of more than 255 bytes, which torch.load does not read')
        return value
    if kind is Tensor or kind is nn.Parameter:
        return _tensor(value, before, copy)
    if kind in DICTS:
        return _dict(value, before, _deeper(depth), copy)
    if kind is list or kind is tuple:
        return kind(_items(value, before, _deeper(depth), copy))
    if isinstance(value, (np.generic, np.ndarray)):
        return _from_numpy(value, before, copy)
    if kind is set:
        return {_member(item, _deeper(depth)) for item in value}
    if kind is bytearray or (kind is bytes and value):
        return kind(value)
    if not copy and torch.is_tensor(value) and hasattr(value, 'to_local'):
        return value  # of a model that is divided: shards.py takes it out before the copy
    raise _refusal(value)


def _deeper(depth: int) -> int:
    if depth > DEEPEST:
        raise _Refused(f'holds itself, or is nested deeper than {DEEPEST} levels')
    return depth + 1


def _refusal(value: Any) -> _Refused:
    if type(value) is bytes:
        return _Refused(
            'is empty bytes, which torch.load does not read: bytearray() or None can be'
        )
    hint = ''
    if hasattr(value, 'state_dict'):
        hint = '; what has a state_dict is saved by it where it is an attribute of the state itself'
    return _Refused(f'is a {_type_name(value)}: {TAKEN}{hint}')


def _type_name(value: Any) -> str:
    """Return 'numpy.datetime64', 'frozenset', 'numpy.ndarray of object'."""
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != 'builtins':
        name = f'{kind.__module__}.{name}'
    return f'{name} of {value.dtype}' if isinstance(value, np.ndarray) else name


# --- containers ----------------------------------------------------------------------------------


def _dict(value: Any, before: Any, depth: int, copy: bool) -> Any:
    parts = before if isinstance(before, dict) else {}
    taken = type(value)()
    names = [key if type(key) is str else _member(key, depth) for key in value]
    name = None
    try:
        for name, item in zip(names, value.values(), strict=True):
            taken[name] = _taken(item, parts.get(name), depth, copy)
    except _Refused as refused:
        refused.path.append(name)
        raise
    if type(value) is OrderedDict and vars(value):
        # a module's state_dict has the versions of its parts there
        vars(taken).update(_dict(vars(value), None, depth, copy))
    return taken


def _items(value: Any, before: Any, depth: int, copy: bool) -> list[Any]:
    fits = isinstance(before, (list, tuple)) and len(before) == len(value)
    parts: Any = before if fits else repeat(None)
    items: list[Any] = []
    try:
        for item, part in zip(value, parts, strict=False):
            items.append(item if type(item) in ATOMS else _taken(item, part, depth, copy))
    except _Refused as refused:
        refused.path.append(len(items))
        raise
    return items


def _member(value: Any, depth: int) -> Any:
    """Return a key of a dict or an item of a set."""
    try:
        return _hashed(value, depth)
    except _Refused as refused:
        raise _Refused(f'has a key or an item that {refused.reason}') from None


def _hashed(value: Any, depth: int) -> Any:
    if type(value) is tuple:
        return tuple(_hashed(item, _deeper(depth)) for item in value)
    if torch.is_tensor(value):  # its hash is where it lies, and is lost
        raise _Refused(f'is a {_type_name(value)}: {TAKEN}, but no tensor as a key or in a set')
    return _taken(value, None, depth, False)


# --- tensors and arrays --------------------------------------------------------------------------


def _tensor(value: Tensor, buffer: Any, copy: bool) -> Tensor:
    if value.layout not in LAYOUTS or value.is_nested or value.is_meta or value.dtype in UNCOPIED:
        kind = 'nested' if value.is_nested else value.layout
        raise _Refused(f'is a tensor of {value.dtype}, {kind}, on {value.device}: {TAKEN}')
    if not copy:
        return value
    copied_value = _copied_tensor(value.detach(), buffer)
    if type(value) is nn.Parameter:
        return nn.Parameter(copied_value, value.requires_grad)
    if value.requires_grad and value.is_leaf:
        return copied_value.detach().requires_grad_()
    return copied_value


def _copied_tensor(value: Tensor, buffer: Any) -> Tensor:
    ordinary = value.layout == torch.strided and not value.is_quantized
    if ordinary and _fits(buffer, value):
        target = buffer.detach() if buffer.requires_grad else buffer
        return target.copy_(value, non_blocking=value.is_cuda)
    if ordinary and value.is_cuda:
        pinned = torch.empty_like(value, device='cpu', pin_memory=True)
        return pinned.copy_(value, non_blocking=True)
    return value.to('cpu', copy=True)


def _fits(one: Any, other: Any) -> bool:
    """Return whether the values of one tensor can be written into the other."""
    return (
        torch.is_tensor(one)
        and one.shape == other.shape
        and one.dtype == other.dtype
        and one.layout == other.layout == torch.strided
    )


def _from_numpy(value: Any, before: Any, copy: bool) -> Any:
    """Return a scalar or a 0-d array as a number or string of Python, another array as a tensor."""
    scalar = isinstance(value, np.generic)
    own = type(value) is (value.dtype.type if scalar else np.ndarray)  # and no subclass of it
    kinds = 'biufc' if value.ndim else 'biufcSU'
    # a long double (g, G) has more bits than a float
    if not own or value.dtype.kind not in kinds or value.dtype.char in 'gG':
        raise _refusal(value)
    if not value.ndim:
        return _taken(value.item(), None, 0, copy)
    return _array_copy(value, before) if copy else value


def _array_copy(array: np.ndarray, buffer: Any) -> Tensor:
    # this machine's byte order, and of two types of as many bits the one that torch has
    native = np.dtype(f'{array.dtype.kind}{array.dtype.itemsize}')
    target = torch.from_numpy(np.empty(0, native)).new_empty(array.shape)
    if _fits(buffer, target):
        target = buffer.detach()
    np.copyto(target.numpy(), array)
    return target


# --- back again ----------------------------------------------------------------------------------


def restored(saved: Any, live: Any) -> Any:
    """Return what a checkpoint gave in place of `live`: a tensor on the same device.

    Where shape and dtype fit it is `live` itself that gets the values, so that an nn.Parameter
    stays the one that its optimizer has. An array of NumPy is one again.
    """
    if torch.is_tensor(saved):
        if isinstance(live, np.ndarray):
            return saved.numpy()
        return _restored_tensor(saved, live) if torch.is_tensor(live) else saved
    if type(saved) in DICTS and isinstance(live, Mapping):
        for key, value in saved.items():
            saved[key] = restored(value, live.get(key))
    elif type(saved) in (list, tuple) and isinstance(live, (list, tuple)):
        lives = [*live[: len(saved)], *[None] * (len(saved) - len(live))]
        return type(saved)(restored(*pair) for pair in zip(saved, lives, strict=True))
    return saved


def _restored_tensor(saved: Tensor, live: Tensor) -> Tensor:
    if _fits(live, saved):
        try:
            with torch.no_grad():
                return live.copy_(saved)
        except RuntimeError:  # of one that cannot be written to: expanded, or made for inference
            pass
    return saved.to(live.device)
