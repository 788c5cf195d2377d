"""Files are old or new, never a part; what somebody planted is not followed."""
import os
import subprocess
import sys

import pytest

from tagrun.store import atomic


def test_a_block_that_fails_changes_nothing_and_leaves_nothing(tmp_path):
    atomic.write(tmp_path / 'a', 'old')
    with pytest.raises(ZeroDivisionError):
        with atomic.replacing(tmp_path / 'a') as file:
            file.write(b'half')
            raise ZeroDivisionError
    assert (tmp_path / 'a').read_text() == 'old' and os.listdir(tmp_path) == ['a']


def test_a_planted_link_is_replaced_not_followed(tmp_path):
    canary = tmp_path / 'canary'
    canary.write_text('sings')
    (tmp_path / 'statistic.json').symlink_to(canary)
    atomic.write(tmp_path / 'statistic.json', 'new')
    assert canary.read_text() == 'sings' and not (tmp_path / 'statistic.json').is_symlink()
    (tmp_path / 'list').symlink_to(canary)
    with pytest.raises(OSError):
        atomic.append_line(tmp_path / 'list', 'x')
    assert canary.read_text() == 'sings'


def test_files_honour_the_umask(tmp_path):
    before = os.umask(0o002)
    atomic.write(tmp_path / 'a', 'x')
    os.umask(before)
    assert (tmp_path / 'a').stat().st_mode & 0o777 == 0o664


def test_a_reader_always_finds_the_link(tmp_path):
    atomic.link(tmp_path / 'last', 'epoch_0.pth')
    code = 'import os\nn = 0\nwhile not os.path.exists("stop"):\n    os.readlink("last"); n += 1\nprint(n)'
    reader = subprocess.Popen([sys.executable, '-c', code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for number in range(5000):
        atomic.link(tmp_path / 'last', f'epoch_{number}.pth')
    (tmp_path / 'stop').touch()
    assert int(reader.communicate(timeout=30)[0]) > 100 and reader.returncode == 0


def test_a_line_is_added_once_and_a_torn_one_before_it_is_ended(tmp_path):
    (tmp_path / 'list').write_text('t1/0\nt1/')
    assert atomic.append_line(tmp_path / 'list', 't1/1') and not atomic.append_line(tmp_path / 'list', 't1/1')
    assert (tmp_path / 'list').read_text() == 't1/0\nt1/\nt1/1\n'


def test_many_processes_that_append_lose_no_line(tmp_path):
    code = 'import sys; from tagrun.store import atomic\nfor n in range(50): atomic.append_line("list", f"{sys.argv[1]}/{n}")'
    env = {**os.environ, 'PYTHONPATH': str(atomic.Path(atomic.__file__).parents[2])}
    for process in [subprocess.Popen([sys.executable, '-c', code, str(number)], cwd=tmp_path, env=env) for number in range(4)]:
        assert process.wait() == 0
    assert len(set((tmp_path / 'list').read_text().splitlines())) == 200
