"""store/safe_read.py: a planted FIFO, device or huge file neither waits nor fills the memory."""

import os

import pytest

from tagrun.store import safe_read


def test_a_file_is_read_through_a_link_too(tmp_path):
    (tmp_path / 'a').write_bytes(b'x\0y')
    (tmp_path / 'link').symlink_to('a')
    assert safe_read.read_bytes(tmp_path / 'link') == b'x\0y'
    assert safe_read.read_or_none(str(tmp_path / 'a')) == b'x\0y'


def test_only_a_regular_file_is_opened(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    for path in (tmp_path / 'fifo', '/dev/zero'):
        with pytest.raises(ValueError, match='not a regular file'):
            safe_read.read_bytes(path)
        assert safe_read.read_or_none(path) is None
    with pytest.raises(IsADirectoryError):
        safe_read.read_bytes(tmp_path)
    assert safe_read.read_or_none(tmp_path / 'none') is None


def test_a_huge_file_is_opened_and_not_read_whole(tmp_path):
    with open(tmp_path / 'huge', 'wb') as file:
        file.truncate(safe_read.LARGEST + 1)
    with pytest.raises(ValueError, match='larger than 64 MB'):
        safe_read.read_bytes(tmp_path / 'huge')
    with safe_read.open_file(tmp_path / 'huge') as file:
        assert file.read(3) == b'\0\0\0'
