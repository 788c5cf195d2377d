"""training/log.py: all that is printed is in the log too, whatever becomes of the screen."""

import os
import re
import subprocess
import sys

import pytest
from project_factory import CODE

from tagrun.training.log import Log


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'log'


def test_what_is_printed_is_on_the_screen_and_in_the_file_until_it_is_closed(path, capsys):
    log = Log(path, times=False)
    print('one')
    print('two', file=sys.stderr)
    log.only_file('three\n')
    log.close()
    print('four')
    assert path.read_text() == 'one\ntwo\nthree\n'
    screen = capsys.readouterr()
    assert (screen.out, screen.err) == ('one\nfour\n', 'two\n')


def test_a_second_start_adds_to_the_log(path):
    for text in ('one\n', 'two\n'):
        log = Log(path, times=False)
        log.only_file(text)
        log.close()
    assert path.read_text() == 'one\ntwo\n'


def test_a_further_process_shows_nothing_and_logs_its_errors_alone(path, capsys):
    log = Log(path, shown=False, times=False)
    print('one')
    print('two', file=sys.stderr)
    log.close()
    assert path.read_text() == 'two\n' and capsys.readouterr() == ('', '')


class Gone:
    """A terminal that went away."""

    encoding = 'latin-1'

    def write(self, text):
        raise BrokenPipeError

    def fileno(self):
        raise OSError


def test_a_screen_that_goes_away_stops_nothing(path, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', Gone())
    log = Log(path, times=False)
    print('one')
    print('two')
    assert sys.stdout.encoding == 'latin-1'  # all else is the screen's
    log.close()
    assert path.read_text() == 'one\ntwo\n'


def test_a_screen_that_is_the_log_gets_each_line_once(path, monkeypatch):
    with open(path, 'a') as screen:
        monkeypatch.setattr(sys, 'stdout', screen)
        log = Log(path, times=False)
        print('one')
        log.close()
    assert path.read_text() == 'one\n'


def test_what_has_no_bytes_is_replaced(path):
    log = Log(path, times=False)
    log.only_file('a \ud800 b')
    log.close()
    assert path.read_text() == 'a ? b'


def test_a_log_that_is_a_link_is_refused(path, tmp_path):
    os.symlink(tmp_path / 'elsewhere', path)
    with pytest.raises(OSError):
        Log(path, times=False)
    assert not (tmp_path / 'elsewhere').exists()


def test_streams_that_are_closed_lead_nowhere_and_no_file_takes_their_place(tmp_path):
    code = """
import os, sys
from tagrun.training.log import Log, open_streams
open_streams()
nothing = os.stat(os.devnull)
assert all(os.path.samestat(os.fstat(number), nothing) for number in range(3))
assert sys.__stdout__ is sys.stdout and sys.__stderr__ is sys.stderr and sys.stdin.read() == ''
log = Log('log', times=False)
print('one'); print('two', file=sys.stderr)
log.close()
"""
    words = f'"{sys.executable}" -c "$CODE_TEXT" <&- >&- 2>&-'
    env = {**os.environ, 'PYTHONPATH': str(CODE), 'CODE_TEXT': code}
    assert subprocess.run(words, shell=True, cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / 'log').read_text() == 'one\ntwo\n'


def test_each_line_has_its_time_and_two_streams_never_share_one(path):
    log = Log(path)
    print('one', 'two')
    print('three', end='')
    print('four\n\nfive', file=sys.stderr)
    print('six')
    log.head(['--- t1/0'])
    log.close()
    lines = path.read_text().split('\n')
    texts = ['one two', 'three', 'four', '', 'five', 'six', '--- t1/0', '']
    assert [re.sub(r'^\d\d:\d\d:\d\d ', '', line) for line in lines] == texts
    assert sum(line[2:3] == ':' for line in lines) == 5


def test_a_new_day_is_said_before_its_first_line(path, monkeypatch):
    log = Log(path)
    clock = iter(['2100-01-01 00:00:01', '2100-01-01 00:00:02'])
    monkeypatch.setattr('tagrun.training.log.time.strftime', lambda _: next(clock))
    log.only_file('one\ntwo\n')
    log.close()
    assert path.read_text() == '--- 2100-01-01\n00:00:01 one\n00:00:02 two\n'


# a process of its own: descriptor 2 is this process's
NOISY = """
import logging, os, subprocess, sys, warnings
from pathlib import Path
logging.basicConfig(format='%(message)s')
library = logging.getLogger('library')
library.propagate = False
library.addHandler(logging.StreamHandler())
from tagrun.training.log import Log
log = Log(Path('log'))
print('my print')
print('my error', file=sys.stderr)
sys.stdout.writelines(['my ', 'lines\\n'])
logging.warning('my logger')
library.warning('their logger')
warnings.warn('their warning')
subprocess.run('echo their child >&2', shell=True)
os.write(2, b'their C library\\n')
class Failing:
    def __del__(self):
        raise ValueError('nobody catches it')
del (failing := [Failing()])[:]
exec('print("No graph saved")', {'__name__': 'torch.utils.tensorboard'})
if os.fork() == 0:
    exec('sys.stderr.write("Process 3:\\\\n")', {'__name__': 'multiprocessing.process', 'sys': sys})
    print('my worker')
    os._exit(0)
os.wait()
log.screen.write('a bar\\n')
log.say_warnings()
kept = sys.stderr
log.close()
os.write(2, b'after\\n')
logging.warning('my logger after')
kept.write('a stream that somebody kept\\n')
"""


def test_noise_is_in_the_log_alone_and_what_the_researcher_prints_is_seen(tmp_path):
    env = {**os.environ, 'PYTHONPATH': str(CODE)}
    command = [sys.executable, '-c', NOISY]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.split('\n') == ['my print', 'my lines', 'my worker', '']
    assert done.stderr.split('\n') == [
        'my error',
        'my logger',
        'a bar',
        'tagrun: a warning is in log',
        'after',
        'my logger after',
        'a stream that somebody kept',
        '',
    ]
    log = (tmp_path / 'log').read_text()
    for text in ('print', 'error', 'lines', 'logger', 'worker'):
        assert log.count(f' my {text}\n') == 1
    for text in ('their logger', 'UserWarning: their warning', 'their child', 'their C library'):
        assert log.count(text) == 1
    assert 'nobody catches it' in log and 'No graph saved' in log and 'Process 3:' in log
    assert 'a bar' not in log and 'after' not in log and 'kept' not in log


def test_a_background_run_has_its_plain_lines_of_progress_in_the_log_with_times(path, monkeypatch):
    with open(path, 'a') as screen:
        monkeypatch.setattr(sys, 'stderr', screen)
        log = Log(path)
        print('epoch 1/3 train 5/18', file=log.screen)
        log.close()
    assert re.fullmatch(r'\d\d:\d\d:\d\d epoch 1/3 train 5/18\n', path.read_text())
