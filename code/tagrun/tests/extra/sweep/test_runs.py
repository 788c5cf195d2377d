"""Which run a trial has, and what is still to be trained."""

import os
from types import SimpleNamespace

import pytest

from tagrun.core.git.repository import Repository
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.runs import NEW, TrialRuns
from tagrun.extra.sweep.trials import make_trials
from tagrun.extra.sweep.variants import read_variant
from tagrun.store import run_json, statistic
from tagrun.store.run_ref import RunRef


class Sweep:
    """A stub project with two trials of one tag, both new."""

    def __init__(self, project, retry_failed=False):
        self.repository = Repository.at(project.root)
        self.commit = project.git('rev-parse', 'HEAD').strip()
        self.pool = SimpleNamespace(children={})
        self.trials = make_trials(read_variant(self.repository, self.commit), {}, {}, [1, 2])
        self.again(retry_failed)

    def again(self, retry_failed=False):
        """The same command, started again."""
        request = SweepRequest('t', retry_failed=retry_failed)
        self.runs = TrialRuns(self.repository, request, self.commit, self.pool)
        self.runs.add(self.trials)
        return self.runs

    def write(self, number, status):
        content = {'status': status, 'metric': {}, 'time': {}}
        statistic.write(self.runs.folder(number), content)


@pytest.fixture
def sweep(stubbed):
    return Sweep(stubbed)


def test_a_new_trial_has_no_run_until_it_is_prepared(sweep):
    first, second = sweep.trials
    assert sweep.runs.number(first) is None and sweep.runs.state(first) == NEW
    folder = sweep.runs.prepare(first)
    assert sweep.runs.number(first) == 0 and run_json.read(folder)['seed'] == 1
    assert sweep.runs.trials == {0: first} and sweep.runs.state(first) == statistic.CREATED
    assert sweep.runs.refs([second, first]) == [RunRef('t', 0)]


def test_the_same_command_finds_its_runs_again(sweep):
    sweep.runs.prepare(sweep.trials[1])
    runs = sweep.again()
    assert runs.trials == {0: sweep.trials[1]} and runs.number(sweep.trials[0]) is None
    assert [status.name for status in runs.statuses()] == ['t/0']


@pytest.mark.parametrize(
    'status, retry_failed, is_done',
    [
        ('finished', False, True),
        ('pruned', False, True),
        ('failed', False, True),
        ('failed', True, False),
        ('interrupted', False, False),
        ('running', False, False),
    ],
)
def test_what_has_ended_is_not_trained_again(sweep, status, retry_failed, is_done):
    sweep.runs.prepare(sweep.trials[0])
    sweep.write(0, status)
    assert sweep.again(retry_failed).is_done(sweep.trials[0]) == is_done


def test_a_run_at_work_is_not_done_and_is_read_each_time(sweep):
    sweep.runs.prepare(sweep.trials[0])
    sweep.pool.children['t/0'] = None
    sweep.write(0, 'finished')
    assert sweep.runs.is_at_work(0) and not sweep.runs.is_done(sweep.trials[0])
    sweep.write(0, 'failed')
    assert sweep.runs.status(0).state == 'failed'


def test_a_run_that_has_ended_is_read_once_until_it_is_prepared_again(sweep):
    sweep.runs.prepare(sweep.trials[0])
    sweep.write(0, 'failed')
    assert sweep.runs.status(0).state == 'failed'
    sweep.write(0, 'finished')
    assert sweep.runs.status(0).state == 'failed'
    sweep.runs.prepare(sweep.trials[0])
    assert sweep.runs.status(0).state == 'finished'


def test_an_invalid_statistic_counts_as_killed(sweep, capsys):
    sweep.runs.prepare(sweep.trials[0])
    (sweep.runs.folder(0) / statistic.NAME).write_text('{')
    assert sweep.runs.state(sweep.trials[0]) == statistic.KILLED
    assert 't/0: statistic.json' in capsys.readouterr().err


def test_a_run_without_run_json_is_completed(sweep):
    folder = sweep.runs.prepare(sweep.trials[0])
    os.unlink(folder / run_json.NAME)
    assert run_json.read(sweep.runs.prepare(sweep.trials[0]))['seed'] == 1
