"""Where a selftest kills its trainings, and what it makes of the outcome."""

import random
from types import SimpleNamespace

import pytest

from tagrun.core.check import selftest
from tagrun.core.check.selftest_runs import TrainingFailed
from tagrun.core.cli.messages import UserError
from tagrun.store import selftest_notes, statistic


def moments_of(epochs, **batches):
    """The moments of a training: batches of each phase, in each epoch."""
    moments, step = [], 0
    for epoch in range(epochs):
        for phase, count in batches.items():
            for batch in range(1, count + 1):
                step += phase == 'train'
                moments.append([epoch, step, phase, batch])
        moments.append([epoch + 1, step, None, 0])
    return moments


@pytest.mark.parametrize(
    'batches, count, save',
    [
        ({'train': 36, 'val': 1, 'test': 2}, 4, 6),
        ({'train': 36, 'val': 1, 'test': 2}, 1, 6),
        ({'val': 5, 'train': 9}, 2, 1),
        ({'train': 2}, 3, 1),
        ({'play': 4}, 3, 1),
        ({'train': 40, 'val': 1}, 9, 6),
    ],
)
def test_it_is_killed_after_two_saves_in_training_in_an_evaluation_and_at_an_end(
    batches, count, save
):
    moments = moments_of(3, **batches)
    for seed in range(50):
        kills = selftest.kill_moments(moments, count, save, random.Random(seed))
        assert 1 <= len(kills) <= count
        assert kills == sorted(kills, key=moments.index)
        assert kills == selftest.kill_moments(moments, count, save, random.Random(seed))
        ends = [kill for kill in kills if kill[2] is None]
        evaluations = [kill for kill in kills if kill[2] not in ('train', None)]
        trained = [kill for kill in kills if kill[2] == 'train']
        assert all(kill[3] > 2 * save for kill in trained)
        assert len(evaluations) == (count > 1 and len(batches) > ('train' in batches))
        assert len(ends) == (count > 2 or not (trained or evaluations))
        # the save of an earlier batch of an evaluation is then on disk
        if batches.keys() >= {'val', 'test'}:
            assert [phase for _, _, phase, _ in evaluations] in ([], ['test'])


def test_the_steps_of_each_epoch_are_counted_and_batches_where_nothing_trains():
    assert selftest.steps_of_epochs(moments_of(2, train=3, val=2)) == [3, 3]
    assert selftest.steps_of_epochs(moments_of(2, play=4)) == [4, 4]
    with pytest.raises(UserError, match='nothing to compare'):
        selftest.steps_of_epochs([[1, 0, None, 0]])


@pytest.mark.parametrize(
    'hparam, counts',
    [
        ({'num_workers': 0}, [0, 2]),
        ({'num_workers': 3, 'workers': 0}, [3, 0]),
        ({'workers': 4}, [4, 0]),
        ({'num_workers': 'auto'}, None),
        ({}, None),
    ],
)
def test_the_other_number_of_workers_is_none_or_two(hparam, counts):
    assert selftest.worker_counts(hparam) == counts


def test_what_config_has_no_number_for_is_untested_and_not_called_exact():
    check = selftest.check('workers', None, None, {'workers': selftest.worker_counts({'lr': 0.1})})
    assert check['exact'] is None and 'config.py has no number `num_workers`' in check['untested']
    assert [
        selftest.exit_code(checks)
        for checks in (
            [check],
            [check, {'exact': True}],
            [check, {'exact': False}],
            [{'exact': False, 'failed': ''}],
        )
    ] == [1, 0, 3, 1]


def test_a_training_that_fails_is_kept_and_its_reason_reported():
    def fail():
        raise TrainingFailed('KeyError: ema')

    runs = SimpleNamespace(train=fail, is_kept=False)
    assert selftest.check('rerun', runs, None, {}) == {'exact': False, 'failed': 'KeyError: ema'}
    assert runs.is_kept


@pytest.fixture
def trained(tmp_path):
    """Makes the folders of trainings that were exact: their data workers and their arguments."""

    def make(name, workers, **hparam):
        folder = tmp_path / name
        folder.mkdir()
        selftest_notes.write(folder, {'workers': workers})
        statistic.write(folder, {'status': 'finished', 'hparam': hparam})
        return folder

    return make


@pytest.mark.parametrize(
    'untouched, other, reason',
    [
        ([], [], selftest.NO_LOADER),
        ([2, 2], [2, 2], selftest.NO_WORKERS),
        ([0, 0], [2, 0], None),
    ],
)
def test_workers_that_no_loader_has_are_untested(trained, untouched, other, reason):
    folders = trained('0', untouched, num_workers=0), trained('1', other, num_workers=2)
    runs = SimpleNamespace(train=lambda **_: folders[1])
    outcome = selftest.check('workers', runs, folders[0], {'workers': [0, 2]})
    assert outcome == ({'exact': None, 'untested': reason} if reason else {'exact': True})


def test_a_resume_without_a_kill_is_untested(trained):
    folder = trained('0', [0])
    runs = SimpleNamespace(train_killed=lambda moments, save: (folder, []))
    result = {'kills': [[0, 9, 'train', 9]], 'save_every': 1}
    assert 'ended before' in selftest.check('resume', runs, folder, result)['untested']
    assert 'too short' in selftest.check('resume', None, folder, {'kills': []})['untested']


def test_arguments_that_were_trained_otherwise_are_named(trained):
    folders = trained('0', [0], lr=0.1, num_workers=0), trained('1', [2], lr=0.3, num_workers=2)
    runs = SimpleNamespace(train=lambda **_: folders[1])
    outcome = selftest.check('workers', runs, folders[0], {'workers': [0, 2]})
    assert outcome == {'exact': True, 'arguments': {'lr': [0.3, 0.1]}}
