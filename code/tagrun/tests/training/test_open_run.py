"""training/open_run.py: which run main.py trains, and in which process it writes."""

import sys
import types

import pytest

from tagrun.store import run_json
from tagrun.training import agent, distributed
from tagrun.training.group import Alone, Group
from tagrun.training.open_run import open_run
from tagrun.training.output import Files
from tagrun.training.silent_output import Silent

MODULE = sys.modules[open_run.__module__]  # the package's own name of it is the function


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A project's config.py; a Run is (config, folder, group, output)."""
    monkeypatch.setattr(MODULE, 'Run', lambda *collaborators: collaborators)
    monkeypatch.delenv(run_json.ENVIRONMENT, raising=False)
    (tmp_path / 'code').mkdir()
    (tmp_path / 'code' / 'seed').write_text('4242\n')
    file = tmp_path / 'code' / 'config.py'
    return types.SimpleNamespace(__file__=str(file), device='cpu')


def test_by_hand_each_start_is_a_new_scratch_run(config, tmp_path):
    for number in (0, 1):
        _, folder, group, output = open_run(config)
        assert folder == tmp_path / '__result__' / 'scratch' / str(number)
        assert type(group) is Alone and type(output) is Files
    info = run_json.read(folder)
    assert (info['tag'], info['id'], info['seed'], info['commit']) == ('scratch', 1, 4242, None)


def test_a_launched_run_is_the_one_that_the_launcher_names(config, tmp_path, monkeypatch):
    folder = tmp_path / '__result__' / 't1' / '0'
    folder.mkdir(parents=True)
    run_json.write(folder, run_json.build(tmp_path, 't1', 0, None, 1))
    monkeypatch.setenv(run_json.ENVIRONMENT, str(folder))
    assert open_run(config)[1] == folder
    assert not (tmp_path / '__result__' / 'scratch').exists()


def test_an_evaluation_is_made_in_one_process_whatever_the_run_had(config, tmp_path, monkeypatch):
    folder = tmp_path / '__result__' / 't1' / '0' / 'evaluation' / '3'
    folder.mkdir(parents=True)
    request = {'id': 3, 'checkpoint': 'epoch_1.pth', 'sha256': 'f' * 64}
    content = run_json.build(tmp_path, 't1', 0, None, 1, evaluate=request, nproc=2)
    run_json.write(folder, content)
    monkeypatch.setenv(run_json.ENVIRONMENT, str(folder))
    monkeypatch.setattr(MODULE, 'Evaluation', lambda *collaborators: collaborators)
    assert open_run(config) == (config, folder)


def test_a_run_of_several_processes_is_started_in_them_and_ends_as_they_do(config, monkeypatch):
    started = []
    monkeypatch.setattr(agent, 'count', lambda *_: 2)
    monkeypatch.setattr(agent, 'start', lambda number, folder: started.append(number) or 75)
    with pytest.raises(SystemExit) as ended:
        open_run(config)
    assert ended.value.code == 75 and started == [2]


@pytest.mark.parametrize('rank, kind', [(0, Files), (1, Silent)])
def test_of_several_processes_the_first_one_alone_writes(config, monkeypatch, rank, kind):
    first = []
    monkeypatch.setattr(distributed, 'is_rank', lambda: True)
    monkeypatch.setattr(distributed, 'init', first.append)
    monkeypatch.setattr(distributed, 'rank', lambda: rank)
    monkeypatch.setattr(distributed, 'broadcast', lambda own: own or config.first_ones_folder)
    config.first_ones_folder = MODULE.Path(config.__file__).parents[1] / 't1' / '0'
    _, folder, group, output = open_run(config)
    assert first == ['cpu'] and type(group) is Group and type(output) is kind
    assert folder.parts[-2:] == (('scratch', '0') if rank == 0 else ('t1', '0'))
