"""store/fingerprint.py: what two fingerprints say of the data."""

import pytest

from tagrun.store import fingerprint

WHOLE = {'samples': 10, 'digest': 'aa'}
UNREAD = {'samples': 10, 'digest': None}


@pytest.mark.parametrize(
    'one, other, differs, is_unknown',
    [
        (WHOLE, WHOLE, False, False),
        (WHOLE, {'samples': 10, 'digest': 'bb'}, True, False),
        (WHOLE, {'samples': 11, 'digest': 'aa'}, True, False),
        (WHOLE, UNREAD, False, True),
        (UNREAD, UNREAD, False, True),
        (UNREAD, {'samples': 11, 'digest': None}, True, False),
        (WHOLE, None, False, True),
        (None, None, False, True),
        (7, WHOLE, False, True),
    ],
)
def test_a_missing_digest_is_unknown_and_no_difference(one, other, differs, is_unknown):
    for pair in ((one, other), (other, one)):
        assert fingerprint.differs(*pair) == differs
        assert fingerprint.is_unknown(*pair) == is_unknown
