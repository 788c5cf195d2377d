"""Where a sweep's trials come from: Source, the questions a sweep asks, and GridSource.

    source = GridSource(runs, trials)
    trial = source.ask(); …; source.tell(number, status)

A source answers; it starts nothing. The searches are in search.py.
"""

from collections.abc import Iterable
from typing import Protocol

from tagrun.core.compare.run_status import RunStatus
from tagrun.extra.sweep.runs import ENDED, TrialRuns
from tagrun.extra.sweep.trials import Trial


class Source(Protocol):
    """What a sweep asks of that which chooses its trials."""

    metric: str | None  # that a search makes best; None for a grid
    total: int  # trials in all

    def catch_up(self) -> str:
        """Learn of the runs that ended before this command; return as `tell` does."""

    def ask(self) -> Trial | None:
        """Return the next trial to train; None where there is none now."""

    def tell(self, number: int, status: RunStatus) -> str:
        """Learn that a run has ended; return why the sweep cannot go on, or ''."""

    def watch(self, numbers: Iterable[int]) -> None:
        """Look at the runs that train now, and request the end of poor ones."""

    def trials(self) -> list[Trial]:
        """Return the trials that are known by now, each once."""

    def done_count(self) -> int:
        """Return how many trials need no training any more."""


class GridSource:
    """All combinations of some values, in order; those that are done are left out."""

    metric: str | None = None

    def __init__(self, runs: TrialRuns, combinations: Iterable[Trial]):
        self._trials = _different(combinations)
        self.total = len(self._trials)
        runs.add(self._trials)
        self._todo: list[Trial] = []
        done: list[Trial] = []
        for trial in self._trials:
            (done if runs.is_done(trial) else self._todo).append(trial)
        self._ended = {run.number for run in runs.refs(done)}

    def catch_up(self) -> str:
        """Do nothing: the runs were read at the start."""
        return ''

    def ask(self) -> Trial | None:
        """Return the next combination to train, or None."""
        return self._todo.pop(0) if self._todo else None

    def tell(self, number: int, status: RunStatus) -> str:
        """Count a run that has ended."""
        if status.state in ENDED:
            self._ended.add(number)
        return ''

    def watch(self, numbers: Iterable[int]) -> None:
        """Do nothing: a grid trains all to their end."""

    def trials(self) -> list[Trial]:
        """Return all combinations."""
        return self._trials

    def done_count(self) -> int:
        """Return how many runs have ended."""
        return len(self._ended)


def _different(trials: Iterable[Trial]) -> list[Trial]:
    """Return each trial once: two variants may come to the same code."""
    by_key: dict[object, Trial] = {}
    for trial in trials:
        by_key.setdefault(trial.key, trial)
    return list(by_key.values())
