"""training/throwaway.py: a look leaves no trace in this process, and costs no run."""

import faulthandler
import fcntl
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from project_factory import CODE, wait_for

from tagrun.training import throwaway


def look(function, **options):
    """(What a function returned in the copy, why it did not)."""
    values, reason = throwaway.collect(lambda: (function() for _ in range(1)), **options)
    return (values[0] if values else None), reason


def test_values_come_back_and_nothing_else_of_it_does():
    here = []

    def change():
        here.append(1)
        torch.manual_seed(1)
        random.seed(1)
        os.chdir('/')
        return len(here)

    torch.manual_seed(7)
    random.seed(7)
    expected, folder = (torch.rand(()).item(), random.random()), os.getcwd()
    torch.manual_seed(7)
    random.seed(7)
    assert look(change) == (1, '') and here == []
    assert (torch.rand(()).item(), random.random()) == expected and os.getcwd() == folder


def test_values_larger_than_a_pipe_come_back():
    value = bytes(range(256)) * 20_000
    assert look(lambda: value) == (value, '')


@pytest.mark.parametrize('own_positions', [True, False], ids=['linux', 'elsewhere'])
def test_a_file_that_was_open_is_read_at_a_position_of_the_copys_own(
    tmp_path, monkeypatch, own_positions
):
    if not own_positions:
        monkeypatch.setattr(throwaway, 'DESCRIPTORS', tmp_path / 'none')
    path = tmp_path / 'data'
    path.write_bytes(bytes(range(200)))
    with open(path, 'rb', buffering=0) as file, open(path, 'r+b', buffering=0) as both:
        file.seek(10)
        both.seek(20)
        assert look(lambda: (file.read(3), both.read(2))) == ((b'\n\x0b\x0c', b'\x14\x15'), '')
        assert (file.tell(), both.tell()) == (10, 20)


def test_while_the_copy_reads_this_process_reads_where_it_was(tmp_path):
    path = tmp_path / 'data'
    path.write_bytes(bytes(200))
    answer, question = os.pipe()
    with open(path, 'rb', buffering=0) as file:

        def slow():
            for _ in range(50):
                file.seek(100)
                time.sleep(0.01)

        thread = threading.Thread(target=lambda: os.write(question, look(slow)[1].encode() + b'.'))
        thread.start()
        moved = set()
        while thread.is_alive():
            moved.add(file.tell())
        thread.join()
    assert moved == {0} and os.read(answer, 100) == b'.'
    os.close(answer)
    os.close(question)


def test_a_connection_and_a_pipe_are_not_read_by_the_copy():
    one, other = socket.socketpair()
    reading, writing = os.pipe()
    other.send(b'mine')
    os.write(writing, b'mine')
    for read in (lambda: one.recv(4), lambda: os.read(reading, 4), lambda: one.send(b'x')):
        value, reason = look(read)
        assert value is None and 'Error' in reason
    assert one.recv(4) == b'mine' and os.read(reading, 4) == b'mine'
    one.close()
    other.close()
    os.close(reading)
    os.close(writing)


def test_a_lock_of_this_process_is_not_held_on_by_the_copy(tmp_path):
    path, locked = tmp_path / 'lock', []
    file = open(path, 'w+')  # noqa: SIM115
    fcntl.flock(file, fcntl.LOCK_EX)

    def lock_again():
        """Once the copy lives: let go of the lock here, and take it anew."""
        while not (tmp_path / 'lives').exists():
            time.sleep(0.01)
        file.close()
        with open(path, 'w+') as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked.append(True)
        (tmp_path / 'go').touch()

    def live():
        (tmp_path / 'lives').touch()
        while not (tmp_path / 'go').exists():
            time.sleep(0.01)

    thread = threading.Thread(target=lock_again)
    thread.start()
    assert look(live, seconds=60) == (None, '')
    thread.join()
    assert locked == [True]


def test_what_it_prints_goes_nowhere_and_nothing_is_printed_twice(tmp_path):
    script = f"""
import atexit, logging, os, sys; sys.path.append({str(CODE)!r})
from tagrun.training import throwaway
file = open(sys.argv[1], 'w')
file.write('once')
handler = logging.StreamHandler(sys.stdout); logging.root.addHandler(handler)
atexit.register(lambda: print('at exit'))
def look():
    print('hidden', flush=True); os.write(1, b'hidden'); os.write(2, b'hidden')
    logging.warning('hidden'); file.write('hidden'); file.flush()
    yield 1
sys.stdout.write('begin ')
values = throwaway.collect(look)
print(*values)
"""
    path = tmp_path / 'file'
    done = subprocess.run(
        [sys.executable, '-c', script, path], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == ('begin [1] \nat exit\n', '')
    assert path.read_text() == 'once'


def crash():
    faulthandler._sigsegv()


def refuse():
    raise KeyError('a')


@pytest.mark.parametrize(
    'end, reason',
    [
        (refuse, "KeyError: 'a'"),
        (lambda: sys.exit(3), 'SystemExit: 3'),
        (lambda: os._exit(0), 'it ended the process with exit code 0'),
        (lambda: os._exit(7), 'it ended the process with exit code 7'),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), 'it crashed (SIGKILL)'),
        (crash, 'it crashed (SIGSEGV)'),
        (signal.pause, 'it took longer than 0.5 s'),
        (threading.Lock, 'TypeError'),
    ],
)
def test_a_look_that_fails_dies_or_hangs_is_a_reason_and_keeps_what_came_before(end, reason):
    def values():
        yield 'first'
        yield end()

    seconds = 0.5 if 'longer' in reason else 60
    first, why = throwaway.collect(values, seconds)
    assert reason in why and first == ['first']


def test_a_lock_that_another_thread_holds_is_waited_for_no_longer_than_the_limit():
    lock, held, done = threading.Lock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert look(lock.acquire, seconds=0.3) == (None, 'it took longer than 0.3 s')
    finally:
        done.set()
        thread.join()


def test_what_the_copy_started_ends_with_it():
    def start():
        return subprocess.Popen(['sleep', '600']).pid

    begun = time.monotonic()
    pid, reason = look(start, seconds=120)
    assert reason == '' and time.monotonic() - begun < 100
    wait_for(lambda: not is_running(pid), what='its end')
    assert not is_running(pid)


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] not in 'ZX'
    except FileNotFoundError:
        return False


def test_the_copy_dies_with_the_process_that_started_it():
    script = f"""
import os, sys, time; sys.path.append({str(CODE)!r})
from tagrun.training import throwaway
def look():
    os.write(said, str(os.getpid()).encode())
    os.close(said)
    time.sleep(600)
    yield 1
said = os.dup(1)
throwaway._replace = lambda *_: None
throwaway.collect(look, 600)
"""
    process = subprocess.Popen([sys.executable, '-c', script], stdout=subprocess.PIPE)
    pid = int(os.read(process.stdout.fileno(), 20))
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: not is_running(pid), what='its end')
    assert not is_running(pid)


def children():
    """The processes that this one has started and that are there."""
    lists = Path('/proc/self/task').glob('*/children')
    return {pid for path in lists for pid in path.read_text().split()}


def test_no_descriptor_and_no_child_is_left():
    gc.collect()
    before = set(os.listdir('/proc/self/fd')), children()
    for function in (lambda: 1, refuse, lambda: os._exit(1)):
        look(function)
    assert (set(os.listdir('/proc/self/fd')), children()) == before


def test_a_system_that_starts_no_process_is_a_reason(monkeypatch):
    def full():
        raise BlockingIOError(11, 'Resource temporarily unavailable')

    monkeypatch.setattr(os, 'fork', full)
    values, reason = throwaway.collect(lambda: [1])
    assert values == [] and 'Resource temporarily unavailable' in reason


def test_torch_computes_in_the_copy_whatever_it_did_before():
    matrix = torch.ones(600, 600)
    before, torch_threads = (matrix @ matrix).sum().item(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        (matrix @ matrix).sum()
        assert look(lambda: (matrix @ matrix).sum().item()) == (before, '')
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(torch_threads)
