"""Look at the researcher's objects in a copy of this process, which is thrown away afterwards.

    values, reason = throwaway.collect(lambda: fingerprints(loaders))

What the look does to the objects stays in the copy: files that a data set opens at its first
sample, counters, random numbers. A look that fails, crashes or takes too long costs no run.

The copy has this process's memory, but no connection, pipe or file of it: a data set that opened a
file beforehand reads it there at a position of the copy's own. It prints nothing, runs nothing at
exit, and dies with this process. It is of no use for what is on a GPU.
"""

import contextlib
import ctypes
import fcntl
import os
import pickle
import select
import signal
import stat
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import torch

SECONDS = 10  # that a look may take
SPARE_S = 2  # after which the copy ends itself, should this process be stopped
DIE_WITH_PARENT = 1  # Linux's PR_SET_PDEATHSIG
DESCRIPTORS = Path('/proc/self/fd')
HEAD = 8  # bytes before each value: its length


def collect(look: Callable[[], Iterable[Any]], seconds: float = SECONDS) -> tuple[list[Any], str]:
    """Return (the plain values that `look` yielded, why it ended before its end or '')."""
    offsets = {} if DESCRIPTORS.exists() else _offsets()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    reading, writing = os.pipe()
    try:
        child = _fork(look, writing, seconds)
    except OSError as error:
        os.close(reading)
        return [], f'no process could be started for it ({error.strerror})'
    finally:
        os.close(writing)
    try:
        content, is_late = _received(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        status = _end(child)
        _put_back(offsets)
    values = _unpacked(content)
    if values and isinstance(values[-1], _End):
        return values[:-1], values[-1].reason
    return values, f'it took longer than {seconds:g} s' if is_late else _death(status)


class _End:
    """The last thing that the copy sends. reason: what was raised, or ''."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


# --- this process --------------------------------------------------------------------------------


def _fork(look: Callable[[], Iterable[Any]], writing: int, seconds: float) -> int:
    """Start the copy; return its process id. Raises OSError."""
    parent = os.getpid()
    with warnings.catch_warnings():
        # of other threads: whatever one of them has locked, the copy's time is limited
        warnings.simplefilter('ignore')
        child = os.fork()
    if child == 0:
        _look_and_end(look, writing, seconds, parent)
    with contextlib.suppress(OSError):  # it was faster
        os.setpgid(child, child)
    return child


def _received(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Return (what the copy has sent, whether it was too late to send all)."""
    poll, content = select.poll(), bytearray()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(1000 * max(0, deadline - time.monotonic())):
        part = os.read(descriptor, 1 << 20)
        if not part:
            return bytes(content), False
        content += part
    return bytes(content), True


def _end(child: int) -> int:
    """Kill the copy, and what it started. Return how it ended, in the form of os.waitpid."""
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _death(status: int) -> str:
    """Return how a process ended that has not sent its end."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f'it ended the process with exit code {code}'
    return f'it crashed ({signal.Signals(-code).name})'


def _unpacked(content: bytes) -> list[Any]:
    """Return the values of which all bytes have come."""
    values, start = [], 0
    while start + HEAD <= len(content):
        length = int.from_bytes(content[start : start + HEAD], 'big')
        packed = content[start + HEAD : start + HEAD + length]
        if len(packed) < length:
            break
        values.append(pickle.loads(packed))
        start += HEAD + length
    return values


def _offsets() -> dict[int, int]:
    """Return {descriptor: position} of the files that are read, where a copy would move them."""
    offsets = {}
    for descriptor in _descriptors(Path('/dev/fd')):
        with contextlib.suppress(OSError):
            mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
            if mode != os.O_WRONLY and stat.S_ISREG(os.fstat(descriptor).st_mode):
                offsets[descriptor] = os.lseek(descriptor, 0, os.SEEK_CUR)
    return offsets


def _put_back(offsets: dict[int, int]) -> None:
    for descriptor, offset in offsets.items():
        with contextlib.suppress(OSError):
            os.lseek(descriptor, offset, os.SEEK_SET)


# --- the copy ------------------------------------------------------------------------------------


def _look_and_end(
    look: Callable[[], Iterable[Any]], descriptor: int, seconds: float, parent: int
) -> NoReturn:
    """Send what `look` yields, and end this process, whatever happens."""
    try:
        _limit(seconds, parent)
        _let_go(descriptor)
        torch.set_num_threads(1)  # a copy has none of the threads of torch's pool
        _send_all(look, descriptor)
        os.killpg(0, signal.SIGKILL)  # what it started may hold the pipe
    finally:
        os._exit(1)


def _send_all(look: Callable[[], Iterable[Any]], descriptor: int) -> None:
    reason = ''
    try:
        for value in look():
            _send(value, descriptor)
    except BaseException as error:
        reason = describe(error)
    _send(_End(reason), descriptor)


def _send(value: Any, descriptor: int) -> None:
    packed = pickle.dumps(value)
    content = memoryview(len(packed).to_bytes(HEAD, 'big') + packed)
    while content:
        content = content[os.write(descriptor, content) :]


def describe(error: BaseException) -> str:
    """Return an exception as a part of a sentence: 'KeyError: 0'."""
    text = ' '.join(str(error).split())[:100]
    return f'{type(error).__name__}: {text}' if text else type(error).__name__


def _limit(seconds: float, parent: int) -> None:
    """Die in time, and with the process that this one is a copy of."""
    os.setpgid(0, 0)  # Ctrl-C is not for it
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + SPARE_S)
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _let_go(kept: int) -> None:
    """Take a position of its own in each file, and leave pipes, connections and the screen alone.

    What this process would print goes nowhere.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    stream = open(os.devnull, 'w')  # noqa: SIM115
    for name in ('stdout', 'stderr', '__stdout__', '__stderr__'):
        setattr(sys, name, stream)
    for descriptor in _descriptors(DESCRIPTORS):
        if descriptor > 2 and descriptor not in (kept, nothing, stream.fileno()):
            with contextlib.suppress(OSError):
                _replace(descriptor, nothing)


def _replace(descriptor: int, nothing: int) -> None:
    """Put in the place of a descriptor what this process may use there."""
    flags, mode = fcntl.fcntl(descriptor, fcntl.F_GETFL), os.fstat(descriptor).st_mode
    if flags & os.O_ACCMODE == os.O_WRONLY or os.isatty(descriptor):
        os.dup2(nothing, descriptor, inheritable=False)
    elif stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
        _move(os.open(os.devnull, os.O_PATH), descriptor)  # to read it is an error
    elif stat.S_ISREG(mode):
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        _move(_opened_again(descriptor, flags), descriptor)
        os.lseek(descriptor, offset, os.SEEK_SET)


def _opened_again(descriptor: int, flags: int) -> int:
    try:
        return os.open(DESCRIPTORS / str(descriptor), flags)
    except OSError:  # e.g. one that may not be read any more
        return os.open(os.devnull, os.O_PATH)


def _move(source: int, descriptor: int) -> None:
    os.dup2(source, descriptor, inheritable=False)
    os.close(source)


def _descriptors(folder: Path) -> list[int]:
    if not folder.exists():
        return []
    return [int(name) for name in os.listdir(folder)]
