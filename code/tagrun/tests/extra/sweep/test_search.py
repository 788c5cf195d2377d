"""Searches and pruned trials, with Optuna."""

from types import SimpleNamespace

import pytest
import stub_project
from project_factory import CODE, make_project, wait_for

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sweep import search
from tagrun.extra.sweep.inputs import read_inputs
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.sources import GridSource
from tagrun.store import history, pruning, statistic

CONFIG = "watch = 'val/loss'\nwatch_mode = 'max'\n"
GRID = SweepRequest('t', ('lr=1,2',), metric='val/acc', prune='median')
SEARCH = SweepRequest('t', ('model=a,b',), metric='val/acc', search='random', trials=9, seeds=2)


def values(project, count):
    return [project.statistic(f't/{number}')['hparam']['lr'] for number in range(count)]


def test_a_search_is_the_same_from_the_same_seed_and_goes_on(tmp_path):
    pytest.importorskip('optuna')
    one, other = stub_project.make(tmp_path / 'one'), stub_project.make(tmp_path / 'other')
    words = (
        'sweep',
        't',
        'lr=log(1e-4,1e-1)',
        'model=a,b',
        '--metric',
        'val/acc',
        '--search',
        'tpe',
        '-f',
        '--trials',
    )
    one.tagrun(*words, 2)
    one.tagrun(*words, 4)
    one.tagrun(*words, 4)
    other.tagrun(*words, 4)
    assert (
        values(one, 4) == values(other, 4)
        and len(set(values(one, 4))) == 4
        and all(1e-4 <= value <= 0.1 for value in values(one, 4))
    )
    assert (
        not one.folder('t/4').exists()
        and (one.root / '__statistic__' / 'search' / 't.log').is_file()
    )


def test_a_value_that_was_tried_is_not_trained_again(stubbed):
    pytest.importorskip('optuna')
    stubbed.tagrun(
        'sweep',
        't',
        'model=a,b',
        '--search',
        'random',
        '--trials',
        '12',
        '--seeds',
        '2',
        '--metric',
        'val/acc',
    )
    assert sorted(path.name for path in stubbed.folder('t').glob('[0-9]*')) == list('0123')


def test_a_metric_that_no_run_has_stops_the_search_at_its_first_trial(stubbed):
    pytest.importorskip('optuna')
    said = stubbed.tagrun(
        'sweep',
        't',
        'lr=log(1e-4,1e-1)',
        '--search',
        'random',
        '--trials',
        '5',
        '--metric',
        'val/accuracy',
        code=75,
    ).stderr
    assert (
        "no metric 'val/accuracy'" in said
        and '--metric val/acc' in said
        and not stubbed.folder('t/1').exists()
    )


def test_a_journal_that_is_none_is_refused(stubbed):
    pytest.importorskip('optuna')
    words = (
        'sweep',
        't',
        'lr=log(1e-4,1e-1)',
        '--search',
        'random',
        '--trials',
        '1',
        '--metric',
        'val/acc',
    )
    stubbed.tagrun(*words)
    (stubbed.root / '__statistic__' / 'search' / 't.log').write_text('{"no": "journal"}\n[\n{}\n')
    assert 'cannot be read (KeyError' in stubbed.tagrun(*words, code=1).stderr


def test_a_search_without_optuna_names_it(stubbed, tmp_path):
    (tmp_path / 'hide').mkdir()
    (tmp_path / 'hide' / 'optuna.py').write_text("raise ModuleNotFoundError('no', name='optuna')\n")
    said = stubbed.tagrun(
        'sweep',
        't',
        'lr=1,2',
        '--search',
        'random',
        '--trials',
        '2',
        '--metric',
        'val/acc',
        code=1,
        env={'PYTHONPATH': str(tmp_path / 'hide')},
    ).stderr
    assert (
        'requirements-sweep.txt' in said
        and (CODE / 'requirements-sweep.txt').is_file()
        and not stubbed.git('tag')
    )


def test_a_pruned_run_stops_at_an_epochs_end_and_can_go_on(project):
    run = project.start('run', 't', '-f')
    wait_for((project.folder('t/0') / 'run.json').exists, what='the run')
    pruning.request(project.folder('t/0'), 'poor')
    assert run.wait(120) == 0
    told = project.statistic('t/0')
    assert (told['status'], told['message'], told['epoch']) == ('pruned', 'poor', 1)
    assert not (project.root / '__statistic__' / 'exper-list' / 'finished.txt').exists()
    assert 'pruned' in project.tagrun('expls', 't').stdout
    project.tagrun('continue', 't')
    assert project.statistic('t/0')['status'] == 'finished' and not pruning.reason(
        project.folder('t/0')
    )


@pytest.mark.slow
def test_a_poor_trial_is_pruned_and_the_sweep_counts_it_as_done(tmp_path, data):
    pytest.importorskip('optuna')
    project = make_project(tmp_path / "a 'b; c", data, epochs='60')
    words = ('sweep', 't', 'lr=0.1,0.05,0.03,0.02,0.01,1e-6', '--prune', 'median', '-f')
    assert 't/5 pruned' in project.tagrun(*words, timeout=900).stderr
    assert (
        project.statistic('t/5')['epoch'] < 60 and 'median' in project.statistic('t/5')['message']
    )
    assert 't/5' not in project.tagrun(*words).stderr


# --- the sources by themselves -----------------------------------------------------------------


def test_the_metric_is_that_of_the_command_else_the_one_that_config_monitors():
    assert search.metric_name(GRID, '') == 'val/acc'
    without = GRID._replace(metric=None)
    assert search.metric_name(without, CONFIG) == 'val/loss'
    assert search.metric_name(without, "monitor = 'val/acc'") == 'val/acc'
    with pytest.raises(UserError, match='--metric NAME is needed'):
        search.metric_name(without, 'watch = 1 + x')


@pytest.mark.parametrize(
    'metric, config, direction',
    [
        ('val/loss', CONFIG, 'max'),
        ('train/loss', CONFIG, 'max'),
        ('train/loss', '', 'min'),
        ('val/acc', CONFIG, 'max'),
        ('val/error', CONFIG, 'min'),
        ('val/acc', "monitor = 'val/acc'\nmonitor_mode = 'min'\n", 'min'),
    ],
)
def test_which_values_are_better_config_says_else_the_name(metric, config, direction):
    assert search.direction(metric, config) == direction


def test_only_a_finished_run_can_lack_the_metric():
    def missing(state, metrics):
        status = SimpleNamespace(name='t/0', state=state, content={'metric': metrics})
        return search.missing_metric(status, 'val/acc')

    assert missing('finished', {'a': 1, 'b': 2}).endswith('--metric a, b')
    assert missing('finished', {'val/acc': 1}) == missing('failed', {'a': 1}) == ''
    assert missing('finished', {}) == ''


def test_an_epoch_without_the_metric_has_no_value(tmp_path):
    assert search.epoch_values(tmp_path, 'acc') == []
    history.write(tmp_path, [{'acc': 0.5}, {'acc': None}, {'acc': float('nan')}])
    first, second, third = search.epoch_values(tmp_path, 'acc')
    assert first == 0.5 and second is None and third != third
    assert search.epoch_values(tmp_path, 'loss') == [None] * 3


@pytest.fixture
def inputs(stubbed):
    """Return what a request's sources are made of."""

    def read(request):
        return read_inputs(Repository.at(stubbed.root), request, 'HEAD')

    return read


def ended(inputs, number, value, state='finished'):
    """Write how a run ended; its status."""
    folder = inputs.runs.folder(number)
    history.write(folder, [{'val/acc': value}])
    statistic.write(folder, {'status': state, 'metric': {'val/acc': value}, 'time': {}})
    return inputs.runs.status(number)


def test_the_request_chooses_the_source(inputs, stubbed):
    pytest.importorskip('optuna')
    repository = Repository.at(stubbed.root)
    for request, kind, metric, total in (
        (GRID._replace(prune=None), GridSource, None, 2),
        (GRID, search.PrunedGrid, None, 2),
        (SEARCH, search.OptunaSource, 'val/acc', 18),
    ):
        source = search.make_source(repository, request, inputs(request))
        assert (type(source), source.metric, source.total) == (kind, metric, total)


def test_a_search_trains_each_value_with_each_seed_and_none_twice(inputs, stubbed):
    pytest.importorskip('optuna')
    one = inputs(SEARCH)
    source = search.make_source(Repository.at(stubbed.root), SEARCH, one)
    assert source.catch_up() == ''
    labels = []
    while (trial := source.ask()) is not None:
        number = int(one.runs.prepare(trial).name)
        labels.append(trial.label)
        assert source.tell(number, ended(one, number, 0.5)) == ''
    values = ['model=a, seed 1', 'model=a, seed 2', 'model=b, seed 1', 'model=b, seed 2']
    assert sorted(labels) == values
    assert len(source.trials()) == 4 and source.done_count() == source.total == 18


def test_a_search_goes_on_with_what_was_left_open(inputs, stubbed):
    pytest.importorskip('optuna')
    repository, one = Repository.at(stubbed.root), inputs(SEARCH)
    source = search.make_source(repository, SEARCH, one)
    first, second = source.ask(), source.ask()
    one.runs.prepare(first)
    ended(one, 0, 0.5)
    again = search.make_source(repository, SEARCH, inputs(SEARCH))
    assert again.catch_up() == '' and again.done_count() == 1
    assert again.ask().key == second.key


def test_a_search_that_goes_on_starts_each_run_once_though_several_suggestions_are_open(
    inputs, stubbed
):
    """18 trials of two values and two seeds: with several at once, suggestions come to the same."""
    pytest.importorskip('optuna')
    repository, one = Repository.at(stubbed.root), inputs(SEARCH)
    source = search.make_source(repository, SEARCH, one)
    while (trial := source.ask()) is not None:
        one.runs.prepare(trial)
    again = search.make_source(repository, SEARCH, inputs(SEARCH))
    assert again.catch_up() == ''
    keys = []
    while (trial := again.ask()) is not None:
        keys.append(trial.key)
    assert len(keys) == len(set(keys)) == 4


def test_a_poor_run_of_a_grid_is_requested_to_stop(inputs, stubbed):
    pytest.importorskip('optuna')
    request = GRID._replace(values=('lr=range(1,8)',))
    one = inputs(request)
    source = search.make_source(Repository.at(stubbed.root), request, one)
    numbers = [int(one.runs.prepare(source.ask()).name) for _ in range(7)]
    for number in numbers[:5]:
        source.tell(number, ended(one, number, 0.5))
    for number, value in zip(numbers[5:], (0.9, 0.1), strict=True):
        history.write(one.runs.folder(number), [{'val/acc': value}])
    source.watch(numbers[5:])
    assert not pruning.reason(one.runs.folder(5))
    assert pruning.reason(one.runs.folder(6)) == 'median: val/acc 0.1 after epoch 1'
    assert source.done_count() == 5 and source.ask() is None


def test_a_grid_with_prune_learns_of_the_runs_before(inputs, stubbed):
    pytest.importorskip('optuna')
    repository, one = Repository.at(stubbed.root), inputs(GRID)
    source = search.make_source(repository, GRID, one)
    one.runs.prepare(source.ask())
    statistic.write(one.runs.folder(0), {'status': 'finished', 'metric': {'x': 1}, 'time': {}})
    again = search.make_source(repository, GRID, inputs(GRID))
    assert 't/0 has no metric' in again.catch_up() and again.done_count() == 1


@pytest.mark.parametrize(
    'word, config, longest',
    [('epochs=3,7', 'epochs = 5', 7), ('lr=1', 'epochs = 5', 5), ('lr=1', 'epochs = None', 100)],
)
def test_a_trial_trains_at_most_the_epochs_of_its_config(word, config, longest):
    config = f'lr = 0.1\n{config}\n'
    inputs = SimpleNamespace(space=SweepRequest('t', (word,)).space(config), config=config)
    assert search.longest_training(inputs) == longest
