"""Read and change the values in config.py as text: your file is never imported by a command.

read(source)                        # {'lr': '0.01', 'model': "'cnn'"}, each as it is written
changed(source, {'lr': '0.1'})      # the source with `lr = 0.1`; comments and all else stay
"""

import ast
import codecs
import contextlib
import functools
import json
from collections.abc import Mapping
from typing import Any

from tagrun.core.cli.messages import UserError, did_you_mean
from tagrun.store import jsonfile

LINE_END = '\n'


def read(source: str) -> dict[str, str]:
    """Return {name: the text of its value} of a config.py, in order; {} if it does not parse."""
    texts = {name: ast.get_source_segment(source, node) for name, node in _values(source).items()}
    return {name: text for name, text in texts.items() if text is not None}


def literals(source: str) -> dict[str, Any]:
    """Return {name: value} of those values that are written out: no expression, no call."""
    values = {}
    for name, node in _values(source).items():
        with contextlib.suppress(ValueError, TypeError):
            value = ast.literal_eval(node)
            if _is_plain(value):
                values[name] = value
    return values


def decoded(source: bytes, path: str) -> str:
    """Return the text of a config.py. Raises UserError, with what to do, for other bytes."""
    if source.startswith(codecs.BOM_UTF8):
        raise UserError(
            f'{path} begins with a byte order mark (BOM): save it as UTF-8 without BOM, or '
            f"type: sed -i '1s/^\\xEF\\xBB\\xBF//' {path}"
        )
    if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f'{path} is UTF-16: save it as UTF-8')
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b'\n') + 1
        raise UserError(
            f'{path}, line {line}, is not UTF-8 ({error.reason} at byte {error.start}): save the '
            'file as UTF-8'
        ) from None


def check_syntax(source: str, path: str) -> None:
    """Raise UserError, with the line, if Python cannot compile a config.py."""
    if '\0' in source:
        before = source[: source.index('\0')]
        where = f'{path}, line {before.count(LINE_END) + 1}'
        raise UserError(f'{where}: there is a NUL byte, which Python refuses: delete it')
    try:
        compile(source, path, 'exec', dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line, reason = getattr(error, 'lineno', None), getattr(error, 'msg', error)
        where = f'{path}, line {line}' if line else path
        # error.text may be a line of another file that lies at this path
        text = ''.join(source.split('\n')[line - 1 : line]).strip() if line else ''
        raise UserError(f'{where}: {reason}' + (f'\n  {text}' if text else '')) from None


def changed(source: str, values: Mapping[str, str]) -> str:
    """Return the source with new values, {name: text as typed on the command line}.

    Raises UserError for an unknown name or another type.
    """
    texts = {name: written(source, name, text) for name, text in values.items()}
    nodes, lines = _values(source), source.encode().splitlines(keepends=True)
    # from the end, so that what lies before keeps its place
    for name in sorted(texts, key=lambda name: _position(nodes[name]), reverse=True):
        node = nodes[name]
        first, last = node.lineno - 1, _end(node)[0] - 1
        # columns count bytes
        before, after = lines[first][: node.col_offset], lines[last][_end(node)[1] :]
        lines[first : last + 1] = [before + texts[name].encode() + after]
    return b''.join(lines).decode()


def written(source: str, name: str, text: str) -> str:
    """Return what config.py gets for a value, from the text as typed.

    Raises UserError for an unknown name or another type.
    """
    return repr(value_of(source, name, text))


def values_of(source: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return {name: value} of texts as typed. Raises UserError as `written`."""
    return {name: value_of(source, name, text) for name, text in settings.items()}


def value_of(source: str, name: str, text: str) -> Any:
    """Return the value that a text as typed stands for. Raises UserError as `written`."""
    nodes = _values(source)
    if name not in nodes:
        raise UserError(f'config.py has no argument {name!r}.{did_you_mean(name, nodes)}')
    return _parse(name, text, nodes[name])


def differences(old: str, new: str) -> list[str]:
    """Return ['lr = 0.1 (was 0.01)', …] of two sources."""
    before, after = read(old), read(new)
    lines = []
    for name, text in after.items():
        if name not in before:
            lines.append(f'{name} = {text} (new)')
        elif before[name] != text:
            lines.append(f'{name} = {text} (was {before[name]})')
    removed = [name for name in before if name not in after]
    return lines + [f'{name} removed (was {before[name]})' for name in removed]


def _parse(name: str, text: str, node: ast.expr) -> Any:
    """Return the value that `text` stands for, given the value's node in config.py.

    Raises UserError where the types do not fit.
    """
    value = _literal(text)
    if not _is_plain(value):
        raise UserError(
            f'{name} = {text}: numbers, strings, True, False, None, and tuples, lists and '
            'dicts of them can be recorded'
        )
    try:
        old = ast.literal_eval(node)
    except ValueError:
        return value  # an expression: whatever is given replaces it
    return _in_type_of(old, value, name, text)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text  # a bare word is a string: --set model=mlp


def _in_type_of(old: Any, value: Any, name: str, text: str) -> Any:
    """Return the value in the type of the old one. Raises UserError where that cannot be."""
    if isinstance(old, bool) and str(value).lower() in ('true', 'false'):
        return str(value).lower() == 'true'
    if isinstance(old, str) and not isinstance(value, str) and value is not None:
        return text
    if isinstance(old, float) and type(value) is int and jsonfile.is_number(value):
        return float(value)
    if old is None or value is None or type(value) is type(old):
        return value
    if {type(old), type(value)} == {tuple, list}:
        return type(old)(value)
    if type(old) is int and type(value) is float:
        return _whole(old, value, name, text)
    raise UserError(f'{name} = {text}: config.py has a {type(old).__name__} there ({old!r})')


def _whole(old: int, value: float, name: str, text: str) -> int:
    """Return the integer that 1e3 is. Raises UserError for 0.5."""
    if not value.is_integer():
        raise UserError(f'{name} = {text}: config.py has the whole number {old!r} there')
    return int(value)


def _is_plain(value: Any) -> bool:
    """Return whether statistic.json can hold it.

    It cannot hold a set, bytes, a complex number, an ellipsis, or inf, which 1e999 is.
    """
    try:
        json.dumps(value, allow_nan=False)
        return True
    except (TypeError, ValueError, RecursionError):
        return False


def _position(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    """Return the line and the column after the last; a node that was parsed has both."""
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


# cached: a sweep asks for each of its values
@functools.lru_cache(maxsize=8)
def _values(source: str) -> dict[str, ast.expr]:
    """Return {name: node of its value} of the module's own assignments of one name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    values = {}
    for node in tree.body:
        target, value = _assignment(node)
        if isinstance(target, ast.Name) and value and not target.id.startswith('_'):
            values[target.id] = value
    return values


def _assignment(node: ast.stmt) -> tuple[ast.expr | None, ast.expr | None]:
    """Return (target, value) of a statement that assigns to one target."""
    if isinstance(node, ast.AnnAssign):
        return node.target, node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return node.targets[0], node.value
    return None, None
