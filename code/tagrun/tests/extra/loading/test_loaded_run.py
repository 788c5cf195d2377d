"""loaded_run.py: what a run has in Python, of two runs of different code at once."""

import json
import os
import random
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from project_factory import Project
from two_clones import make_pair

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading.loaded_run import LoadedRun
from tagrun.store.run_ref import RunRef


def accuracy(run):
    correct = count = 0
    with torch.no_grad():
        for x, y in run.loaders(num_workers=0)['test']:
            correct += (run.model(x).argmax(1) == y).sum().item()
            count += len(y)
    return correct / count


def test_two_runs_of_different_code_give_what_each_has_recorded(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, random_numbers = list(sys.path), torch.get_rng_state()
    first, second = load('first/0'), load('second/0')
    x = torch.randn(4, 40, generator=torch.Generator().manual_seed(1))
    before = first.model(x)
    assert torch.equal(torch.get_rng_state(), random_numbers)
    assert [accuracy(run) for run in (first, second, first)] == [
        run.statistic['metric']['test/acc'] for run in (first, second, first)
    ]
    # the helper that each imports in its forward is its own
    assert torch.equal(first.model(x), before)
    assert torch.equal(second.model(x), -3 * second.model.layers(x))
    assert type(first.model) is not type(second.model) and not first.model.training
    assert sys.path == path and os.getcwd() == str(tmp_path)
    assert not list(first.folder.joinpath('code').rglob('__pycache__'))


def test_nothing_of_today_or_of_python_is_changed(load):
    names = {'model', 'helper', 'config', 'dataloader', 'state', 'epoch', 'of_today'}
    states = random.getstate(), np.random.get_state()[1].tolist()
    known = set(sys.modules)
    run = load('second/0')
    assert run.module('dataloader').Signals.own == 'second' and run.model and run.state
    assert not names & (set(sys.modules) - known)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states


def test_arguments_commit_and_tables_are_those_of_the_run(load, trained):
    run = load('second/0')
    assert (run.args.hidden, run.args.phases) == (8, ('train', 'val', 'test'))
    assert run.args.seed == run.statistic['seed']
    assert run.commit == trained.git('rev-parse', 'refs/tagrun/code/second/0').strip()
    assert run.history['val/acc'].max() == run.statistic['metric']['val/acc']
    assert len(run.trace) == 36 and run.trace['loss'].notna().all()
    assert run.trace['weights'].iloc[-1] == run.statistic['digest']['weights'][:16]


def test_a_state_is_restored_as_a_whole(load):
    run = load('first/0', 'epoch_1.pth')
    assert (run.state.epoch, run.checkpoint.file) == (1, 'epoch_1.pth')
    assert torch.equal(run.state.model.layers[0].weight, run.model.layers[0].weight)
    assert not run.state.model.training and run.state.optimizer.state


def test_loaders_take_other_values_and_refuse_unknown_names(load):
    run = load('second/0')
    assert next(iter(run.loaders(batch_size=7)['train']))[0].shape == (7, 40)
    assert run.args.batch_size == 200
    with pytest.raises(TypeError, match="no argument 'batchsize'. Did you mean 'batch_size'"):
        run.loaders(batchsize=7)


def test_its_data_workers_are_forked(load):
    loader = load('second/0').loaders()['test']
    assert loader.num_workers == 2
    assert loader.multiprocessing_context.get_start_method() == 'fork'
    assert sum(len(y) for _, y in loader) == 1000


def test_it_is_shown_on_one_line(load, trained, tmp_path):
    run = load('first/0')
    value, epoch = run.statistic['metric']['val/acc'], run.statistic['best_epoch']
    assert repr(run) == (
        f'first/0: finished, epoch 2/2, val/acc {value:.4f} at epoch {epoch}, '
        f'commit {run.commit[:10]}'
    )
    assert repr(LoadedRun(tmp_path, RunRef('t1', 0))) == 't1/0: nothing was trained'


def test_a_run_that_trained_nothing_is_one_sentence(tmp_path):
    run = LoadedRun(tmp_path, RunRef('t1', 0))
    for name in ('statistic', 'history', 'trace', 'args', 'model'):
        with pytest.raises(UserError, match='^t1/0'):
            getattr(run, name)


@pytest.fixture(scope='module')
def fetched(trained, tmp_path_factory):
    """The project of somebody who fetched the runs: no code/, no checkpoints, no data."""
    root = tmp_path_factory.mktemp('fetched')
    made = Project(shutil.copytree(trained.root, root / 'al ice', symlinks=True))
    made.git('checkout', '-q', '.')
    pair = make_pair(root, made)
    pair.alice.tagrun('share', '--all')
    pair.bob.tagrun('fetch')
    return pair.bob


def test_a_fetched_run_has_all_up_to_its_weights(fetched, load):
    assert not (fetched.folder('second/0') / 'code').exists()
    run, original = LoadedRun(fetched.root, RunRef('second', 0)), load('second/0')
    assert run.args == original.args and run.commit == original.commit
    pd.testing.assert_frame_equal(run.history, original.history)
    untrained = run.module('model').build_model(run.args).eval()
    assert torch.equal(untrained(torch.zeros(1, 40)), -3 * untrained.layers(torch.zeros(1, 40)))
    with pytest.raises(UserError, match='second/0 has no checkpoint here, and so no weights'):
        run.model  # noqa: B018
    with pytest.raises(UserError, match='second/0 has no trace.csv here'):
        run.trace  # noqa: B018


def test_several_networks_are_named_and_stand_on_the_state(trained, tmp_path):
    project = Project(shutil.copytree(trained.root, tmp_path / "a 'b; c", symlinks=True))
    run = LoadedRun(project.root, RunRef('first', 0))
    run.state.__dict__['critic'] = run.state.__dict__.pop('model')
    run.state.generator = torch.nn.Linear(1, 1)
    # of a run whose model.py builds none
    run.code.module('model').build_model = None
    with pytest.raises(UserError, match='first/0 has several networks: run.state.'):
        run.model  # noqa: B018


def test_a_running_run_can_be_loaded(trained, tmp_path):
    project = Project(shutil.copytree(trained.root, tmp_path / "a 'b; c", symlinks=True))
    path = project.folder('first/0') / 'statistic.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, 'status': 'running', 'epochs': None, 'metric': {}}))
    run = LoadedRun(project.root, RunRef('first', 0))
    assert repr(run).startswith('first/0: running, epoch 2, commit') and run.model is not None
