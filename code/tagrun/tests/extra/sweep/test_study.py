"""An Optuna study: the same suggestions from the same seed, its journal, and what it calls poor."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.extra.sweep import space
from tagrun.extra.sweep.study import OPEN, Question, Study

pytest.importorskip('optuna')

QUESTION = Question('tpe', 'val/acc', 'max', None, 1, {'lr': ['0.1']}, [''])
SPACE = space.parse(
    ['lr=log(1e-4,1e-1)', 'hidden=range(1,9)', 'model=a,b'], 'lr=0.1\nhidden=1\nmodel=""'
)
LONGEST = 10


def opened(root, question=QUESTION, seed=1):
    return Study(root, 't', question, seed, LONGEST)


def suggested(study, variants=('',)):
    return study.suggest(SPACE, list(variants), parallel=False)


def chosen(study, count):
    params = []
    for _ in range(count):
        suggestion = suggested(study)
        params.append(dict(suggestion.params))
        study.tell(suggestion.number, 'finished', suggestion.params['lr'])
    return params


def test_the_same_seed_suggests_the_same_even_after_a_restart(tmp_path):
    at_once = chosen(opened(tmp_path / 'a'), 4)
    assert chosen(opened(tmp_path / 'b'), 2) + chosen(opened(tmp_path / 'b'), 2) == at_once
    assert chosen(opened(tmp_path / 'c', seed=2), 4) != at_once
    assert all(
        1e-4 <= params['lr'] <= 0.1 and params['model'] in ("'a'", "'b'") for params in at_once
    )


def test_a_suggestion_is_open_until_it_is_told(tmp_path):
    study = opened(tmp_path)
    first, second, third = (suggested(study) for _ in range(3))
    assert (first.number, first.state, first.run) == (0, OPEN, None)
    study.tell(0, 'finished', 0.5)
    study.tell(0, 'failed', None)  # it has ended already
    study.tell(1, 'finished', float('nan'))
    study.tell(2, 'pruned', None)
    states = [suggestion.state for suggestion in opened(tmp_path).suggestions()]
    assert states == ['COMPLETE', 'FAIL', 'PRUNED']


def test_several_variants_are_a_choice_too(tmp_path):
    study = opened(tmp_path, QUESTION._replace(search='random'))
    names = {suggested(study, ['', 'fast.patch']).params['variant'] for _ in range(12)}
    assert names == {'', 'fast.patch'} and 'variant' not in suggested(study).params


def test_another_question_is_another_study_of_the_same_journal(tmp_path):
    suggested(opened(tmp_path))
    assert not opened(tmp_path, QUESTION._replace(metric='val/loss')).suggestions()
    assert len(opened(tmp_path).suggestions()) == 1
    assert [path.name for path in (tmp_path / '__statistic__' / 'search').glob('*.log')] == [
        't.log'
    ]


def test_the_identity_of_a_study_stays():
    """So that a sweep of an older version goes on with its own study."""
    whole = Question(
        'tpe', 'val/acc', 'max', 'median', 2, {'lr': SPACE['lr'].span}, ['', 'x.patch']
    )
    assert whole.digest == '859c888a'


def test_a_grids_run_has_one_trial(tmp_path):
    grid = QUESTION._replace(search=None, space=None, prune='median')
    study = opened(tmp_path, grid)
    assert [study.of_run(7), study.of_run(3), study.of_run(7)] == [0, 1, 0]
    assert [suggestion.run for suggestion in opened(tmp_path, grid).suggestions()] == [7, 3]


def test_the_median_decides_which_trial_is_poor(tmp_path):
    study = opened(tmp_path, QUESTION._replace(search=None, space=None, prune='median'))
    for run in range(5):
        number = study.of_run(run)
        assert study.report(number, [0.5, 0.6]) == ''
        study.tell(number, 'finished', 0.6)
    assert study.report(study.of_run(6), [None, float('nan'), 0.9]) == ''
    poor = study.of_run(7)
    assert study.report(poor, [0.1]) == 'median: val/acc 0.1 after epoch 1'
    assert study.report(poor, [0.1]) == ''  # known already
    study.tell(poor, 'pruned', None)
    assert study.report(poor, [0.1, 0.1]) == ''


def test_without_prune_no_trial_is_poor(tmp_path):
    study = opened(tmp_path)
    for _ in range(6):
        number = suggested(study).number
        assert study.report(number, [float(-number)]) == ''
        study.tell(number, 'finished', 0.0)


def test_a_journal_that_is_a_link_is_refused(tmp_path):
    (tmp_path / '__statistic__' / 'search').mkdir(parents=True)
    (tmp_path / '__statistic__' / 'search' / 't.log').symlink_to('/tmp/elsewhere')
    with pytest.raises(UserError, match='is a link to another place'):
        opened(tmp_path)
