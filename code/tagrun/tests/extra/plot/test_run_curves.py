"""Which lines, metrics and panels are drawn of a set of runs."""

import pytest
import run_factory
from figures import legend, panels

from tagrun.core.cli.messages import UserError
from tagrun.extra.plot import looks, run_curves
from tagrun.store import history, table


def test_one_run_shows_all_it_measured_and_its_name(project, figure):
    drawn = figure('ten/3')
    # train/loss and val/loss in one; lr is an argument
    assert list(panels(drawn)) == ['loss', 'val/acc']
    assert legend(drawn) == ['train', 'val'] and drawn.get_suptitle() == 'ten/3'


def test_each_draws_every_seed_as_a_line(figure):
    assert legend(figure('five', '--each')) == [f'five/{seed}' for seed in range(5)]


def test_smoothing_is_said_and_the_raw_line_stays_behind(figure):
    axes = panels(figure('five/1', '--steps', '--smooth', '10'))
    assert list(axes) == ['train/loss (mean of the last 10 points)']
    drawn = [
        line
        for line in axes['train/loss (mean of the last 10 points)'].get_lines()
        if len(line.get_xdata()) == 100
    ]
    assert len(drawn) == 2 and drawn[1].get_ydata()[99] == pytest.approx(
        sum(1 / step for step in range(91, 101)) / 10
    )


def test_a_damaged_history_is_named_and_the_others_are_drawn(project, figure, capsys):
    path = project.folder('ten/9') / 'history.csv'
    before = path.read_bytes()
    path.write_bytes(b'epoch,val/acc,\xff\x00\n1,0.5,"\n2,,\nnan,abc\n')
    try:
        figure('ten/8', 'ten/9', '--metric', 'acc')
        path.unlink()
        with pytest.raises(UserError):
            figure('ten/9')
    finally:
        path.write_bytes(before)
    assert 'ten/9' in capsys.readouterr().err


def test_several_lines_show_the_monitored_metric_and_the_loss_beside_it(figure):
    assert list(panels(figure('ten/1', 'ten/2'))) == ['val/acc', 'val/loss']


def test_the_summary_counts_the_runs_and_names_the_metrics(project):
    runs, _ = table.load(project.root, [('five', 0), ('five', 1), ('ten', 1)])
    options = run_curves.CurveOptions(metrics=['acc', 'val/loss'])
    _, summary = run_curves.draw(project.root, runs, options)
    assert summary == '3 runs, val/acc, val/loss'


def test_of_more_lines_than_looks_the_best_have_names(project, monkeypatch, capsys):
    monkeypatch.setattr(looks, 'DISTINCT', 2)
    runs, _ = table.load(project.root, [('ten', number) for number in range(4)])
    figure, _ = run_curves.draw(project.root, runs, run_curves.CurveOptions(each=True))
    assert '4 lines: the best 2 by val/acc have names' in capsys.readouterr().err
    assert [text.partition(' ')[0] for text in legend(figure)][:2] == ['ten/3', 'ten/2']


def test_runs_without_a_point_are_an_error_that_says_what_is_lacking(project):
    runs, _ = table.load(project.root, [('ten', 1)])
    with pytest.raises(UserError, match='none of these runs has a trace'):
        run_curves.draw(project.root, runs, run_curves.CurveOptions(steps=True))


def test_an_imported_run_may_count_steps(project):
    run_factory.run(project.root, 'imported/0', commit=None, imported={'x': 'step'})
    history.write(project.folder('imported/0'), [{'epoch': 10, 'val/acc': 0.5}])
    runs, _ = table.load(project.root, [('imported', 0), ('ten', 1)])
    options = run_curves.CurveOptions(each=True)
    for of_figure, label in (
        (runs[:1], 'step'),
        (runs[1:], 'epoch'),
        (runs, 'epoch (of imported runs: step)'),
    ):
        figure, _ = run_curves.draw(project.root, of_figure, options)
        assert figure.axes[0].get_xlabel() == label
