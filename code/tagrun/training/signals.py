"""A signal asks the run to stop after the step it is in; a second Ctrl-C stops it now.

    stop = Stop(); … if stop.wanted: save and raise stop.now()

The handler sets a flag and nothing else: what a save is in the middle of is finished first. A data worker has none of this: it leaves
Ctrl-C and a scheduler's warning to the training process, and dies of SIGTERM like any child, but not at once.
"""
import atexit
import multiprocessing
import os
import signal
import sys

WORKER_S = 20   # a data worker's life after SIGTERM
ASKING = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP') if hasattr(signal, name)]


class Stopped(BaseException):
    """The run saved and stops, resumable. `code`: 130 for Ctrl-C, else 75 (EX_TEMPFAIL, what schedulers requeue on)."""

    def __init__(self, number):
        super().__init__('Ctrl-C' if number == signal.SIGINT else signal.Signals(number).name)
        self.code = 130 if number == signal.SIGINT else 75


class Pruned(BaseException):
    """The run's sweep finds it not worth more epochs (store/pruning.py). What it came to is saved, and it counts as done."""


class Stop:
    def __init__(self):
        self.wanted = None          # the signal's number
        self._presses, self._enough = 0, 2      # of Ctrl-C: so far; until it stops at once
        self._leaving = False
        for number in ASKING:
            if not (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN):  # nohup stays nohup
                signal.signal(number, self._ask)
        os.register_at_fork(after_in_child=_as_a_child)
        atexit.register(_gone)

    def now(self):
        """The exception to raise when all is saved."""
        self.leaving()
        return Stopped(self.wanted)

    def leaving(self):
        """The run is ending and says so on disk: it takes two more Ctrl-C to cut that short. Nothing that was saved is lost by it."""
        self._leaving, self._enough = True, self._presses + 2

    def _ask(self, number, _):
        self.wanted = self.wanted or number
        self._presses += number == signal.SIGINT
        if number == signal.SIGINT and self._presses >= self._enough:
            if self._leaving:
                os._exit(130)
            self.leaving()
            raise KeyboardInterrupt


def _gone():
    """All is said, and Python ends. It would put the default handlers back, so that a late signal looked like a kill; and wait for data workers."""
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)   # torch's would raise, for it takes a worker's end for a failure
    for worker in multiprocessing.active_children():
        worker.kill()


def _as_a_child():
    for number in ASKING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_IGN if number in (signal.SIGINT, signal.SIGUSR1) else signal.SIG_DFL)


def in_worker(_number):
    """For a data worker's beginning (worker_init_fn). A scheduler sends SIGTERM to every process of a job: training needs batches until it has saved."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _last_batches)
    sys.excepthook = _but_a_lost_connection


def _last_batches(_number, _frame):
    signal.alarm(WORKER_S)


def _but_a_lost_connection(kind, error, trace):
    """multiprocessing's own thread in a worker shows here that training went while it took a batch: training itself tells why."""
    if not issubclass(kind, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)
