"""A signal asks the run to stop after the step it is in; a second Ctrl-C stops it now.

    stop = Stop(); … if stop.wanted: save and raise Stopped(stop.wanted)

The handler sets a flag and nothing else: what a save is in the middle of is finished first.
"""
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
        for number in ASKING:
            if not (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN):  # nohup stays nohup
                signal.signal(number, self._ask)

    def _ask(self, number, _):
        if number == signal.SIGINT and self.wanted == signal.SIGINT:
            raise KeyboardInterrupt
        self.wanted = self.wanted or number


def default_in_worker(_=None):
    """For a data worker: it dies of SIGTERM like any child, and leaves Ctrl-C to the training process."""
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
