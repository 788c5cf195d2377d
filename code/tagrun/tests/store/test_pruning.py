"""store/pruning.py: a request to stop at the next epoch's end."""

from tagrun.store import pruning


def test_a_request_is_made_read_and_taken_back(tmp_path):
    assert pruning.reason(tmp_path) == ''
    pruning.request(tmp_path, 'median:\nval/acc 0.31')
    assert pruning.reason(tmp_path) == 'median: val/acc 0.31'
    pruning.clear(tmp_path)
    assert pruning.reason(tmp_path) == ''
    pruning.clear(tmp_path)


def test_a_file_made_by_hand_is_a_request_too(tmp_path):
    (tmp_path / pruning.NAME).touch()
    assert pruning.reason(tmp_path) == pruning.NAME
    (tmp_path / pruning.NAME).write_bytes(b'\xff' * 1000)
    assert len(pruning.reason(tmp_path)) == pruning.LONGEST
