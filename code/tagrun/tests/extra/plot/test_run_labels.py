"""The names of the lines."""

from tagrun.extra.plot import run_labels
from tagrun.store.table import Run


def run(name, status='finished', **hparam):
    tag, _, number = name.partition('/')
    facts = {'tag': tag, 'id': int(number), 'status': status}
    return Run(name, {'hparam': hparam, 'metric': {}, 'run': facts}, None, None)


def test_a_label_has_the_runs_what_sets_them_apart_and_how_they_ended():
    groups = [
        [run('wide/0', lr=0.1), run('wide/1', lr=0.1), run('wide/2', 'killed', lr=0.1)],
        [run('base/0', 'interrupted', lr=0.5)],
    ]
    assert run_labels.labels(groups) == [
        'wide/0-2  lr=0.1  (3 seeds)  (1 not finished)',
        'base/0  lr=0.5  (interrupted)',
    ]


def test_more_than_two_arguments_that_differ_are_left_to_the_table():
    groups = [[run('a/0', lr=1, b=1, c=1)], [run('b/0', lr=2, b=2, c=2)]]
    assert run_labels.labels(groups) == ['a/0', 'b/0']


def test_long_names_are_cut_only_as_far_as_they_stay_apart():
    names = [f'{"x" * 60}{middle}{"y" * 60}/0' for middle in 'ab']
    first, second = run_labels.labels([[run(name)] for name in names])
    assert first != second and '…' in run_labels.labels([[run(names[0])]])[0]


def test_an_argument_that_a_run_lacks_is_a_dash():
    assert run_labels.labels([[run('a/0', lr=1)], [run('b/0')]]) == ['a/0  lr=1', 'b/0  lr=-']
