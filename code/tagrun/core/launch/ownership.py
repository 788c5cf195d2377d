"""Own a run from before its training is started until that training owns it.

    with Owned(folder) as owned:             # UserError where somebody else has the run
        …                                    # prepare it
        code = owned.run(start, look)        # -15: a signal ended it

It holds the run's lock before there is a process that trains it, and hands it on to that process
(store/lock.py). So whoever looks meanwhile sees that the run is taken. A signal to the process that
the lock names is never lost: before the start it prevents the training, later it is handed on.
Code whose CONTRACT lacks the feature `owned` takes the lock itself, seconds later, when torch is
loaded: nobody owns the run meanwhile.
"""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from tagrun.core.cli.messages import UserError, quote
from tagrun.core.launch import detach
from tagrun.store import evaluations, lock
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.lock import Lock

ASKING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)
LOOK_S = 0.5  # between two looks while training is waited for

Child = subprocess.Popen[bytes]


class Owned:
    """A run or evaluation that this process owns; `asked` has the signals that ask it to stop."""

    def __init__(self, folder: Path, held: Lock | None = None) -> None:
        """held: the folder's lock, where this process has it already."""
        self.folder, self.asked = folder, list[int]()
        self._lock = held
        self._pending: list[int] = []  # those of `asked` that came before the child
        self._child: Child | None = None
        self._is_starting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'Owned':
        # first: from when the lock names us, a signal may come
        for number in ASKING:
            # nohup stays nohup, of training too
            if not (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN):
                self._before[number] = signal.signal(number, self._handle)
        try:
            self._lock = self._lock or _take(self.folder)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def held(self) -> Lock:
        """The run's lock, until training has it."""
        assert self._lock is not None, 'it was handed on'
        return self._lock

    def in_background(self) -> bool:
        """Go on in the background, as detach.in_background; that process owns the run."""
        self._is_starting = True
        is_there = detach.in_background(self.held.fork)
        self._is_starting = False
        return is_there

    def run(self, start: Callable[[Lock], Child], look: Callable[[], None] | None = None) -> int:
        """Start training unless a signal came before, and wait; return its exit code.

        -n: signal n ended it, or came before it was started. start: makes the process, which
        inherits the lock, or releases the lock for code that takes it itself. look: called now and
        then meanwhile.
        """
        self._is_starting = True
        try:
            if self.asked:
                return -self.asked[0]
            child = start(self.held)
            # the handler sends to it from here on
            self._child = child
            self.held.hand_on(child.pid)
            while self._pending:
                self._send(child, self._pending.pop(0))
            return _wait(child, look)
        finally:
            self._end()

    def _handle(self, number: int, _: FrameType | None) -> None:
        self.asked.append(number)
        if self._child is not None:
            self._send(self._child, number)
        elif number == signal.SIGINT and not self._is_starting:
            raise KeyboardInterrupt
        else:
            self._pending.append(number)

    def _send(self, child: Child, number: int) -> None:
        """Hand a signal on. At a terminal, Ctrl-C reached training, too, but a `kill -INT` did not.

        So it gets another signal with the same effect: of two that ask it to stop, the first
        counts.
        """
        if number == signal.SIGINT and detach.in_foreground():
            number = signal.SIGTERM
        child.send_signal(number)

    def _end(self) -> None:
        """Let go of what is still ours: the lock, the signals."""
        if self._lock is not None:
            self._lock.release()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def refuse_owned(folder: Path) -> None:
    """Raise UserError if somebody owns the run or evaluation in `folder`."""
    owner = lock.owner(folder)
    if owner is not None:
        raise _refusal(folder, lock.Held(owner))


def _take(folder: Path) -> Lock:
    """Return the lock of a run or evaluation. Raises UserError."""
    # at once: the lock has some patience
    refuse_owned(folder)
    try:
        return Lock(folder)
    except lock.Held as held:
        raise _refusal(folder, held) from None
    except OSError as error:
        path = quote(os.path.relpath(folder / lock.NAME))
        raise UserError(f'{path} cannot be locked: {error.strerror or error}') from None


def _refusal(folder: Path, held: lock.Held) -> UserError:
    ref = evaluations.of_folder(folder)
    what = 'made' if isinstance(ref, EvaluationRef) else 'trained'
    return UserError(f'{ref} is being {what}: {held}')


def _wait(child: Child, look: Callable[[], None] | None) -> int:
    if look is None:
        return child.wait()
    while True:
        try:
            return child.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            look()
