"""core/compare/seed_noise.py: the test by which a difference is more than the seeds'."""

import math

import pytest
from run_factory import run

from tagrun.core.compare import run_files, seed_noise
from tagrun.core.git.process import GitError
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Mean


class NoGit:
    """A repository without the runs' commits: runs of one tag are taken together."""

    prefix = ''

    def blobs(self, ids, missing):
        raise GitError('no such commit')


def compare(root, one, other):
    files = [run_files.read(root, RunRef.parse(name)) for name in (one, other)]
    return seed_noise.compare(NoGit(), root, *files)


@pytest.fixture
def filled(root):
    for number, acc in enumerate((0.90, 0.91, 0.92, 0.91)):
        run(root, f'base/{number}', metric={'val/acc': acc})
    run(root, 'wide/0', metric={'val/acc': 0.99}, hparam={'lr': 0.1})
    run(root, 'near/0', metric={'val/acc': 0.905}, hparam={'lr': 0.2})
    return root


def test_a_difference_is_compared_with_the_spread_over_the_seeds(filled):
    # the std of the four is 0.0081650, that of a difference of two sqrt(2) times as large;
    # t at 3 degrees of freedom is 3.18
    metric = compare(filled, 'base/0', 'wide/0')['val/acc']
    assert metric['values'] == [0.90, 0.99] and metric['difference'] == pytest.approx(0.09)
    assert metric['noise'] == pytest.approx(0.0115470) and metric['seeds'] == [4, 1]
    assert metric['more_than_seeds'] is True
    assert compare(filled, 'base/0', 'near/0')['val/acc']['more_than_seeds'] is False


def test_without_seeds_nothing_is_claimed(filled):
    metric = compare(filled, 'wide/0', 'near/0')['val/acc']
    assert metric['noise'] is None and metric['more_than_seeds'] is None
    assert metric['seeds'] == [1, 1]


def test_the_monitored_metric_comes_first_and_one_that_is_missing_has_no_difference(filled):
    run(filled, 'odd/0', metric={'val/f1': 0.5, 'val/acc': 'nan'})
    metrics = compare(filled, 'odd/0', 'wide/0')
    assert list(metrics)[0] == 'val/acc' and list(metrics)[-1] == 'val/f1'
    assert metrics['val/f1']['values'] == [0.5, None] and metrics['val/f1']['difference'] is None
    assert math.isnan(metrics['val/acc']['difference'])
    assert metrics['val/acc']['more_than_seeds'] is None


def test_runs_by_hand_and_runs_of_other_arguments_are_no_seeds(filled):
    run(filled, 'scratch/0')
    run(filled, 'other/0', hparam={'lr': 5.0})
    files = [run_files.read(filled, RunRef(tag, 0)) for tag in ('base', 'wide')]
    groups = seed_noise.groups_of(NoGit(), filled, *files)
    assert [group.name for group in groups] == ['base/0-3', 'wide/0']


def test_a_run_that_was_made_again_counts_once(filled):
    commit = run_files.read(filled, RunRef('base', 0)).commit
    run(filled, 'base/4', metric={'val/acc': 5.0}, seed=0, commit=commit)
    assert compare(filled, 'base/0', 'wide/0')['val/acc']['seeds'] == [4, 1]


def test_the_noise_is_pooled_over_the_groups():
    means = [Mean(0.0, 1.0, 3, False), Mean(0.0, 2.0, 2, False), Mean(0.0, None, 1, False)]
    noise, degrees = seed_noise.noise(means)
    assert noise == pytest.approx(math.sqrt(2 * (2 * 1 + 1 * 4) / 3)) and degrees == 3
    assert seed_noise.noise([Mean(0.0, math.nan, 2, False)]) == (None, 0)


@pytest.mark.parametrize('degrees, t', [(1, 12.71), (10, 2.23), (14, 2.23), (1000, 2.0)])
def test_student_is_rounded_to_the_safe_side(degrees, t):
    assert seed_noise.student(degrees) == t
