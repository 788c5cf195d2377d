"""What a sweep shows while it trains: a line for each trial that ends, on a terminal a table.

    progress = Progress(runs, source, pool, Screen())
    progress.show_end(ended, status); progress.draw()

It changes nothing.
"""

import time

from tagrun.core.cli.messages import duration, figure
from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.launch.local_pool import Ended, Pool
from tagrun.extra.sweep.runs import DONE, TrialRuns
from tagrun.extra.sweep.screen import Screen
from tagrun.extra.sweep.sources import Source
from tagrun.store import statistic

HEAD = ('trial', 'status', 'values', 'best')


class Progress:
    """How far a sweep is."""

    def __init__(self, runs: TrialRuns, source: Source, pool: Pool, screen: Screen):
        self._runs, self._source, self._pool = runs, source, pool
        self.screen = screen
        self.seconds: list[float] = []  # that each trial took, of those that this command trained

    def show_end(self, ended: Ended, status: RunStatus) -> None:
        """Show that a trial has ended."""
        if status.state in DONE:
            self.seconds.append(ended.seconds)
            if self.screen.is_terminal:  # the table shows it
                return
        words = [
            f'{ended.name} {status.state}',
            self._label(status),
            best_figure(status),
            _why(ended, status),
            self.summary(),
        ]
        self.screen.line('   '.join(filter(None, words)))

    def draw(self) -> None:
        """Draw the table of the trials: all, or those that matter most where it has no room."""
        now = time.time()
        rows = [
            (status.name, self._state(status, now), self._label(status), best_figure(status))
            for status in self._rows()
        ]
        self.screen.draw(HEAD, rows, (), self.summary())

    def summary(self) -> str:
        """Return '5/12 done, 2 at work, 1 min 20 s left; best nets/3: val/acc 0.9750'."""
        done, at_work = self._source.done_count(), len(self._pool.children)
        parts = [
            f'{done}/{self._source.total} done',
            f'{at_work} at work' if at_work else '',
            self._left(done),
        ]
        text = ', '.join(filter(None, parts))
        best = best_of(self._runs.statuses())
        return f'{text}; best {best.name}: {best_figure(best)}' if best else text

    def _rows(self) -> list[RunStatus]:
        """Return the best trial, the last ones that ended, and those that train."""
        statuses = self._runs.statuses()
        if len(statuses) <= self.screen.height():
            return statuses
        running = [status for status in statuses if self._runs.is_at_work(status.id)]
        others = [status for status in statuses if not self._runs.is_at_work(status.id)]
        best = best_of(others)
        room = max(1, self.screen.height() - len(running) - 1)
        last = [status for status in others[-room:] if status is not best]
        return [*([best] if best else []), *last, *running]

    def _label(self, status: RunStatus) -> str:
        return self._runs.trials[status.id].label

    def _state(self, status: RunStatus, now: float) -> str:
        if not self._runs.is_at_work(status.id):
            return status.state
        if 'epoch' not in status.content:
            return 'starting'
        text = f'epoch {statistic.progress(status.content)}'
        eta = status.eta_s(now)
        return text if eta is None else f'{text}, {duration(eta)} left'

    def _left(self, done: int) -> str:
        """Return how long the rest will take, from what the trials so far took."""
        if not self.seconds or done >= self._source.total:
            return ''
        mean, now = sum(self.seconds) / len(self.seconds), time.monotonic()
        children = self._pool.children.values()
        at_work = [max(0.0, mean - (now - child.began)) for child in children]
        waiting = max(0, self._source.total - done - len(at_work))
        rest = waiting * mean + sum(at_work)
        return f'{duration(max([rest / self._pool.at_once, *at_work]))} left'


def best_figure(status: RunStatus) -> str:
    """Return 'val/acc 0.975', the monitored metric at its best epoch; '' before there is one."""
    return '' if status.best is None else f'{status.monitor} {figure(status.best)}'


def best_of(statuses: list[RunStatus]) -> RunStatus | None:
    """Return the run with the best metric; None where none has one."""
    best = None
    for status in statuses:
        if status.best is not None and (best is None or run_status.better(status, best)):
            best = status
    return best


def _why(ended: Ended, status: RunStatus) -> str:
    """Return why a trial did not come to its end, or ''."""
    if ended.error_text or status.state in (*DONE, statistic.RUNNING):
        return ended.error_text
    return str(status.content.get('message', ''))
