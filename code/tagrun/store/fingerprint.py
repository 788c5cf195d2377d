"""The fingerprint of a phase's data, as environment.json has it: {'samples': 3600, 'digest': …}.

    differs(one, other); is_unknown(one, other)

It is None for data that cannot be read by index, and its digest is None where the samples could not
be read. Then nobody knows whether the data are the same.
"""

from collections.abc import Mapping
from typing import Any


def differs(one: Any, other: Any) -> bool:
    """Return whether two fingerprints are of different data, as far as both are known."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return False
    keys = [key for key in ('samples', 'digest') if _both_have(key, one, other)]
    return any(one[key] != other[key] for key in keys)


def is_unknown(one: Any, other: Any) -> bool:
    """Return whether the two do not say if the data are the same."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return True
    return not differs(one, other) and not _both_have('digest', one, other)


def _both_have(key: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.get(key) is not None and other.get(key) is not None
