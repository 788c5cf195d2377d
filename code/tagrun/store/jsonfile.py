"""JSON as Tagrun writes it: readable, strict, replaced as a whole.

It has no NaN literal: 'nan', 'inf' and '-inf' are strings.

    write(path, {'acc': float('nan')})   # {"acc": "nan"}
"""

import json
import math
from pathlib import Path
from typing import Any

from tagrun.store import atomic, limits, safe_read
from tagrun.store.limits import Budget, Exceeded

GREATEST = 1 << 1023  # an integer from here on does not fit into a float


def write(path: str | Path, value: Any) -> None:
    """Replace the file by a value."""
    atomic.write(path, dumps(value))


def dumps(value: Any) -> str:
    """Return the text of a value. Half of a surrogate pair is written as JSON's escape."""
    text = json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + '\n'
    return text.encode('utf-8', 'backslashreplace').decode()


def read(
    path: str | Path, budget: Budget | None = None, longest: int = limits.JSON
) -> dict[str, Any]:
    """Return the file's object. Raises OSError, or ValueError with a reason that names no path.

    budget: of an operation that reads many (limits.of_reading). longest: bytes of the file.
    """
    content = safe_read.read_bytes(path)
    if len(content) > longest:
        raise Exceeded(f'larger than {longest >> 20} MB')
    if budget and len(content) > limits.SMALL:
        budget.take(**{limits.LARGE_FILES: len(content)})
    return parse(content)


def read_or_none(path: str | Path, longest: int = limits.JSON) -> dict[str, Any] | None:
    """Return the file's object; None where it cannot be read."""
    try:
        return read(path, longest=longest)
    except (OSError, ValueError):
        return None


def parse(content: bytes) -> dict[str, Any]:
    """Return the object that JSON's bytes hold. Raises ValueError with a reason."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'not JSON ({error})') from None
    if content.count(b'[') + content.count(b'{') > limits.DEPTH and depth(value) > limits.DEPTH:
        raise ValueError(f'nested deeper than {limits.DEPTH}')
    if not isinstance(value, dict):
        raise ValueError('not a JSON object')
    return value


def number(value: Any) -> float | None:
    """Return the float of what `write` made of a number ('nan', 'inf', '-inf' too), or None."""
    if isinstance(value, str) and value in ('nan', 'inf', '-inf'):
        return float(value)
    return float(value) if is_number(value) else None


def is_number(value: Any) -> bool:
    """Return whether a value is a float, or an integer that fits into one; no bool is."""
    return type(value) is float or (type(value) is int and abs(value) < GREATEST)


def depth(value: Any) -> int:
    """Return how deep dicts and lists lie within each other, without recursion."""
    count, level = 0, [value]
    while level:
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
        level = deeper
        count += 1
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
