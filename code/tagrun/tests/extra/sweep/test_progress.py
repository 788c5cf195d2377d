"""What a sweep shows of its trials while it trains."""

import time
from types import SimpleNamespace

import pytest

from tagrun.core.compare.run_status import RunStatus
from tagrun.core.launch.local_pool import Ended
from tagrun.extra.sweep.progress import Progress, best_figure, best_of
from tagrun.store.run_ref import RunRef


class Screen:
    """Stands for a terminal of so many rows, or a file."""

    def __init__(self, rows=0):
        self.is_terminal, self.rows, self.lines, self.drawn = rows > 0, rows, [], []

    def height(self):
        return self.rows

    def line(self, text):
        self.lines.append(text)

    def draw(self, head, rows, right, summary):
        self.drawn, self.summary = rows, summary


class Runs:
    """Stands for TrialRuns."""

    def __init__(self, statuses, at_work=()):
        self.trials = {status.id: SimpleNamespace(label=f'lr={status.id}') for status in statuses}
        self.statuses, self.is_at_work = lambda: statuses, lambda number: number in at_work


def status(number, state='finished', best=None, **content):
    metric = {} if best is None else {'val/acc': best}
    return RunStatus(
        RunRef('t', number), state, 0.0, {'monitor': 'val/acc', 'metric': metric, **content}
    )


def progress(statuses, at_work=(), total=9, done=0, screen=None, at_once=1):
    children = {f't/{number}': SimpleNamespace(began=time.monotonic()) for number in at_work}
    source = SimpleNamespace(total=total, done_count=lambda: done)
    pool = SimpleNamespace(children=children, at_once=at_once)
    return Progress(Runs(statuses, at_work), source, pool, screen or Screen())


def test_the_summary_says_how_far_it_is_and_which_is_best():
    shown = progress([status(0, best=0.5), status(1, best=0.75)], at_work=(2,), done=2)
    assert shown.summary() == '2/9 done, 1 at work; best t/1: val/acc 0.7500'
    assert progress([]).summary() == '0/9 done'


def test_the_rest_takes_what_the_trials_before_took():
    shown = progress([], total=6, done=2, at_once=2)
    shown.seconds = [10.0, 30.0]
    assert shown.summary() == '2/6 done, 40 s left'
    assert progress([], total=2, done=2).summary() == '2/2 done'


def test_a_trial_that_ends_is_a_line_with_what_came_out():
    shown = progress([status(0, best=0.5)], done=1)
    shown.show_end(Ended('t/0', 0, '', 4.0), status(0, best=0.5))
    assert shown.screen.lines == [
        't/0 finished   lr=0   val/acc 0.5000   1/9 done, 32 s left; best t/0: val/acc 0.5000'
    ]


@pytest.mark.parametrize(
    'error, message, why', [('no room', 'x', 'no room'), ('', 'NaN at step 3', 'NaN at step 3')]
)
def test_a_trial_that_fails_says_why_on_a_terminal_too(error, message, why):
    failed = status(0, 'failed', message=message)
    shown = progress([failed], screen=Screen(24))
    shown.show_end(Ended('t/0', 1, error, 4.0), failed)
    assert shown.screen.lines == [f't/0 failed   lr=0   {why}   0/9 done'] and not shown.seconds


def test_on_a_terminal_the_table_shows_what_finished():
    shown = progress([status(0)], screen=Screen(24))
    shown.show_end(Ended('t/0', 0, '', 4.0), status(0))
    assert not shown.screen.lines and shown.seconds == [4.0]


def test_the_table_has_a_row_for_each_trial():
    statuses = [
        status(0, best=0.5),
        status(1, 'created'),
        status(2, 'running', epoch=3, epochs=40),
        status(3, 'created'),
    ]
    shown = progress(statuses, at_work=(2, 3), screen=Screen(24))
    shown.draw()
    assert shown.screen.drawn == [
        ('t/0', 'finished', 'lr=0', 'val/acc 0.5000'),
        ('t/1', 'created', 'lr=1', ''),
        ('t/2', 'epoch 3/40', 'lr=2', ''),
        ('t/3', 'starting', 'lr=3', ''),
    ]


def test_a_small_terminal_has_the_best_the_last_and_those_at_work():
    statuses = [status(number, best=0.9 if number == 1 else 0.1) for number in range(8)]
    shown = progress(statuses, at_work=(0,), screen=Screen(4))
    shown.draw()
    assert [row[0] for row in shown.screen.drawn] == ['t/1', 't/6', 't/7', 't/0']


def test_a_run_without_a_number_is_never_the_best():
    assert best_of([status(0), status(1, best='nan')]) == status(1, best='nan')
    assert best_of([status(0)]) is None and best_figure(status(0)) == ''
    smaller = [status(number, best=0.5 - number / 4, monitor_mode='min') for number in (0, 1)]
    assert best_of(smaller).id == 1
