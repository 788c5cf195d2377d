"""What the card of a run says."""

import pytest

from tagrun.core.record import runs_of_head
from tagrun.extra.report import run_card
from tagrun.extra.report.patches import Commit
from tagrun.extra.report.run_files import RunFiles
from tagrun.store.table import Run

COMMIT = Commit('p' * 40, 'A Tester', 1_763_000_000, 'why not')


def run(**facts):
    of_run = {'status': 'finished', 'seed': 7, 'commit': 'c' * 40, **facts}
    return Run('t/0', {'hparam': {}, 'metric': {}, 'run': of_run}, 'val/acc', 'max')


def files(info=None, matrices=None, **content):
    return RunFiles(content, info or {}, [], matrices or (None, {}), {})


def facts(run, files, commits=()):
    return dict(run_card.facts(run, files, dict(commits)))


@pytest.mark.parametrize(
    'status, content, words',
    [
        ('finished', {'epoch': 3, 'epochs': 3}, 'finished'),
        ('failed', {'epoch': 3, 'epochs': 40}, 'failed after 3 of 40 epochs'),
        ('killed', {'epoch': '<b>'}, 'killed'),
        ('killed', {'epoch': 3}, 'killed after 3 of ? epochs'),
    ],
)
def test_the_state_says_how_far_a_run_came(status, content, words):
    assert run_card.status(run(status=status), content) == words


def test_the_facts_of_a_run():
    of_run = files(
        {'commit': 'c' * 40},
        time={'seconds': 200, 'started': 'Monday'},
        epoch=3,
        epochs=4,
        best_epoch=2,
    )
    assert facts(run(), of_run, {'c' * 40: COMMIT}) == {
        'seed': '7',
        'commit': 'c' * 40,
        'message': 'why not',
        'author': 'A Tester',
        'recorded': '2025-11-13 02:13 UTC',
        'epochs': '3 of 4, best 2',
        'watched': 'val/acc, max',
        'trained': '3 min 20 s',
        'started': 'Monday',
    }


def test_a_commit_beside_the_branch_is_shown_by_its_parent():
    side = COMMIT._replace(message=f'{runs_of_head.SIDE}uncommitted')
    commits = {'c' * 40: side, 'p' * 40: COMMIT}
    said = facts(run(), files({'commit': 'c' * 40}), commits)
    assert said['made from'] == 'pppppppppp why not' and 'message' not in said


def test_a_run_by_hand_and_an_imported_one_have_no_commit():
    assert facts(run(commit=None), files())['commit'] == 'none: a run by hand'
    imported = {'kind': 'wandb', 'name': 'a', 'id': 5}
    said = facts(run(commit=None), files({'imported': imported}))
    assert 'commit' not in said and said['imported from'] == 'wandb a 5'
    assert run_card.unit({'imported': {'x': 'step'}}) == 'step'
    assert run_card.unit({'imported': 'x'}) == 'epoch'


def test_a_time_that_no_calendar_has_is_left_out():
    commits = {'c' * 40: COMMIT._replace(time=10**18)}
    assert 'recorded' not in facts(run(), files({'commit': 'c' * 40}), commits)


def test_equal_environments_have_one_place():
    environments = run_card.Environments()
    one = {'python': '3.12', 'packages': {'torch': '2.13'}}
    places = [environments.add(content) for content in (one, {'python': '3.11'}, dict(one), {})]
    assert places == [0, 1, 0, None]
    assert environments.all[0] == {'facts': [['python', '3.12']], 'packages': [['torch', '2.13']]}
    environments.add({'packages': 'none'})
    assert environments.all[2] == {'facts': [], 'packages': []}


def test_a_matrix_has_a_title_and_its_classes():
    of_run = files(matrices=(3, {'val/confusion': (['a', 'b'], [[1, 2], [3, 4]])}))
    assert run_card.matrices(of_run) == [
        {
            'title': 'val/confusion at epoch 3',
            'classes': ['a', 'b'],
            'counts': [[1, 2], [3, 4]],
        }
    ]


def test_what_a_run_began_with_is_a_fact_and_a_hostile_one_is_none():
    source = {'file': 'epoch_3.pth', 'sha256': 'a' * 64, 'what': 'weights'}
    known = facts(run(), files({'commit': 'c' * 40, 'inputs': {'pre/0': source}}))
    assert known['began with'] == 'weights of pre/0:epoch_3.pth'
    for hostile in ('<b>', {'<b>': source}, [source]):
        assert 'began with' not in facts(run(), files({'commit': 'c' * 40, 'inputs': hostile}))
