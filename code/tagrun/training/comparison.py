"""Compare what a checkpoint holds with what a load made of it, for `run --fast`.

list(differences(saved['state'], copied(state.state_dict())))
# ["state.ema['n'] was 5 when it was saved, and is 3 after the load"]
array_paths(state.state_dict())     # {('returns',)}: NumPy's, which are saved as tensors
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tagrun.training import values

LONGEST = 60  # characters of a value that are shown
Keys = tuple[Any, ...]


def differences(saved: Any, loaded: Any, keys: Keys = ()) -> Iterator[str]:
    """Yield a sentence for each part of `saved` that `loaded` has not, or has otherwise.

    Both as values.copied returns them: tensors on the CPU and plain values.
    """
    if isinstance(saved, Mapping) and isinstance(loaded, Mapping):
        for key, value in saved.items():
            if key in loaded:
                yield from differences(value, loaded[key], (*keys, key))
            else:
                yield f'{_path((*keys, key))} was saved, and is not there after the load'
    elif _is_row(saved) and _is_row(loaded) and len(saved) == len(loaded):
        for index, (one, other) in enumerate(zip(saved, loaded, strict=True)):
            yield from differences(one, other, (*keys, index))
    elif not _is_same(saved, loaded):
        yield (
            f'{_path(keys)} was {_shown(saved)} when it was saved, '
            f'and is {_shown(loaded)} after the load'
        )


def array_paths(value: Any, keys: Keys = ()) -> set[Keys]:
    """Return the keys to each array of NumPy in nested dicts, lists and tuples."""
    if isinstance(value, np.ndarray) and value.ndim:
        return {keys}
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif _is_row(value):
        items = enumerate(value)
    return {path for key, item in items for path in array_paths(item, (*keys, key))}


def _path(keys: Keys) -> str:
    return values.path('state', keys)


def _is_row(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and not isinstance(value, torch.Size)


def _is_same(one: Any, other: Any) -> bool:
    if torch.is_tensor(one) and torch.is_tensor(other):
        return _is_same_tensor(one, other)
    if type(one) is not type(other):
        return False
    # a NaN is not equal to itself
    return bool(one == other) or repr(one) == repr(other)


def _is_same_tensor(one: Tensor, other: Tensor) -> bool:
    if (one.shape, one.dtype, one.layout) != (other.shape, other.dtype, other.layout):
        return False
    if one.is_quantized:
        return torch.equal(one, other)
    if one.layout != torch.strided:
        return torch.equal(one.to_dense(), other.to_dense())
    return torch.equal(_bytes(one), _bytes(other))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def _shown(value: Any) -> str:
    if torch.is_tensor(value):
        is_number = value.numel() == 1 and value.layout == torch.strided
        numbers = f' with {value.item()}' if is_number else ''
        return f'a tensor {tuple(value.shape)} of {value.dtype}{numbers}'
    text = repr(value)
    return text if len(text) <= LONGEST else f'{text[:LONGEST]} …'
