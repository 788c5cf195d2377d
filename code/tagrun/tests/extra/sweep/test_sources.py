"""A grid answers a sweep's questions: what is next, what is done."""

from types import SimpleNamespace

from tagrun.extra.sweep.sources import GridSource
from tagrun.store.run_ref import RunRef


class Runs:
    """Stands for TrialRuns: trials that are done, and their ids."""

    def __init__(self, done):
        self.done, self.added = done, []

    def add(self, trials):
        self.added += trials

    def is_done(self, trial):
        return trial.key in self.done

    def refs(self, trials):
        return [RunRef('t', trial.key) for trial in trials]


def trials(*keys):
    return [SimpleNamespace(key=key) for key in keys]


def status(state):
    return SimpleNamespace(state=state)


def test_a_grid_gives_its_trials_in_order_and_each_once():
    grid = GridSource(Runs(()), trials(1, 2, 1, 3))
    assert grid.total == 3 and [grid.ask().key for _ in range(3)] == [1, 2, 3]
    assert grid.ask() is None and [trial.key for trial in grid.trials()] == [1, 2, 3]


def test_what_was_done_before_is_counted_and_not_given():
    runs = Runs((1, 3))
    grid = GridSource(runs, trials(1, 2, 3))
    assert grid.done_count() == 2 and grid.ask().key == 2 and grid.ask() is None
    assert [trial.key for trial in runs.added] == [1, 2, 3]


def test_each_run_that_ends_counts_once_and_one_that_was_stopped_does_not():
    grid = GridSource(Runs(()), trials(1, 2))
    assert grid.tell(0, status('interrupted')) == '' and grid.done_count() == 0
    for state in ('failed', 'finished', 'finished'):
        grid.tell(0, status(state))
    assert grid.done_count() == 1
    grid.tell(1, status('pruned'))
    assert grid.done_count() == 2


def test_a_grid_has_nothing_against_any_run_and_prunes_none():
    grid = GridSource(Runs(()), trials(1))
    assert grid.catch_up() == '' and grid.watch([0]) is None and grid.metric is None
