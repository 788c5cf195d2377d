"""JSON as Tagrun writes it: readable, strict (no NaN literal: 'nan', 'inf' and '-inf' are strings), replaced as a whole.

    write(path, {'acc': float('nan')})   # {"acc": "nan"}
"""
import json
import math
import os
import stat

from tagrun.store import atomic

LARGEST = 64 << 20  # bytes; what is larger is no file of ours


def write(path, value):
    atomic.write(path, dumps(value).encode('utf-8', 'backslashreplace'))     # half of a surrogate pair: as JSON's own escape


def dumps(value):
    return json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + '\n'


def read(path):
    """The file's value, which is a dict. Raises OSError, or ValueError with a reason that names no path."""
    with open(path, 'rb', buffering=0, opener=_at_once) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError('not a regular file')
        if found.st_size > LARGEST:
            raise ValueError(f'larger than {LARGEST >> 20} MB')
        content = file.read()
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


def _at_once(path, flags):
    """Open without waiting: somebody else's results may hold a FIFO under a file's name."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _plain(value):
    if isinstance(value, float) and not math.isfinite(value):
        return 'nan' if math.isnan(value) else ('inf' if value > 0 else '-inf')
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
