"""A signal asks the run to stop after the step it is in; a second Ctrl-C stops it now.

    stop = Stop(print); … if stop.signal: save and raise stop.exception()

The handler says so and sets a flag: what a save is in the middle of is finished first. A data
worker has none of this: it leaves Ctrl-C and a scheduler's warning to the training process, and
dies of SIGTERM like any child, but not at once.
"""

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from tagrun.store import run_json

WORKER_S = 20  # a data worker's life after SIGTERM
ASKING = [
    getattr(signal, name)
    for name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP')
    if hasattr(signal, name)
]


def end_by_ctrl_c() -> None:
    """Let Ctrl-C end a process that trains a run, without a traceback, until the run is open.

    Torch and the researcher's modules load meanwhile, for seconds; nothing is to be saved yet.
    """
    if _is_training() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_first_process() -> bool:
    """Return whether a command started this process to train a run, and no other one is shown."""
    return _is_training() and 'LOCAL_RANK' not in os.environ


def _is_training() -> bool:
    return run_json.ENVIRONMENT in os.environ and multiprocessing.parent_process() is None


class Stopped(BaseException):
    """The run saved and stops, resumable. `code`: 130 for Ctrl-C, else 75 (EX_TEMPFAIL, what
    schedulers requeue on).
    """

    def __init__(self, number: int) -> None:
        interrupted = number == signal.SIGINT
        name = 'Ctrl-C' if interrupted else signal.Signals(number).name
        super().__init__(name)
        self.code = 130 if interrupted else 75


class Pruned(BaseException):
    """The run's sweep prunes it (store/pruning.py): it is saved, and counts as done."""


class Stop:
    """What asks the process to stop. Installs the handlers.

    say: prints, when the first signal comes, what it does; effect: that.
    """

    def __init__(
        self, say: Callable[[str], object], effect: str = 'stopping after this step and saving'
    ) -> None:
        self._say, self._effect = say, effect
        self.signal: int | None = None  # the number of the first that came
        self._presses, self._limit = 0, 2  # of Ctrl-C: so far; until it stops at once
        self._exiting = False
        if threading.current_thread() is threading.main_thread():
            self._install()
        os.register_at_fork(after_in_child=_reset_in_child)
        atexit.register(_ignore_late_signals)

    def _install(self) -> None:
        """Install the handlers: Python allows that in the main thread only."""
        for number in ASKING:
            # nohup stays nohup
            if not (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN):
                signal.signal(number, self.handle)

    def exception(self) -> Stopped:
        """Return the exception to raise when all is saved."""
        self.begin_exit()
        assert self.signal is not None
        return Stopped(self.signal)

    def begin_exit(self) -> None:
        """Note that the run is ending and says so on disk: two more Ctrl-C cut that short.

        Nothing that was saved is lost by it.
        """
        self._exiting, self._limit = True, self._presses + 2

    def handle(self, number: int, _: FrameType | None) -> None:
        if self.signal is None:
            self._answer(number)
        self.signal = self.signal or number
        self._presses += number == signal.SIGINT
        if number == signal.SIGINT and self._presses >= self._limit:
            if self._exiting:
                os._exit(130)
            self.begin_exit()
            raise KeyboardInterrupt

    def _answer(self, number: int) -> None:
        """Say at once what the first signal does."""
        name = '' if number == signal.SIGINT else f'{signal.Signals(number).name}: '
        once_more = '; Ctrl-C once more stops now' if number == signal.SIGINT else ''
        # RuntimeError: it came while the same stream was written
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self._say(f'{name}{self._effect}{once_more}')


def _ignore_late_signals() -> None:
    """Ignore signals while Python ends, and do not wait for data workers.

    Python would put the default handlers back, so that a late signal looked like a kill.
    """
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
    # torch's would raise, for it takes a worker's end for a failure
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker in multiprocessing.active_children():
        worker.kill()


def _reset_in_child() -> None:
    ignored = (signal.SIGINT, signal.SIGUSR1)
    for number in ASKING:
        # another handler: the run has ended, and the process lives on
        if isinstance(getattr(signal.getsignal(number), '__self__', None), Stop):
            handler = signal.SIG_IGN if number in ignored else signal.SIG_DFL
            signal.signal(number, handler)


def in_worker(_number: int) -> None:
    """Begin a data worker (worker_init_fn).

    A scheduler sends SIGTERM to every process of a job: training needs batches until it has saved.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _last_batches)
    sys.excepthook = _hide_lost_connection


def _last_batches(_number: int, _frame: FrameType | None) -> None:
    signal.alarm(WORKER_S)


def _hide_lost_connection(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an uncaught error, unless it says that training has gone while it took a batch.

    multiprocessing's own thread in a worker shows that here; training itself says why it went.
    """
    if not issubclass(kind, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)
