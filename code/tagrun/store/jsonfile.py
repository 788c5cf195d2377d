"""JSON as Tagrun writes it: readable, strict (no NaN literal: 'nan', 'inf' and '-inf' are strings), replaced as a whole.

    write(path, {'acc': float('nan')})   # {"acc": "nan"}
"""
import json
import math

from tagrun.store import atomic

LARGEST = 64 << 20  # bytes; what is larger is no file of ours


def write(path, value):
    atomic.write(path, dumps(value))


def dumps(value):
    return json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + '\n'


def read(path):
    """The file's value, which is a dict. Raises OSError, or ValueError with a reason that names no path."""
    with open(path, 'rb') as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f'larger than {LARGEST >> 20} MB')
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'not JSON ({error})') from None
    if not isinstance(value, dict):
        raise ValueError('not a JSON object')
    return value


def number(value):
    """A float of what `write` made of a number ('nan', 'inf', '-inf' too), or None."""
    if isinstance(value, str) and value in ('nan', 'inf', '-inf'):
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _plain(value):
    if isinstance(value, float) and not math.isfinite(value):
        return 'nan' if math.isnan(value) else ('inf' if value > 0 else '-inf')
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
