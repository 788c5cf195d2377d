"""What a sweep works with follows from its command and its commit."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sweep.inputs import read_inputs
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.trials import make_seeds


def read(project, request, processes=1):
    return read_inputs(Repository.at(project.root), request, 'HEAD', processes)


def test_a_grid_is_all_variants_with_all_values_and_seeds(stubbed):
    stubbed.git('branch', 'other')
    request = SweepRequest('t', ('lr=1,2',), seeds=2, vary='.,branch:other', jobs=3)
    inputs = read(stubbed, request, processes=2)
    labels = [trial.label for trial in inputs.combinations()]
    values = ['lr=1.0, seed 1', 'lr=1.0, seed 2', 'lr=2.0, seed 1', 'lr=2.0, seed 2']
    assert labels == values + [f'branch:other {label}' for label in values]
    assert inputs.seeds == make_seeds(4242, 2)
    assert (inputs.pool.at_once, inputs.pool.processes) == (3, 2)


def test_the_commit_counts_and_not_the_files_of_today(stubbed):
    stubbed.edit('config.py', 'lr = 0.1', 'learning_rate = 0.1')
    (stubbed.root / 'code' / 'seed').write_text('1\n')
    inputs = read(stubbed, SweepRequest('t', ('lr=1',)))
    assert list(inputs.space) == ['lr'] and inputs.seeds == [4242]
    assert 'lr = 0.1' in inputs.config and not inputs.runs.trials


def test_values_that_the_commit_has_no_argument_for_are_refused(stubbed):
    with pytest.raises(UserError, match="no argument 'rl'"):
        read(stubbed, SweepRequest('t', ('rl=1',)))
