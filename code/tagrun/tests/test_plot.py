"""plot: which lines, their names, what is cut, smoothed and marked; the files, and curves.png of each run."""
import math
import time

import made
import pytest
import stub
from conftest import wait_for

from tagrun.command.say import Refusal
from tagrun.extra import curves, picture, plot
from tagrun.store import history, layout, table

PNG = b'\x89PNG'


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """Runs made by hand: five seeds, ten learning rates, two that diverged, one that stopped, hostile names."""
    made_project = stub.make(tmp_path_factory.mktemp('plot') / "a 'b; c")
    commit = made_project.git('rev-parse', 'HEAD').strip()

    def run(name, values, lr=0.01, metric='val/acc', hparam=(), **more):
        folder = made.run(made_project.root, name, {'lr': lr, **dict(hparam)}, {metric: values[-1]},
                          **{'commit': commit, 'watch': metric, 'epoch': len(values), 'epochs': len(values), **more})
        history.write(folder, [{'epoch': epoch, 'train/loss': 2 / epoch, 'val/loss': value, metric: value, 'lr': lr, 'seconds': 0.1}
                               for epoch, value in enumerate(values, 1)])
        return folder
    for seed in range(5):
        trace = run(f'five/{seed}', [0.1 * seed, 0.2 * seed, 0.3 * seed]) / 'trace.csv'
        trace.write_text('epoch,step,order,batch,loss,weights\n' + ''.join(f'1,{step},a,b,{1 / step},\n' for step in range(1, 101)) + '1,,,,,c\n')
    for number in range(10):
        run(f'ten/{number}', [0.1, 0.2, 0.1 * number], lr=10 ** (-number / 3))
    run('diverged/0', [0.5, math.nan, 0.7, math.inf, math.inf], lr=1.0)
    run('diverged/1', [math.nan, math.nan], lr=2.0)
    run('diverged/2', [2.0, 1.0, 1e30], lr=3.0)
    run('stopped/0', [0.5, 0.6], lr=0.5, status='interrupted')
    for number in range(3):
        run(f'_{"long" * 20}$x_{{{number}'.replace('{', '=') .replace('$', '+') + '/0', [0.5, 0.6], lr=number + 10.0,
            hparam={'$\\frac{': '\x1b[31m\u202e$\n</text><script>', '_' * 300: '\0'})
    run('hostile/0', [0.5, 0.6], metric='$\\frac{_val/\x1b]0;acc\n\u202e')
    return made_project


@pytest.fixture
def figure(project, monkeypatch):
    """What `plot` draws for the words of a command line, as matplotlib's Figure."""
    monkeypatch.setattr(plot, 'ROOT', project.root)

    def draw(*words):
        options = plot._options([*words])
        runs, _ = table.load(project.root, plot.choose.several(project.root, options.run))
        return plot._over(runs, options)[0] if options.over else plot._curves(runs, options)[0]
    return draw


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def panels(figure):
    return {axes.get_title(loc='left'): axes for axes in figure.axes if axes.get_title(loc='left')}


def widths(axes):
    """(line width, points) of the lines with dashes."""
    return sorted((line.get_linewidth(), len(line.get_xdata())) for line in axes.get_lines() if line.get_linestyle() != 'None')


def test_one_run_shows_all_it_measured_and_its_name(project, figure):
    found = figure('ten/3')
    assert list(panels(found)) == ['loss', 'val/acc']       # train/loss and val/loss in one; lr is an argument
    assert legend(found) == ['train', 'val'] and found.get_suptitle() == 'ten/3'


def test_seeds_are_one_line_with_mean_and_sample_deviation(project, figure):
    points = [curves.of_history(project.folder(f'five/{seed}'))['val/acc'] for seed in range(5)]
    curve = curves.curve(points)
    assert curve.mean.y == pytest.approx([0.2, 0.4, 0.6]) and curve.std[0] == pytest.approx(0.1 * math.sqrt(2.5))
    found = figure('five', 'stopped', '--metric', 'acc')
    assert legend(found) == ['five/0-4  lr=0.01  (5 seeds)', 'stopped/0  lr=0.5  (interrupted)', 'mean ± std over seeds']
    assert len(panels(found)['val/acc'].collections) == 1


def test_each_draws_every_seed_as_a_line(figure):
    assert legend(figure('five', '--each')) == [f'five/{seed}' for seed in range(5)]


def test_a_band_ends_where_one_of_its_seeds_does_and_the_others_go_on_thin(project, figure):
    whole, short = (curves.of_history(project.folder(name))['val/acc'] for name in ('five/1', 'stopped/0'))
    curve = curves.curve([whole, short])
    assert list(curve.mean.x) == [1, 2]
    found = picture.of_curves({'acc': {('a', ''): curve}}, ['a'])
    assert widths(panels(found)['acc'])[:2] == [(0.7, 2), (0.7, 3)]


def test_lines_have_looks_of_their_own_and_more_than_forty_are_grey():
    looks = picture._looks([str(number) for number in range(50)], [''])
    assert len({(look['color'], str(look['linestyle'])) for look in list(looks.values())[:40]}) == 40 == picture.TOLD_APART
    assert {look['color'] for look in list(looks.values())[40:]} == {picture.REST}


def test_what_is_no_number_is_a_gap_and_a_cross_where_it_began(figure):
    axes = panels(figure('diverged/0', '--metric', 'val/acc'))['val/acc']
    crosses = [line for line in axes.get_lines() if line.get_marker() == 'X']
    assert [list(line.get_xdata()) for line in crosses] == [[1, 3]]
    line = next(line for line in axes.get_lines() if line.get_linestyle() == '-')
    assert [math.isnan(value) for value in line.get_ydata()] == [False, True, False, True, True]
    dots = next(line for line in axes.get_lines() if line.get_marker() == 'o')
    assert list(dots.get_xdata()) == [1, 3]     # between two gaps a line would not be seen


def test_a_run_that_never_had_a_number_is_there_too(figure):
    found = figure('diverged/1', 'ten/3', '--metric', 'val/acc')
    assert picture.NOT_FINITE in legend(found)
    assert any(line.get_marker() == 'X' and list(line.get_xdata()) == [1] for line in panels(found)['val/acc'].get_lines())


def test_an_explosion_presses_nothing_flat_and_is_told(figure):
    axes = panels(figure('diverged/2', 'ten/3', '--metric', 'val/loss'))['val/loss']
    assert axes.get_ylim()[1] < 4 and [text.get_text() for text in axes.texts] == ['cut off: up to 1e+30']
    assert not panels(figure('diverged/2', '--metric', 'val/loss', '--log'))['val/loss'].texts


def test_smoothing_is_said_and_the_raw_line_stays_behind(figure):
    axes = panels(figure('five/1', '--steps', '--smooth', '10'))
    assert list(axes) == ['train/loss (mean of the last 10 points)']
    drawn = [line for line in axes['train/loss (mean of the last 10 points)'].get_lines() if len(line.get_xdata()) == 100]
    assert len(drawn) == 2 and drawn[1].get_ydata()[99] == pytest.approx(sum(1 / step for step in range(91, 101)) / 10)


def test_a_running_mean_is_not_spoilt_by_one_that_is_no_number():
    points = curves._points([(x, math.nan if x == 3 else 1.0) for x in range(6)])
    assert [value for value in curves._smoothed(points, 4).y if not math.isnan(value)] == [1.0] * 5


def test_a_long_trace_keeps_its_peaks():
    points = curves._points([(x, 100.0 if x == 777_777 else math.nan if x == 5 else 1.0) for x in range(1_000_000)])
    x, y = picture._thinned(points)
    assert len(x) <= picture.DRAWN and max(value for value in y if not math.isnan(value)) == 100 and math.isnan(y[list(x).index(5)])


def test_a_sweep_is_drawn_over_its_argument(figure):
    axes = figure('ten', 'five', '--over', 'lr').axes[0]
    assert axes.get_xscale() == 'log' and axes.get_xlabel() == 'lr' and axes.get_ylabel() == 'val/acc at the best epoch'
    means = next(container for container in axes.containers)
    assert len(means[0].get_xdata()) == 10      # five seeds of 0.01 and ten/6 are one
    assert [text.get_text() for text in figure('ten', '--over', 'model').axes[0].get_xticklabels()] == ['cnn']


def test_odd_names_are_drawn_as_they_are_and_drive_nothing(project, figure):
    assert picture.shown('$x^2$\n\x1b[31m\u202e') == r'\$x^2\$\n\x1b[31m\u202e'
    tags = sorted(tag for tag in layout.tags(project.root) if tag.startswith('_'))
    found = figure(*tags, 'stopped')
    names = legend(found)
    assert len(names) == len(set(names)) == 4 and names[0].startswith('_long')
    for ending in plot.FORMATS:
        path = project.root / f'odd{ending}'
        project.tagrun('plot', *tags, 'hostile', '-o', path)
        assert path.stat().st_size > 5000 and b'<script>' not in path.read_bytes()


def test_the_file_is_named_by_what_is_drawn_and_the_same_twice(project):
    done = project.tagrun('plot', 'five', 'ten/3', '--metric', 'acc')
    path = project.root / '__statistic__' / 'plot' / 'five+ten-3.png'
    assert '__statistic__/plot/five+ten-3.png: 6 runs, val/acc' in done.stderr and not done.stdout
    first = path.read_bytes()
    project.tagrun('plot', 'five', 'ten/3', '--metric', 'acc')
    assert first.startswith(PNG) and path.read_bytes() == first


@pytest.mark.parametrize('words, code, told', [
    (['nothing'], 1, 'there is no run'), (['five', '--metric', 'val/ac'], 2, "Did you mean 'val/acc'"), (['five', '-o', 'a.bmp'], 2, '.png, .svg, .pdf'),
    (['five', '--smooth', '0'], 2, '1 or more'), (['five', '--over', 'nosuch'], 2, 'no column'), (['ten', '--steps'], 1, 'trace'), ([], 2, 'run'),
    (['five', '-o', 'none/such/x.png'], 1, 'cannot be written'), (['five', '-o', '/proc/x.png'], 1, 'cannot be written')])
def test_what_cannot_be_is_refused_in_a_line(project, words, code, told):
    assert told in project.tagrun('plot', *words, code=code).stderr


def test_a_damaged_history_is_named_and_the_others_are_drawn(project, figure, capsys):
    path = project.folder('ten/9') / 'history.csv'
    before = path.read_bytes()
    path.write_bytes(b'epoch,val/acc,\xff\x00\n1,0.5,"\n2,,\nnan,abc\n')
    try:
        figure('ten/8', 'ten/9', '--metric', 'acc')
        path.unlink()
        with pytest.raises(Refusal):
            figure('ten/9')
    finally:
        path.write_bytes(before)
    assert 'ten/9' in capsys.readouterr().err


def test_each_run_gets_its_curves_at_its_end_and_waits_for_none(tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    project.edit('main.py', "[{'val/acc': 0.5, 'seconds': 1.0}]", "[{'epoch': 1, 'val/acc': 0.5}, {'epoch': 2, 'val/acc': 0.6}]")
    project.commit()
    project.git('config', '--unset', 'tagrun.curves')     # off in the other tests
    project.tagrun('run', 't1')
    path = project.folder('t1/0') / 'curves.png'
    assert not path.exists()        # the prompt came first
    wait_for(path.exists, what='curves.png')
    assert path.read_bytes().startswith(PNG)
    project.git('config', 'tagrun.curves', 'false')
    project.tagrun('run', 't2', '--set', "how='failed'", code=1)
    time.sleep(2)
    assert not (project.folder('t2/0') / 'curves.png').exists()
    project.tagrun('plot', 't2', '--own')
    assert (project.folder('t2/0') / 'curves.png').read_bytes().startswith(PNG)


def test_what_an_after_file_raises_is_a_line_and_no_more(tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    (project.root / 'code' / 'tagrun' / 'extra' / 'after_worse.py').write_text('"""Fails."""\n\n\ndef after(repository, folder, info):\n    raise OSError("out\\nof luck")\n')
    (project.root / 'code' / 'tagrun' / 'extra' / 'after_zoo.py').write_text(
        '"""Tells."""\n\n\ndef after(repository, folder, info):\n    (folder / "told").write_text(f"{info[\'tag\']} {repository.root == folder.parents[2]}")\n')
    done = project.tagrun('run', 't1')
    assert 'tagrun: extra/after_worse.py: OSError: out\n' in done.stderr
    assert (project.folder('t1/0') / 'told').read_text() == 't1 True' and project.statistic('t1/0')['status'] == 'finished'
