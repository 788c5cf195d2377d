"""A metric over an argument."""

import pytest
from figures import legend
from run_factory import run

from tagrun.core.cli.messages import UserError
from tagrun.extra.plot import over_argument
from tagrun.store import table


def test_a_sweep_is_drawn_over_its_argument(figure):
    axes = figure('ten', 'five', '--over', 'lr').axes[0]
    assert (
        axes.get_xscale() == 'log'
        and axes.get_xlabel() == 'lr'
        and axes.get_ylabel() == 'val/acc at the best epoch'
    )
    means = next(container for container in axes.containers)
    assert len(means[0].get_xdata()) == 10  # five seeds of 0.01 and ten/6 are one
    assert [
        text.get_text() for text in figure('ten', '--over', 'model').axes[0].get_xticklabels()
    ] == ['cnn']


def test_runs_without_the_metric_are_counted_and_what_else_differs_is_named(project, capsys):
    runs, _ = table.load(project.root, [('ten', 1), ('hostile', 0), ('five', 0)])
    _, summary = over_argument.draw(runs, 'lr', metric='val/acc')
    assert summary == '3 runs, val/acc over lr'
    hostile = next(name for name in runs[1].values['metric'] if 'frac' in name)
    _, summary = over_argument.draw(runs, 'lr', metric=hostile)
    assert summary.startswith('1 run, ')
    assert '2 runs without' in capsys.readouterr().err


def test_a_line_for_each_value_of_another_argument(project):
    runs, _ = table.load(project.root, [('ten', number) for number in range(3)])
    figure, _ = over_argument.draw(runs, 'model', by='lr')
    assert legend(figure)[0].startswith('lr=')


def test_runs_that_monitor_nothing_need_a_metric(project):
    runs, _ = table.load(project.root, [('ten', 1)])
    runs = [run._replace(monitor=None) for run in runs]
    with pytest.raises(UserError, match='--metric'):
        over_argument.draw(runs, 'lr')


def test_a_point_is_the_mean_over_seeds_of_finished_runs(tmp_path, capsys):
    for number, (seed, status) in enumerate(
        [(1, 'finished'), (1, 'finished'), (2, 'finished'), (3, 'pruned'), (4, 'failed')]
    ):
        run(tmp_path, f't1/{number}', seed=seed, status=status, metric={'val/acc': number / 4})
    runs, _ = table.load(tmp_path, [('t1', number) for number in range(5)])
    _, summary = over_argument.draw(runs, 'lr')
    assert summary == '2 runs, val/acc over lr'
    said = capsys.readouterr().err
    assert '2 runs left out: not finished' in said and '1 run left out: the same arguments' in said
    with pytest.raises(UserError, match='none of these runs is finished'):
        over_argument.draw(runs[3:], 'lr')
