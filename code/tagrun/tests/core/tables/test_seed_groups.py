"""core/tables/seed_groups.py: which runs are one row."""

import json
import math

import pytest
from run_factory import run
from table_rows import ACC, rows_of

from tagrun.core.git.process import GitError
from tagrun.core.tables import seed_groups
from tagrun.store.table import MISSING, Column, Mean


class Git:
    """A repository that has the tree of code/ of some commits."""

    prefix = 'sub/'

    def __init__(self, trees=None):
        self.trees = trees

    def blobs(self, ids, missing):
        if self.trees is None:
            raise GitError('git does not answer')
        return {name: self.trees.get(name, missing) for name in ids}


def tree(seed, code, config=b'c'):
    """A tree object as git has it, with entries whose ids are 20 bytes."""
    names = {b'100644 config.py': config, b'100644 main': code, b'100644 seed': seed}
    return b''.join(name + b'\0' + id * 20 for name, id in names.items())


def commit(number):
    return f'{number:040x}'


def trees(**codes):
    return {f'{commit(int(name[1:]))}:sub/code': tree(*code) for name, code in codes.items()}


@pytest.fixture
def runs(root):
    for number in range(3):
        run(root, f't1/{number}', metric={'val/acc': number / 4}, commit=commit(number))
    return rows_of(root, 't1/0', 't1/1', 't1/2')


def test_trees_that_differ_in_the_seed_alone_are_one_row(runs):
    git = Git(trees(c0=(b'0', b'a'), c1=(b'1', b'a'), c2=(b'2', b'b')))
    groups = seed_groups.rows(git, runs)
    assert [group.name for group in groups] == ['t1/0-1', 't1/2']
    assert groups[0].get(ACC) == (0.125, pytest.approx(0.176777, abs=1e-6), 2, False)


def test_other_arguments_are_another_row(root, runs):
    run(root, 't1/3', hparam={'lr': 9.0}, commit=commit(3))
    git = Git(trees(**{f'c{number}': (b'0', b'a') for number in range(4)}))
    groups = seed_groups.rows(git, [*runs, *rows_of(root, 't1/3')])
    assert [group.name for group in groups] == ['t1/0-2', 't1/3']


def test_commits_that_git_does_not_have_group_the_runs_of_a_tag(root, runs, capsys):
    run(root, 't2/0')
    run(root, 'scratch/0', commit=None)
    run(root, 'scratch/1', commit=None)
    others = rows_of(root, 't2/0', 'scratch/0', 'scratch/1')
    names = [group.name for group in seed_groups.rows(Git(), [*runs, *others])]
    assert names == ['t1/0-2', 't2/0', 'scratch/0', 'scratch/1']
    assert 'only runs of one tag' in capsys.readouterr().err


def test_one_commit_that_is_missing_merges_no_other_runs(root, runs, capsys):
    git = Git(trees(c0=(b'0', b'a'), c1=(b'1', b'b')))
    run(root, 't1/3', commit=commit(3))
    names = [group.name for group in seed_groups.rows(git, [*runs, *rows_of(root, 't1/3')])]
    # t1/2 and t1/3 are unknown, and of one tag
    assert names == ['t1/0', 't1/1', 't1/2-3']
    assert 'the commits of t1/2, t1/3 are not in this repository' in capsys.readouterr().err


def test_a_seed_counts_once_and_what_is_not_finished_not_at_all(root, capsys):
    run(root, 't1/0', seed=1, metric={'val/acc': 0.5})
    run(root, 't1/1', seed=1, metric={'val/acc': 0.9})
    run(root, 't1/2', seed=2, status='failed')
    [group] = seed_groups.rows(Git(), rows_of(root, 't1/0', 't1/1', 't1/2'))
    assert (len(group.runs), len(group.counted), group.size) == (3, 1, 2)
    assert group.get(ACC) == Mean(0.5, None, 1, True)
    assert 't1/0: t1/1 had the same seed; it counts once' in capsys.readouterr().err


def test_groups_are_runs_of_equal_code_and_arguments_each_seed_once(stubbed):
    stubbed.edit(
        'main.py', "'metric': {'val/acc': 0.5}", "'metric': {'val/acc': INFO['seed'] % 997 / 997}"
    )
    stubbed.tagrun('run', 'five', '--seeds', '3')
    stubbed.tagrun('rerun', 'five/0', '-f')  # the same seed: the same run
    stubbed.tagrun('run', 'again')  # another tag of the same code
    stubbed.tagrun('run', 'wide', '--set', 'steps=5')  # another argument
    stubbed.edit('model.py', 'none', 'another')
    stubbed.tagrun('run', 'other')  # other code
    done = stubbed.tagrun('table', '--group', '--json')
    rows = {row['expernameid']: row for row in json.loads(done.stdout)}
    assert list(rows) == ['five/0-3 again/0', 'wide/0', 'other/0']
    assert 'five/0: five/3 had the same seed; it counts once' in done.stderr
    values = [
        stubbed.statistic(name)['metric']['val/acc']
        for name in ('five/0', 'five/1', 'five/2', 'again/0')
    ]
    row = rows['five/0-3 again/0']
    assert math.isclose(row['val/acc'], sum(values) / 4) and (row['n'], row['runs']) == (4, 4)
    assert math.isclose(
        row['val/acc std'], math.sqrt(sum((value - sum(values) / 4) ** 2 for value in values) / 3)
    )
    assert rows['wide/0']['val/acc std'] is None


def test_an_argument_may_differ_too_and_each_of_its_values_counts(root):
    for number, fold in enumerate((0, 1, 1, 2)):
        metric = {'val/acc': number / 4}
        more = {'seed': 7, 'metric': metric, 'commit': commit(number)}
        run(root, f't1/{number}', hparam={'fold': fold}, **more)
    configs = {f'c{number}': (b'0', b'a', b'%d' % number) for number in range(4)}
    folds = rows_of(root, 't1/0', 't1/1', 't1/2', 't1/3')
    [group] = seed_groups.rows(Git(trees(**configs)), folds, ['fold'])
    # t1/2 is t1/1 again
    assert group.size == 3 and group.get(ACC) == (
        pytest.approx(1 / 3),
        pytest.approx(0.381881),
        3,
        False,
    )
    assert group.get(Column('hparam', 'fold')) is MISSING
    assert len(seed_groups.rows(Git(trees(**configs)), folds)) == 4
    assert len(seed_groups.rows(Git(trees(**configs)), folds, ['lr'])) == 3


def test_other_code_is_another_row_whatever_may_differ(root):
    for number in range(2):
        run(root, f't1/{number}', hparam={'fold': number}, commit=commit(number))
    code = Git(trees(c0=(b'0', b'a'), c1=(b'0', b'b')))
    assert len(seed_groups.rows(code, rows_of(root, 't1/0', 't1/1'), ['fold'])) == 2


def test_other_inputs_are_another_row_though_code_and_arguments_are_equal(root, runs):
    for number, digit in ((3, 'a'), (4, 'a'), (5, 'b')):
        source = {'file': 'epoch_3.pth', 'sha256': digit * 64, 'what': 'weights'}
        run(root, f't1/{number}', commit=commit(number), inputs={'pre/0': source})
    git = Git(trees(**{f'c{number}': (b'0', b'a') for number in range(6)}))
    others = rows_of(root, 't1/3', 't1/4', 't1/5')
    groups = seed_groups.rows(git, [*runs, *others])
    assert [group.name for group in groups] == ['t1/0-2', 't1/3-4', 't1/5']
