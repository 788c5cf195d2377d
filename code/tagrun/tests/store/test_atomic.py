"""Files are old or new, never a part; what somebody planted is not followed."""

import errno
import io
import os
import subprocess
import sys

import pytest

from tagrun.store import atomic


def test_a_block_that_fails_changes_nothing_and_leaves_nothing(tmp_path):
    atomic.write(tmp_path / 'a', 'old')
    with pytest.raises(ZeroDivisionError), atomic.replacing(tmp_path / 'a') as file:
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
    code = (
        'import os\nn = 0\nwhile not os.path.exists("stop"):\n'
        '    os.readlink("last"); n += 1\nprint(n)'
    )
    reader = subprocess.Popen(
        [sys.executable, '-c', code], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    for number in range(5000):
        atomic.link(tmp_path / 'last', f'epoch_{number}.pth')
    (tmp_path / 'stop').touch()
    assert int(reader.communicate(timeout=30)[0]) > 100 and reader.returncode == 0


def test_a_line_is_added_once_and_a_torn_one_before_it_is_ended(tmp_path):
    (tmp_path / 'list').write_text('t1/0\nt1/')
    assert atomic.append_line(tmp_path / 'list', 't1/1') and not atomic.append_line(
        tmp_path / 'list', 't1/1'
    )
    assert (tmp_path / 'list').read_text() == 't1/0\nt1/\nt1/1\n'


def test_many_processes_that_append_lose_no_line(tmp_path):
    code = (
        'import sys; from tagrun.store import atomic\n'
        'for n in range(50): atomic.append_line("list", f"{sys.argv[1]}/{n}")'
    )
    env = {**os.environ, 'PYTHONPATH': str(atomic.Path(atomic.__file__).parents[2])}
    for process in [
        subprocess.Popen([sys.executable, '-c', code, str(number)], cwd=tmp_path, env=env)
        for number in range(4)
    ]:
        assert process.wait() == 0
    assert len(set((tmp_path / 'list').read_text().splitlines())) == 200


def test_a_full_disk_is_named_with_what_is_needed_and_free(tmp_path):
    full = OSError(errno.ENOSPC, 'No space left on device')
    text = str(atomic.with_context(full, tmp_path / 'a', needed=4000))
    assert f'while writing {tmp_path}/a: about 4,000 bytes are needed, ' in text
    assert text.endswith(' bytes are free')
    other = OSError(errno.EIO, 'Input/output error')
    assert str(atomic.with_context(other, 'a')).endswith('Input/output error while writing a')
    named = OSError(errno.EIO, 'Input/output error', 'b')
    assert atomic.with_context(named, 'a') is named


def test_all_of_a_content_is_written_however_little_the_disk_takes_at_once(tmp_path):
    class Slow(io.FileIO):
        def write(self, content):
            return super().write(content[:3])

    with Slow(tmp_path / 'a', 'w') as file:
        atomic.write_all(file, b'0123456789')
    assert (tmp_path / 'a').read_bytes() == b'0123456789'


def test_of_many_lines_the_new_ones_are_added(tmp_path):
    assert atomic.append_lines(tmp_path / 'list', ['a', 'b']) == ['a', 'b']
    assert atomic.append_lines(tmp_path / 'list', ['b', 'c']) == ['c']
    assert (tmp_path / 'list').read_text() == 'a\nb\nc\n'
    os.mkfifo(tmp_path / 'fifo')
    with pytest.raises(OSError, match='not a regular file'):
        atomic.append_lines(tmp_path / 'fifo', ['a'])


def test_a_pipe_under_a_lists_name_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'finished.txt')
    with pytest.raises(OSError, match='not a regular file'):
        atomic.append_line(tmp_path / 'finished.txt', 't1/0')


def test_a_line_is_added_after_a_torn_one_on_a_line_of_its_own(tmp_path):
    path = tmp_path / 'finished.txt'
    for line in ('t1/0', 't1/1'):
        atomic.append(path, line)
    path.write_text(path.read_text() + 't')
    atomic.append(path, 't1/2')
    assert path.read_text() == 't1/0\nt1/1\nt\nt1/2\n'


@pytest.mark.parametrize(
    'before, after', [('a\nt', 'a\nt1/0\n'), ('t1/0', 't1/0\n'), ('a\n', 'a\n'), ('b', 'b')]
)
def test_a_torn_line_is_completed_where_it_is_the_beginning_of_another(tmp_path, before, after):
    path = tmp_path / 'finished.txt'
    path.write_text(before)
    atomic.complete_torn(path, 't1/0', lambda text: False)
    assert path.read_text() == after
    path.write_text(before)
    atomic.complete_torn(path, 't1/0', lambda text: True)
    assert path.read_text() == before
