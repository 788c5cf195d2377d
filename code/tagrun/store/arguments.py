"""config.py's arguments: which names of the module they are, and what JSON can record of them.

    values = of_module(config)                      # {'lr': 0.01, 'phases': ('train', 'val'), …}
    wrong = differing(values, {'lr': 0.1})          # {'lr': 0.01}: what config has instead

Imports, functions, classes, types, modules and names that begin with _ are not arguments. This
module imports nothing of ours: the command side loads it by its path, beside any commit's code.
"""

import ast
import contextlib
import json
import types
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

PLAIN = (int, float, str, bool, type(None))
CODE = (
    ModuleType,
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.GenericAlias,
    types.UnionType,
)
# Optional[int], Literal['a'], TypeVar('T'), annotations
TYPING = ('typing', 'typing_extensions', '__future__')
SEED = (
    'seed is not an argument: write it into the file code/seed (echo 42 > code/seed), and '
    '`run -f` trains with it; `run` without -f draws a fresh one. Remove the name from config.py'
)

# the least value of the template's own arguments, where they are numbers
LEAST = {
    'epochs': 1,
    'batch_size': 1,
    'eval_batch_size': 1,
    'grad_accum_steps': 1,
    'steps_per_epoch': 0,
    'eval_interval': 0,
    'patience': 0,
    'save_interval': 0,
    'keep_every': 0,
}


def of_module(config: ModuleType, source: str | None = None) -> dict[str, Any]:
    """Return {name: value} of the arguments, in config.py's order.

    source: its text; None reads the module's file. Raises TypeError, with the argument's name, for
    a value that JSON could not record, and for a seed; ValueError for a number below its LEAST.
    """
    names = {name: value for name, value in vars(config).items() if not _is_code(name, value)}
    helpers = _helpers(_text(config) if source is None else source)
    values = {}
    for name, value in names.items():
        value = _number(value)
        if is_plain(value):
            values[name] = value
        elif helpers is not None and name not in helpers:
            raise TypeError(
                f'{name} is a {type(value).__name__}; numbers, strings, booleans, None, '
                'and tuples, lists or dicts of them can be recorded. What is not an argument '
                f'begins with _, e.g. _{name}'
            )
    if 'seed' in values:
        raise TypeError(SEED)
    _check_least(values)
    return values


def differing(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return {name: its value} of those in `wanted` that have another value, or have gone (None).

    A list is the same as a tuple of these items, for JSON has only one of the two.
    """
    have = {name: values.get(name) for name in wanted}
    return {name: have[name] for name in wanted if _json(have[name]) != _json(wanted[name])}


def is_plain(value: Any) -> bool:
    """Return whether JSON can record a value."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(is_plain(item) for item in value)
    return isinstance(value, PLAIN)


def _check_least(values: Mapping[str, Any]) -> None:
    for name, least in LEAST.items():
        value = values.get(name)
        if isinstance(value, (int, float)) and not value >= least:
            raise ValueError(f'{name} is {value}: it must be {least} or more')


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _is_code(name: str, value: Any) -> bool:
    is_type = isinstance(value, CODE) or type(value).__module__ in TYPING
    return name.startswith('_') or is_type


def _number(value: Any) -> Any:
    """Return the number of Python's that a scalar of NumPy is; any other value as it is."""
    if type(value).__module__ == 'numpy' and getattr(value, 'ndim', 1) == 0:
        return value.item()
    return value


def _text(config: ModuleType) -> str:
    """Return the text of the module's file; '' where it has none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        return Path(str(config.__file__)).read_text(encoding='utf-8')
    return ''


def _helpers(source: str) -> set[str] | None:
    """Return the names that config.py binds by import, for, with or except, and never assigns.

    A value of theirs that cannot be recorded is not an argument. None where a star import may have
    brought any name.
    """
    bound: set[str] = set()
    assigned: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).partition('.')[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler):
            bound.add(node.name or '')
        elif isinstance(node, (ast.For, ast.comprehension, ast.AnnAssign, ast.AugAssign)):
            names = _names(node.target)
            is_helper = isinstance(node, (ast.For, ast.comprehension))
            (bound if is_helper else assigned).update(names)
        elif isinstance(node, ast.withitem):
            bound |= _names(node.optional_vars)
        elif isinstance(node, (ast.Assign, ast.Delete)):
            assigned |= {name for target in node.targets for name in _names(target)}
    return None if '*' in bound else bound - assigned


def _names(target: ast.AST | None) -> set[str]:
    """Return the names that an assignment to `target` binds: a in `a.b = 1` is not one."""
    if isinstance(target, ast.Name):
        return {target.id}
    if isinstance(target, ast.Starred):
        return _names(target.value)
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
    return {name for part in parts for name in _names(part)}
