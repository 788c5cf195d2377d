"""store/selftest_notes.py: what a training of selftest notes of itself."""

from tagrun.store import selftest_notes


def test_what_was_written_is_read_and_what_is_missing_is_empty(tmp_path):
    empty = {name: [] for name in selftest_notes.LISTS}
    assert selftest_notes.read(tmp_path) == empty
    moments = [[0, 1, 'train', 1], [1, 1, None, 0]]
    selftest_notes.write(tmp_path, {'moments': moments})
    assert selftest_notes.read(tmp_path) == {**empty, 'moments': moments}
