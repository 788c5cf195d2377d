"""What stands on the state, and no checkpoint holds.

    for unsaved in find(state): print(unsaved.what, unsaved.remedy)     # objects that save nothing
    changing = Changing(); changing.look(state); changing.names         # attributes of models

An object is saved by its state_dict(). torchmetrics' metrics leave their states out of it, a module
its non-persistent buffers and its plain attributes.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

SHOWN = 5  # names of tensors
LARGEST = 1_000_000  # values of a tensor that is compared


class Unsaved(NamedTuple):
    """An object whose state_dict() lacks its tensors; name: 'state.f1'."""

    name: str
    what: str
    remedy: str


def find(state: Any) -> list[Unsaved]:
    """Return the objects on the state that save nothing, and the metrics within its modules."""
    unsaved: list[Unsaved] = []
    for name, value in getattr(state, '__dict__', {}).items():
        if not hasattr(value, 'state_dict'):
            continue
        metrics = list(_metrics_within(name, value))
        if hasattr(value, 'persistent') or not metrics:
            unsaved += _whole(name, value)
        else:
            unsaved += metrics
    return unsaved


def _whole(name: str, value: Any) -> Iterator[Unsaved]:
    """Yield an object if its state_dict() is empty though it holds tensors."""
    held = [] if value.state_dict() else sorted(set(_held_tensors(value)))
    if held:
        remedy = (
            'Write register_buffer(…, persistent=True) in its class, or a state_dict and a '
            'load_state_dict that have them'
        )
        if hasattr(value, 'persistent'):  # torchmetrics' way
            remedy = f'Write self.{name}.persistent(True) after its line in state.py'
        yield _unsaved(name, held, remedy)


def _metrics_within(name: str, value: Any) -> Iterator[Unsaved]:
    """Yield the metrics of torchmetrics in a module whose states are not in its state_dict()."""
    if not isinstance(value, nn.Module):
        return
    for path, part in value.named_modules():
        names = getattr(part, '_defaults', None)
        if path and isinstance(names, dict) and hasattr(part, 'persistent'):
            saved = part.state_dict()
            held = [key for key in names if key not in saved]
            whole = _joined(name, path)
            line = f'in state.py, after the line of self.{name}'
            if held:
                yield _unsaved(whole, held, f'Write self.{whole}.persistent(True) {line}')


def _joined(name: str, path: str) -> str:
    """Return 'metrics[0].f1' for 'metrics' and '0.f1'."""
    parts = [f'[{part}]' if part.isdigit() else f'.{part}' for part in path.split('.')]
    return name + ''.join(parts)


def _unsaved(name: str, held: list[str], remedy: str) -> Unsaved:
    shown = ', '.join(held[:SHOWN])
    what = (
        f'state.{name} is not saved: its state_dict() is empty, though it holds tensors ({shown})'
    )
    return Unsaved(f'state.{name}', what, remedy)


def _held_tensors(value: Any) -> Iterator[str]:
    """Yield the names of the tensors, or lists of them, among an object's attributes."""
    parts = value.modules() if isinstance(value, nn.Module) else [value]
    for part in parts:
        if hasattr(part, 'persistent'):  # a metric, whose lists have no tensor yet
            yield from getattr(part, '_defaults', ())
        attributes = {**getattr(part, '__dict__', {})}
        attributes.update(attributes.pop('_buffers', {}))
        for name, item in attributes.items():
            items = item if isinstance(item, (list, tuple)) else [item]
            if any(map(torch.is_tensor, items)):
                yield name


class Changing:
    """Notes which attributes of the state's modules change, and are in no state_dict()."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._first: dict[str, Any] = {}

    def look(self, state: Any) -> None:
        """Compare their values with those of the first look."""
        for name, value in _unsaved_values(state):
            if name not in self._first:
                self._first[name] = value.clone() if torch.is_tensor(value) else value
            elif name not in self.names and not _is_same(self._first[name], value):
                self.names.append(name)


def _unsaved_values(state: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, number or tensor) of what the modules' state_dict() lacks."""
    for name, value in getattr(state, '__dict__', {}).items():
        if not isinstance(value, nn.Module):
            continue
        saved = set(value.state_dict())
        for path, part in value.named_modules():
            whole = _joined(name, path) if path else name
            for attribute, item in _attributes(part):
                if f'{path}.{attribute}'.lstrip('.') not in saved:
                    yield f'state.{whole}.{attribute}', item


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the public numbers and tensors of a module, its parameters left out."""
    buffers = dict(module.named_buffers(recurse=False))
    for name, item in {**vars(module), **buffers}.items():
        is_number = isinstance(item, (int, float)) and name != 'training'
        is_tensor = torch.is_tensor(item) and item.numel() <= LARGEST
        if not name.startswith('_') and (is_number or is_tensor):
            yield name, item


def _is_same(one: Any, other: Any) -> bool:
    if torch.is_tensor(one) and torch.is_tensor(other):
        return one.shape == other.shape and torch.equal(one, other.to(one.device))
    return type(one) is type(other) and bool(one == other)
