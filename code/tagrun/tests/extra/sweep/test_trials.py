"""Trials: their labels and seeds, how they are recorded, and how a recorded one is known again."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sweep import space, trials
from tagrun.extra.sweep.variants import read_variant
from tagrun.store import run_json
from tagrun.store.run_ref import RunRef


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


@pytest.fixture
def commit(stubbed):
    stubbed.git('tag', 't')
    return stubbed.git('rev-parse', 'HEAD').strip()


def made(repository, commit, lr='0.2', seeds=(7,)):
    variant = read_variant(repository, commit)
    parameters = space.parse([f'lr={lr},9'], variant.config)
    return trials.make_trials(variant, {'lr': lr}, parameters, list(seeds))


def test_a_label_has_what_sets_a_trial_apart():
    parameters = space.parse(['lr=1,2', 'model=mlp', "how='a b',c"], 'lr = 1\nmodel = ""\nhow = ""')
    values = {'lr': '1', 'model': "'mlp'", 'how': "'c'"}
    assert trials.trial_labels('x.patch', values, parameters, 1) == ['x.patch lr=1 how=c']
    values['how'] = "'a b'"
    two = ["lr=1 how='a b', seed 1", "lr=1 how='a b', seed 2"]
    assert trials.trial_labels('', values, parameters, 2) == two


def test_seeds_follow_from_the_first():
    seeds = trials.make_seeds(4242, 3)
    assert seeds[0] == 4242 and seeds == trials.make_seeds(4242, 3)
    assert len(set(seeds)) == 3 and seeds[:2] == trials.make_seeds(4242, 2)
    assert trials.make_seeds(1, 3)[1:] != seeds[1:] and all(0 <= seed < 2**32 for seed in seeds)


def test_only_a_literal_has_a_value():
    assert trials.literal('a = 3\nb = 1 + x', 'a') == 3
    assert trials.literal('a = 3\nb = 1 + x', 'b') is None is trials.literal('', 'c')


def test_a_recorded_trial_is_known_again(repository, commit, stubbed):
    (trial,) = made(repository, commit)
    assert trial.key not in trials.recorded_runs(repository, 't')
    folder = trials.record_trial(repository, 't', commit, trial)
    assert folder == stubbed.folder('t/0') and run_json.read(folder)['seed'] == 7
    assert trials.recorded_runs(repository, 't') == {trial.key: 0}
    (other,) = made(repository, commit, seeds=(8,))
    assert other.key not in trials.recorded_runs(repository, 't')


def test_the_commit_of_a_trial_names_its_values(repository, commit, stubbed):
    trials.record_trial(repository, 't', commit, made(repository, commit)[0])
    ref = RunRef('t', 0).code_ref
    message = stubbed.git('log', '-1', '--format=%B', ref).split('\n')
    assert message[:4] == ['tagrun: t with other values', '', 'lr = 0.2', 'seed 7']
    assert stubbed.git('rev-parse', f'{ref}^').strip() == commit


def test_a_trial_that_differs_in_nothing_has_the_commit_of_the_tag(repository, commit, stubbed):
    (trial,) = made(repository, commit, lr='0.1', seeds=(4242,))
    trials.record_trial(repository, 't', commit, trial)
    assert stubbed.git('rev-parse', RunRef('t', 0).code_ref).strip() == commit


def test_of_two_equal_runs_the_first_counts_and_one_without_a_folder_does_not(
    repository, commit, stubbed
):
    (trial,) = made(repository, commit)
    for _ in range(3):
        trials.record_trial(repository, 't', commit, trial)
    assert trials.recorded_runs(repository, 't') == {trial.key: 0}
    stubbed.folder('t/0').rename(stubbed.root / 'elsewhere')
    assert trials.recorded_runs(repository, 't') == {trial.key: 1}


def test_an_argument_that_config_lacks_is_refused(repository, commit):
    variant = read_variant(repository, commit)
    with pytest.raises(UserError, match="no argument 'rl'"):
        trials.make_trials(variant, {'rl': '1'}, {}, [1])
