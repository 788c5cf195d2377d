"""How much one operation takes of what others made: what a remote, an import, a shared
`__result__` holds may be made to fill the memory, or never to end.

    budget = Budget(values=limits.VALUES, seconds=limits.SECONDS)
    budget.take(values=1000)             # raises Exceeded where it is more than is left

All limits stand here. Each leaves room for the largest use that we know of, and no operation needs
more than a few hundred MB. What is beyond one costs that file, and is named; the rest goes on.
"""

import time

MB = 1 << 20

# --- files ---
FILE = 64 * MB  # bytes of one file that is read whole: a history.csv of 100,000 epochs has 20 MB
JSON = 4 * MB  # of a JSON file: in memory it takes up to 25 times as much
DEPTH = 100  # brackets within brackets: every reader may then follow them by recursion

# --- fetch ---
RUN = 32 * MB  # bytes of a run's files: a log has at most 1 MB, a history.csv of 20 MB fits
AT_ONCE = 64 * MB  # bytes of the runs that are held in memory at once
FETCHED = 2048 * MB  # bytes that one fetch writes: 20,000 runs of 100 kB. The next one goes on

# --- import ---
ENTRIES = 2_000_000  # files and folders that are looked at: 50,000 runs of MLflow
META = 16 << 10  # bytes of a meta.yaml, which has 1 kB; PyYAML takes 1 kB of memory for a byte
LOGGED = 64 << 10  # bytes of the JSON of a value that was logged; a longer one is a picture
RUNS = 100_000  # runs of one database
NAMES = 10_000  # metrics and arguments of a run
VALUES = 2_000_000  # numbers of a run that are held in memory: about 200 MB
TEXT = 256 * MB  # bytes of all runs' histories, before they are written
EVENT = MB // 4  # bytes of a record of events; a longer one, a picture, is passed over
EVENTS = 8192 * MB  # bytes of a run's event files
EVENT_SECONDS = 300  # that they may take: a GB of scalars takes about 100
SECONDS = 30  # that the queries of one run or the list of runs may take

# --- reading many runs ---
SMALL = 16 << 10  # bytes of a statistic.json that every run may have
LARGE = 16 * MB  # bytes of all those that are larger, in one operation: 400 MB of memory
CELLS = 2_000_000  # of a history.csv: 100,000 epochs of 20 columns
TRACE = 256 * MB  # bytes of a trace.csv, which is thinned past a million lines

# --- the terminal ---
WORD = 400  # characters of a word in a message: a path is hardly ever longer
CELL = 1000  # characters of a cell in a pipe; on a terminal a line is cut to its width


LARGE_FILES = 'bytes in large files of all runs'


class Exceeded(ValueError):
    """Raised where something is more than a limit; its text is the end of a sentence."""


class Budget:
    """What an operation may still take."""

    def __init__(self, seconds: float | None = None, **amounts: int) -> None:
        """amounts: {what is counted: how much of it}. seconds: from now."""
        self._amounts = amounts
        self._left = dict(amounts)
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def take(self, **amounts: int) -> None:
        """Count some of it. Raises Exceeded."""
        for what, amount in amounts.items():
            if amount > self._left[what]:
                raise Exceeded(f'more than {self._amounts[what]:,} {what}')
            self._left[what] -= amount
        if self.is_late():
            raise Exceeded(f'it takes more than {self._seconds:g} s to read')

    def is_late(self) -> bool:
        """Return whether its time is over."""
        return self._end is not None and time.monotonic() > self._end


def of_reading() -> Budget:
    """Return the budget of an operation that reads the statistic.json of many runs."""
    return Budget(**{LARGE_FILES: LARGE})
