"""TensorBoard in the background: the project's shared one, and those of `itb`. On 127.0.0.1 only.

    start(repository); add(repository, folder)      # what `run` does at a terminal
    server = serve(folder, folder / 'runs'); answers(folder, server['port'], folder / 'runs')     # what `itb` does

A server holds an flock on its server.json for its life, so a dead one is never taken for a running one. Runs are shown through
links, named <tag>/<id>; no run is copied.
"""
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tagrun.command.say import say
from tagrun.store import atomic, layout

FIRST_PORT, LAST_PORT = 6006, 6099
START_S, STOP_S = 60, 10     # at most, until a server is up or gone
ANSWER_S = 2                 # to one question: a stranger at our port may never say a word


def place(root):
    return layout.result(root) / '.tensorboard'


def start(repository):
    """Start the project's TensorBoard unless it runs, this is no terminal, or CI or git config tagrun.tensorboard say no."""
    if os.environ.get('CI') or not sys.stderr.isatty() or not repository.flag('tensorboard', True):
        return
    found = serve(place(repository.root), place(repository.root) / 'runs')
    if found.get('new'):
        say(f'TensorBoard of all runs: http://127.0.0.1:{found["port"]}/   (`tagrun itb --stop` ends it)')


def add(repository, folder):
    """Let the project's TensorBoard show the run in `folder`."""
    link(place(repository.root) / 'runs', folder)


def link(logdir, folder):
    """Show the run in `folder` as <tag>/<id> under `logdir`; it may have no events yet."""
    runs = logdir / folder.parent.name
    runs.mkdir(parents=True, exist_ok=True)
    atomic.link(runs / folder.name, os.path.relpath(folder / 'tensorboard', runs))


def serve(place, logdir, options=(), port=None):
    """Serve `logdir`, unless the server of `place` runs already: {'pid', 'port'}, and 'new' if it was started now.

    options: TensorBoard's own. port: None takes the first that is free. Whether it came up, `answers` says.
    """
    Path(logdir).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place / 'server.json', os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        if not _lock(descriptor):
            return _told(descriptor)
        os.ftruncate(descriptor, 0)     # what the one before told of itself
        port = port or free_port()
        with open(place / 'server.log', 'wb') as log:
            process = subprocess.Popen(
                [sys.executable, '-m', 'tensorboard.main', '--logdir', logdir, '--host', '127.0.0.1', '--port', str(port),
                 '--reload_interval', '5', *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(descriptor,))
        server = {'pid': process.pid, 'port': port}
        os.pwrite(descriptor, json.dumps(server).encode() + b'\n', 0)
        return {**server, 'new': True}
    finally:
        os.close(descriptor)    # the server's own copy keeps the lock


def running(place):
    """{'pid', 'port'} of the server of `place`, or None."""
    try:
        descriptor = os.open(place / 'server.json', os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return None if _lock(descriptor) else _told(descriptor)
    finally:
        os.close(descriptor)


def answers(place, port, logdir, prefix=''):
    """Wait for the server of `place` to serve `logdir`: False if it died, as it does when its port was taken meanwhile."""
    import http.client      # here: every run loads this file, and most never ask
    end = time.monotonic() + START_S
    while running(place) and time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=ANSWER_S)    # urllib would ask a proxy
            connection.request('GET', f'{prefix}/data/environment')
            if json.load(connection.getresponse()).get('data_location') == str(logdir):
                return True
        except (OSError, ValueError, http.client.HTTPException):
            pass    # not yet, or the port is somebody else's
        time.sleep(0.1)
    return False


def stop(place):
    """End the server of `place` and wait for it; True if there was one."""
    server = running(place)
    if not server:
        return False
    os.kill(server['pid'], signal.SIGTERM)
    end = time.monotonic() + STOP_S
    while running(place) and time.monotonic() < end:
        time.sleep(0.05)
    return True


def free_port():
    """The first free port from 6006 on, TensorBoard's own; 0 (any) if all up to 6099 are taken."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    return 0


def _told(descriptor):
    """What a running server's starter wrote of it; that one may still be at it."""
    for _ in range(20):
        if text := os.pread(descriptor, 4096, 0):
            return json.loads(text)
        time.sleep(0.1)
    return {}


def _lock(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
