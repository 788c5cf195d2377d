"""A signal asks the run to stop after the step it is in; a second Ctrl-C stops it now.

    stop = Stop(); … if stop.wanted: save and raise stop.now()

The handler sets a flag and nothing else: what a save is in the middle of is finished first. A data worker has none of this: it dies
of SIGTERM like any child, and leaves Ctrl-C to the training process.
"""
import os
import signal

ASKING = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP') if hasattr(signal, name)]


class Stopped(BaseException):
    """The run saved and stops, resumable. `code`: 130 for Ctrl-C, else 75 (EX_TEMPFAIL, what schedulers requeue on)."""

    def __init__(self, number):
        super().__init__('Ctrl-C' if number == signal.SIGINT else signal.Signals(number).name)
        self.code = 130 if number == signal.SIGINT else 75


class Stop:
    def __init__(self):
        self.wanted = None          # the signal's number
        self._presses, self._enough = 0, 2      # of Ctrl-C: so far; until it stops at once
        self._leaving = False
        for number in ASKING:
            if not (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN):  # nohup stays nohup
                signal.signal(number, self._ask)
        os.register_at_fork(after_in_child=_as_a_child)

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


def _as_a_child():
    for number in ASKING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
