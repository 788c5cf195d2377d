"""Run TensorBoard in the background: the project's shared one, and those of `itb`.

    start(repository); add(repository, folder)      # what `run` does at a terminal
    server = serve(folder, folder / 'runs')         # what `itb` does
    answers(folder, server['port'], folder / 'runs')

A server listens on 127.0.0.1 only. It holds an flock on its server.json for its life, so a dead
one is never taken for a running one. Runs are shown through links, named <tag>/<id>; no run is
copied.
"""

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.repository import Repository
from tagrun.store import atomic, beneath, layout, lock

FILE = 'server.json'  # in a TensorBoard's folder
LOG = 'server.log'  # beside it
FIRST_PORT, LAST_PORT = 6006, 6099
START_S, STOP_S = 60, 10  # at most, until a server is up or gone
ANSWER_S = 2  # to one question: a stranger at our port may never answer
READ_TRIES, READ_WAIT_S = 20, 0.1  # until a server's starter has written of it
RELOAD_S = 5  # between two looks at the event files


class Server(TypedDict, total=False):
    """A running TensorBoard; {} while its starter has not written of it."""

    pid: int
    port: int
    new: bool  # it was started now


def place(root: str | Path) -> Path:
    """Return the folder of the project's TensorBoards."""
    return layout.result(root) / '.tensorboard'


def start(repository: Repository) -> None:
    """Start the project's TensorBoard unless it runs.

    Not where this is no terminal, or CI or `git config tagrun.tensorboard` forbids it.
    """
    if os.environ.get('CI') or not sys.stderr.isatty() or not repository.flag('tensorboard', True):
        return
    folder = place(repository.root)
    server = serve(folder, folder / 'runs')
    if server.get('new'):
        echo(
            f'TensorBoard of all runs: http://127.0.0.1:{server["port"]}/   (`tagrun itb '
            '--stop` ends it)'
        )


def add(repository: Repository, folder: Path) -> None:
    """Let the project's TensorBoard show the run in `folder`."""
    link(place(repository.root) / 'runs', folder)


def link(logdir: Path, folder: Path) -> None:
    """Show the run in `folder` as <tag>/<id> under `logdir`; it may have no events yet."""
    runs = logdir / folder.parent.name
    beneath.make_folder(runs)
    atomic.link(runs / folder.name, os.path.relpath(folder / 'tensorboard', runs))


def serve(
    folder: Path, logdir: Path, options: Sequence[str] = (), port: int | None = None
) -> Server:
    """Serve `logdir`, unless the server of `folder` runs already; return the server.

    options: TensorBoard's own. port: None takes the first that is free. Whether it came up,
    `answers` tells.
    """
    try:
        beneath.make_folder(logdir)
        descriptor = beneath.open_file(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
    except OSError as error:
        raise UserError(f'{error.filename}: {error.strerror}; remove it') from None
    try:
        if not _take(descriptor):
            return _read(descriptor)
        os.ftruncate(descriptor, 0)  # what the one before wrote of itself
        port = port or free_port()
        atomic.write(folder / LOG, b'', durable=False)
        with open(atomic.open_to_append(folder / LOG), 'ab') as log:
            process = subprocess.Popen(
                _command(logdir, port, options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(descriptor,),
            )
        server = Server(pid=process.pid, port=port)
        os.pwrite(descriptor, json.dumps(server).encode() + b'\n', 0)
        return {**server, 'new': True}
    finally:
        os.close(descriptor)  # the server's own copy keeps the lock


def _command(logdir: Path, port: int, options: Sequence[str]) -> list[str]:
    words = [sys.executable, '-m', 'tensorboard.main', '--logdir', str(logdir)]
    words += ['--host', '127.0.0.1', '--port', str(port), '--reload_interval', str(RELOAD_S)]
    return [*words, *options]


def running(folder: Path) -> Server | None:
    """Return the server of `folder`, or None."""
    try:
        descriptor = beneath.open_file(folder / FILE, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return None if _lock(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def answers(folder: Path, port: int, logdir: Path, prefix: str = '') -> bool:
    """Wait for the server of `folder` to serve `logdir`.

    Returns False if it died, as it does when its port was taken meanwhile.
    """
    end = time.monotonic() + START_S
    while running(folder) and time.monotonic() < end:
        if _served(port, prefix) == str(logdir):
            return True
        time.sleep(0.1)
    return False


def _served(port: int, prefix: str) -> str | None:
    """Return the folder that a TensorBoard at a port serves; None where there is none yet."""
    import http.client  # here: every run loads this file, and most never ask

    try:
        # urllib would ask a proxy
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=ANSWER_S)
        connection.request('GET', f'{prefix}/data/environment')
        location: str | None = json.load(connection.getresponse()).get('data_location')
        return location
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return None  # not yet, or the port is somebody else's


def stop(folder: Path) -> bool:
    """End the server of `folder` and wait for it; return whether there was one."""
    server = running(folder)
    if server is None:
        return False
    if not lock.signal_holder(folder / FILE, server.get('pid'), signal.SIGTERM):
        raise UserError(
            f'{folder / FILE} names process {server.get("pid")}, which is not the TensorBoard that '
            'runs: end that one yourself, and remove the file'
        )
    end = time.monotonic() + STOP_S
    while running(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return True


def free_port() -> int:
    """Return the first free port from 6006 on, TensorBoard's own; 0 (any) if none is up to 6099."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    return 0


def _read(descriptor: int) -> Server:
    """Return what a running server's starter wrote of it; that one may still be at it."""
    for _ in range(READ_TRIES):
        text = os.pread(descriptor, 4096, 0)
        if text:
            return _parsed(text)
        time.sleep(READ_WAIT_S)
    return {}


def _parsed(text: bytes) -> Server:
    """Return what a server.json says; process and port 0 for what no starter of ours wrote."""
    try:
        content = json.loads(text)
        pid, port = content['pid'], content['port']
    except (ValueError, TypeError, KeyError, RecursionError):
        pid, port = 0, 0
    if type(pid) is not int or type(port) is not int or not 0 <= port < 1 << 16:
        pid, port = 0, 0
    return Server(pid=pid, port=port)


def _take(descriptor: int) -> bool:
    """Take the server's lock; return False where a server has it.

    Others that only look share it for an instant, and are waited for.
    """
    while _lock(descriptor, fcntl.LOCK_SH):
        if _lock(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(random.uniform(0.001, 0.02))
    return False


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
