"""JSON as Tagrun writes it: readable, strict (no NaN literal: 'nan', 'inf' and '-inf' are strings), replaced as a whole.

    write(path, {'acc': float('nan')})   # {"acc": "nan"}
"""
import json
import math

from tagrun.store import atomic, reading

DEEPEST = 100           # brackets within brackets: every reader may then follow them by recursion
GREATEST = 1 << 1023    # of an integer that is a number: what is larger is no float


def write(path, value):
    atomic.write(path, dumps(value).encode('utf-8', 'backslashreplace'))     # half of a surrogate pair: as JSON's own escape


def dumps(value):
    return json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + '\n'


def read(path):
    """The file's value, which is a dict. Raises OSError, or ValueError with a reason that names no path."""
    return parse(reading.regular(path))


def parse(content):
    """The dict that JSON's bytes hold. Raises ValueError with a reason."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'not JSON ({error})') from None
    if content.count(b'[') + content.count(b'{') > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f'nested deeper than {DEEPEST}')
    if not isinstance(value, dict):
        raise ValueError('not a JSON object')
    return value


def number(value):
    """A float of what `write` made of a number ('nan', 'inf', '-inf' too), or None."""
    if isinstance(value, str) and value in ('nan', 'inf', '-inf'):
        return float(value)
    return float(value) if is_number(value) else None


def is_number(value):
    """Whether it is a float, or an integer that has one; True and False are no numbers."""
    return type(value) is float or type(value) is int and abs(value) < GREATEST


def _depth(value):
    """How deep dicts and lists lie within each other, without recursion."""
    depth, level = 0, [value]
    while level:
        level = [item for one in level if isinstance(one, (dict, list)) for item in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return depth


def _plain(value):
    if isinstance(value, float) and not math.isfinite(value):
        return 'nan' if math.isnan(value) else ('inf' if value > 0 else '-inf')
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
