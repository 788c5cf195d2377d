"""Reads and changes the values in config.py as text: the researcher's file is never imported by the command side.

    read(source)                             # {'lr': '0.01', 'model': "'cnn'"}, each as it is written
    changed(source, {'lr': '0.1'})           # the source with `lr = 0.1`; comments and all else stay
"""
import ast
import functools
import json

from tagrun.command.say import Refusal, did_you_mean
from tagrun.store import jsonfile


def read(source):
    """{name: the text of its value} of a config.py, in order. `source`: str. {} for one that does not parse."""
    return {name: ast.get_source_segment(source, node) for name, node in _values(source).items()}


def changed(source, values):
    """The source with new values, {name: text as typed on the command line}. Raises Refusal for an unknown name or another type."""
    nodes, lines = _values(source), source.encode().splitlines(keepends=True)
    values = {name: written(source, name, text) for name, text in values.items()}
    for name, node in sorted(nodes.items(), key=lambda pair: (-pair[1].lineno, -pair[1].col_offset)):
        if name in values:
            first, last = node.lineno - 1, node.end_lineno - 1  # columns count bytes
            lines[first:last + 1] = [lines[first][:node.col_offset] + values[name].encode() + lines[last][node.end_col_offset:]]
    return b''.join(lines).decode()


def written(source, name, text):
    """What stands for a value in config.py, of the text as typed. Raises Refusal for an unknown name or another type."""
    nodes = _values(source)
    if name not in nodes:
        raise Refusal(f'config.py has no argument {name!r}.{did_you_mean(name, nodes)}')
    return repr(parse(name, text, nodes[name]))


def parse(name, text, node):
    """The value that `text` stands for, given the value's node in config.py. Raises Refusal where the types do not fit."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = text    # a bare word is a string: --set model=mlp
    if not _is_plain(value):
        raise Refusal(f'{name} = {text}: numbers, strings, True, False, None, and tuples, lists and dicts of them can be recorded')
    try:
        old = ast.literal_eval(node)
    except ValueError:
        return value    # an expression: whatever is given replaces it
    if isinstance(old, bool) and str(value).lower() in ('true', 'false'):
        return str(value).lower() == 'true'
    if isinstance(old, str) and not isinstance(value, str) and value is not None:
        return text
    if isinstance(old, float) and type(value) is int and jsonfile.is_number(value):
        return float(value)
    if old is None or value is None or type(value) is type(old):
        return value
    if type(old) is int and type(value) is float and not value.is_integer():
        raise Refusal(f'{name} = {text}: config.py has the whole number {old!r} there')
    if {type(old), type(value)} == {tuple, list}:
        return type(old)(value)
    if type(old) is int and type(value) is float:
        return int(value)   # 1e3
    raise Refusal(f'{name} = {text}: config.py has a {type(old).__name__} there ({old!r})')


def differences(old, new):
    """['lr = 0.1 (was 0.01)', …] of two sources."""
    before, after = read(old), read(new)
    lines = [f'{name} = {text} (was {before[name]})' if name in before else f'{name} = {text} (new)'
             for name, text in after.items() if before.get(name) != text]
    return lines + [f'{name} removed (was {text})' for name, text in before.items() if name not in after]


def _is_plain(value):
    """Whether statistic.json can hold it: not a set, bytes, a complex number, an ellipsis, or inf, which 1e999 is."""
    try:
        json.dumps(value, allow_nan=False)
        return True
    except (TypeError, ValueError, RecursionError):
        return False


@functools.lru_cache(maxsize=8)     # a sweep asks for each of its values
def _values(source):
    """{name: node of its value} of the module's own assignments of one name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
            found[node.target.id] = node.value
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return {name: node for name, node in found.items() if not name.startswith('_')}
