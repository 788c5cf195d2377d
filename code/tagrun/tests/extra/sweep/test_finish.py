"""The end of a sweep: exit codes, the table, the plots, and what to type next."""

import signal
from types import SimpleNamespace

import pytest

from tagrun.core import finder
from tagrun.core.cli.messages import UserError
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.tables import set_table
from tagrun.extra.sweep import space
from tagrun.extra.sweep.finish import Finish
from tagrun.extra.sweep.request import SweepRequest
from tagrun.store import layout, statistic
from tagrun.store.run_ref import RunRef

REQUEST = SweepRequest('t', ('lr=1,2',))


@pytest.fixture
def called(monkeypatch):
    """The words with which plot is called, and those of the table that is shown."""
    calls = []

    def command(name):
        return SimpleNamespace(main=lambda words: calls.append([name, *words]))

    def show(root, choice):
        calls.append(['table', *choice.words()])

    monkeypatch.setattr(finder, 'command', command)
    monkeypatch.setattr(set_table, 'show', show)
    return calls


@pytest.fixture
def finish(tmp_path):
    """Return the end of a sweep whose runs are in these states."""

    def make(states, request=REQUEST, metric=None, curves=True, config='lr = 0.1'):
        refs = [RunRef('t', number) for number in range(len(states))]
        for run in refs:
            run.folder(tmp_path).mkdir(parents=True)
            statistic.write(run.folder(tmp_path), {'status': states[run.number]})
        content = {'monitor': 'acc', 'metric': {'acc': 0.5}}
        status = [
            RunStatus(RunRef('t', number), state, 0.0, content)
            for number, state in enumerate(states)
        ]
        runs = SimpleNamespace(
            refs=lambda trials: refs,
            ref=lambda number: RunRef('t', number),
            status=lambda number: status[number],
            statuses=lambda: status,
        )
        inputs = SimpleNamespace(runs=runs, space=space.parse(request.values, config))
        source = SimpleNamespace(trials=list, total=len(states), metric=metric)
        repository = SimpleNamespace(root=tmp_path, flag=lambda name, default: curves)
        return Finish(repository, request, inputs, source)

    return make


@pytest.mark.parametrize(
    'states, stopped, code, sentence',
    [
        (['finished', 'pruned'], 0, 0, 'the set \'t\''),
        (['finished', 'failed'], 0, 1, '1 trial failed: t/1; the same command with --failed'),
        (['finished', 'killed', 'created'], 0, 1, '2 trials did not come to an end: t/1-2'),
        (['finished', 'interrupted'], signal.SIGTERM, 75, 'stopped after 1 of 2 trials'),
        (['finished', 'interrupted'], signal.SIGINT, 130, 'the same command goes on'),
        (['finished', 'finished'], signal.SIGTERM, 0, ''),
    ],
)
def test_the_exit_code_says_whether_all_is_done(
    finish, called, capsys, states, stopped, code, sentence
):
    assert finish(states).report(stopped, trained=True) == code
    assert sentence in capsys.readouterr().err


def test_the_trials_that_began_are_a_set(finish, called, tmp_path):
    end = finish(['finished', 'created', 'killed'])
    (RunRef('t', 1).folder(tmp_path) / statistic.NAME).unlink()
    end.report(0, trained=True)
    assert layout.list_file(tmp_path, 't').read_text().split() == ['t/0', 't/2']


def test_a_grid_has_its_table_and_a_plot_over_each_argument(finish, called, capsys):
    request = REQUEST._replace(values=('lr=1,2', 'model=a,b', 'x=3'), seeds=2, vary='.,y.patch')
    end = finish(['finished'], request, config='lr = 0.1\nmodel = ""\nx = 1')
    end.report(0, trained=True)
    assert called == [
        ['table', 't', '--group', '--keep', 'variant', '--only-changed'],
        ['plot', '@t', '--over', 'lr', '--by', 'model'],
        ['plot', '@t', '--over', 'model', '--by', 'lr'],
    ]
    shown = capsys.readouterr().err
    assert 'next     table t --group --keep variant --only-changed' in shown
    assert 'rerun t/0 -f' in shown and 'git diff t refs/tagrun/code/t/0' in shown


def test_a_search_is_sorted_and_plotted_by_its_metric(finish, called):
    request = REQUEST._replace(values=('lr=log(1,9)',), search='tpe', trials=1)
    finish(['finished'], request, metric='val/acc').report(0, trained=True)
    assert called == [
        ['table', 't', '--sort-by', 'val/acc', '--only-changed'],
        ['plot', '@t', '--over', 'lr', '--metric', 'val/acc'],
    ]


@pytest.mark.parametrize(
    'trained, stopped, curves', [(False, 0, True), (True, 15, True), (True, 0, False)]
)
def test_nothing_new_no_end_or_no_wish_no_plot(finish, called, trained, stopped, curves):
    finish(['finished'], curves=curves).report(stopped, trained)
    assert [words[0] for words in called] == ['table']


def test_without_a_trial_that_is_done_there_is_no_table(finish, called):
    assert finish(['failed']).report(0, trained=True) == 1 and not called


def test_a_plot_that_cannot_be_made_is_named_and_the_sweep_is_done(finish, monkeypatch, capsys):
    def main(words):
        if words[0].startswith('@'):
            raise UserError('no such metric')

    monkeypatch.setattr(finder, 'command', lambda name: SimpleNamespace(main=main))
    assert finish(['finished']).report(0, trained=True) == 0
    assert 'no plot over lr: no such metric' in capsys.readouterr().err


def test_without_the_plot_folder_there_is_the_table_alone(finish, called, monkeypatch):
    monkeypatch.setattr(finder, 'command', lambda name: None)
    assert finish(['finished']).report(0, trained=True) == 0
    assert [words[0] for words in called] == ['table']
