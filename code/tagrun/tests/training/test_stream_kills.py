"""Loaders that are not a Loader: a run that is killed goes on with the very batches."""

import json
import shutil
from pathlib import Path

import pytest
from campaign import Runs, kills
from project_factory import make_project

STREAMS = Path(__file__).resolve().parents[1] / 'support' / 'streams'
SETTINGS = {
    'shuffled': {'num_workers': '2', 'schedule': "'constant'"},
    'endless': {'steps_per_epoch': '20', 'eval_interval': '2'},
}


def make_stream(root, data, name):
    """Return a project whose dataloader.py is that stream, an epoch a fraction of a second."""
    settings = {'phases': "('train', 'val')", 'epochs': '4', 'save_minutes': '0.002'}
    project = make_project(root, data, **settings, **SETTINGS[name])
    shutil.copy(STREAMS / f'{name}.py', project.root / 'code' / 'dataloader.py')
    project.commit(name)
    return project


@pytest.mark.parametrize('count', [2, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize('name', SETTINGS)
def test_a_stream_that_is_killed_anywhere_ends_with_the_same_bits(name, count, tmp_path, data):
    with Runs(make_stream(tmp_path / "a 'b; c", data, name)) as runs:
        tally = kills(runs, count, seed=count)
        assert tally.tried == count and not tally.bad


@pytest.mark.slow
def test_selftest_names_a_stream_that_its_workers_divide(tmp_path, data):
    project = make_stream(tmp_path / "a 'b; c", data, 'shuffled')
    words = ('--json', '--kills', '3', '--seed', '1', '--steps', '48')
    checks = json.loads(project.tagrun('selftest', *words, code=3).stdout)['checks']
    assert checks['rerun']['exact'] and checks['resume']['exact']
    assert checks['workers']['cause'] == 'iterable'
