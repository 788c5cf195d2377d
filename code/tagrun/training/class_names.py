"""The names of the classes that a phase's data set has, for columns and confusion matrices.

    class_names(loaders)        # {'train': ['cat', 'dog'], 'test': None}

They are the data set's attribute `classes`. Where that is code, e.g. a property that opens a file,
it is read in a process of its own (throwaway.py).
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tagrun.training import throwaway
from tagrun.training.report import info

WRAPPERS = 8  # of a data set, one in another
Names = list[str] | None


def class_names(loaders: Mapping[str, Any]) -> dict[str, Names]:
    """Return {phase: the names of its classes}, or None for one; a number has no names."""
    names: dict[str, Names] = {}
    unread = []
    for phase, loader in loaders.items():
        if _runs_code(loader):
            unread.append(phase)
        else:
            names[phase] = _names(loader)
    if unread:
        looked, reason = throwaway.collect(
            lambda: ((phase, _names(loaders[phase])) for phase in unread)
        )
        names |= dict(looked)
        if reason:
            info(f'tagrun: the classes of the data set cannot be read: {reason}')
    return {phase: names.get(phase) for phase in loaders}


def phase_of(metric: str, phases: Iterable[str]) -> str:
    """Return the phase of 'val/a/acc', whose own name may have a slash; '' where it has none."""
    return max((each for each in phases if metric.startswith(f'{each}/')), key=len, default='')


def _runs_code(loader: Any) -> bool:
    """Return whether to look for `classes` runs code of a data set."""
    return any(_is_computed(dataset, 'classes') for dataset in _datasets(loader))


def _is_computed(dataset: Any, name: str) -> bool:
    attribute = inspect.getattr_static(dataset, name, None)
    if attribute is None:
        return inspect.getattr_static(dataset, '__getattr__', None) is not None
    return hasattr(type(attribute), '__get__')


def _names(loader: Any) -> Names:
    classes = (getattr(dataset, 'classes', None) for dataset in _datasets(loader))
    found: Any = next((each for each in classes if each is not None), None)
    if hasattr(found, 'tolist'):  # an array, a tensor
        found = found.tolist()
    if isinstance(found, str) or not isinstance(found, Iterable):
        return None
    return [str(name) for name in found]


def _datasets(loader: Any) -> Iterator[Any]:
    """Yield the loader's data set and those that it wraps: a Loader's own, torch's Subset."""
    dataset = getattr(loader, 'dataset', None)
    for _ in range(WRAPPERS):
        if dataset is None:
            return
        yield dataset
        dataset = getattr(dataset, 'dataset', None)
