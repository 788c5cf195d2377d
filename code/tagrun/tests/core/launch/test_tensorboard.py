"""TensorBoard's servers in the background."""

import fcntl
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from types import SimpleNamespace

from project_factory import wait_for

from tagrun.core.launch import tensorboard
from tagrun.store import layout


def test_a_board_is_one_on_loopback_until_it_is_stopped(tmp_path):
    server = tensorboard.serve(tmp_path, tmp_path / 'runs')
    try:
        assert server.get('new') and tensorboard.serve(tmp_path, tmp_path / 'runs') == {
            'pid': server['pid'],
            'port': server['port'],
        }
        wait_for(lambda: answers(server['port']), 60, 'TensorBoard')
        addresses = subprocess.run(
            ['ss', '-Hltn', f'sport = :{server["port"]}'], capture_output=True, text=True
        ).stdout
        assert not addresses or all('127.0.0.1' in line for line in addresses.splitlines())
    finally:
        assert tensorboard.stop(tmp_path)
    wait_for(lambda: tensorboard.running(tmp_path) is None, 20, 'its end')
    assert not tensorboard.stop(tmp_path)


def answers(port):
    try:
        return (
            urllib.request.urlopen(f'http://127.0.0.1:{port}/data/environment', timeout=2).status
            == 200
        )
    except OSError:
        return False


def test_without_a_terminal_and_in_ci_none_is_started(tmp_path, monkeypatch):
    repository = SimpleNamespace(root=tmp_path, flag=lambda name, default: True)
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: False, raising=False)
    tensorboard.start(repository)
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    monkeypatch.setenv('CI', 'true')
    tensorboard.start(repository)
    assert not tensorboard.place(tmp_path).exists()


def test_a_run_is_shown_through_a_link_before_it_has_events(tmp_path):
    folder = layout.run_folder(tmp_path, 't1', 0)
    for _ in range(2):
        tensorboard.add(SimpleNamespace(root=tmp_path), folder)
    link = tensorboard.place(tmp_path) / 'runs' / 't1' / '0'
    assert link.is_symlink() and link.resolve() == folder / 'tensorboard'


def test_a_port_that_is_taken_is_not_the_first_free_one():
    port = tensorboard.free_port()
    with socket.create_server(('127.0.0.1', port)):
        assert tensorboard.free_port() not in (0, port)


def test_a_server_that_died_runs_no_more_and_does_not_answer(tmp_path):
    (tmp_path / 'server.json').write_text('{"pid": 1, "port": 6006}')
    assert tensorboard.running(tmp_path) is None
    assert not tensorboard.stop(tmp_path)
    assert not tensorboard.answers(tmp_path, 6006, tmp_path)


def test_two_that_look_at_once_do_not_take_a_dead_server_for_alive(tmp_path):
    """Each holds the file while the other one looks."""
    (tmp_path / 'server.json').write_text('{"pid": 1, "port": 6006}')
    descriptor = os.open(tmp_path / 'server.json', os.O_RDWR)
    # as another process, in the middle of its look
    assert tensorboard._lock(descriptor, fcntl.LOCK_SH)
    assert tensorboard.running(tmp_path) is None
    os.close(descriptor)


def test_who_only_looks_does_not_keep_a_server_from_its_start(tmp_path, monkeypatch):
    """The start waits for who looks, and takes nothing that a dead server wrote for a live one."""
    monkeypatch.setattr(tensorboard, '_command', lambda *_: [sys.executable, '-c', 'input()'])
    (tmp_path / 'server.json').write_text('{"pid": 1, "port": 6006}')
    look = os.open(tmp_path / 'server.json', os.O_RDWR)
    assert tensorboard._lock(look, fcntl.LOCK_SH)
    timer = threading.Timer(0.3, os.close, [look])
    timer.start()
    server = tensorboard.serve(tmp_path, tmp_path / 'runs')
    timer.join()
    assert server.get('new') and server['pid'] != 1
