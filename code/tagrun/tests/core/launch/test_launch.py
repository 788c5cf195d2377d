"""A prepared run is trained to its end, whatever that is."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from project_factory import CODE
from stub_project import ENDINGS

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import engines, launch
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.launch.ownership import Owned
from tagrun.core.record import claim, plan
from tagrun.core.record.plan import RunRequest
from tagrun.store import jsonfile, run_json, statistic


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


def prepared(repository, **settings):
    """The folder of a run t1/0 that was not trained."""
    made = plan.make_plan(repository, RunRequest('t1', settings, fixed=True))
    commit = plan.side_commit(repository, made, made.seed, 'a test')
    return claim.create_run(repository, 't1', commit, made.seed, tag_message='why')


@pytest.mark.parametrize('how, code, state', ENDINGS)
def test_however_it_ends_its_result_is_recorded(repository, how, code, state):
    folder = prepared(repository, how=how)
    assert launch.train_here(repository, folder) == code
    assert statistic.state(folder) == state
    assert repository.file('refs/tagrun/result/t1/0', statistic.NAME) is not None
    assert not list(folder.rglob('__pycache__'))


def test_code_that_ends_without_a_word_reads_as_failed(repository):
    (repository.root / 'code' / 'main.py').write_text('raise SystemExit(4)')
    folder = prepared(repository)
    assert launch.train_here(repository, folder) == 4
    content = statistic.read(folder)
    assert content['status'] == statistic.FAILED and 'exit code 4' in content['message']


@pytest.mark.parametrize('name', ['torch.py', 'hashlib.py', 'config.pyc', 'sitecustomize.py'])
def test_what_was_planted_in_the_frozen_copy_never_runs(repository, name):
    """A queue, a sweep and a cluster's job train by this function, too."""
    folder = prepared(repository)
    (folder / 'code' / name).write_text(f'open({str(folder / "PWNED")!r}, "w")')
    assert launch.train_here(repository, folder) == 0
    assert not (folder / 'PWNED').exists()
    assert [path.name for path in (folder / 'code.removed').iterdir()] == [name]


def test_after_a_run_that_fails_the_others_are_trained_and_after_a_signal_they_are_not(
    repository, monkeypatch, capsys
):
    folder, codes = prepared(repository), [1, 0, launch.RESUMABLE]
    monkeypatch.setattr(launch, 'train_owned', lambda *_: codes.pop(0))
    with Owned(folder) as owned:
        assert launch.train_seeds(repository, owned, 5) == 1
    assert codes == []
    assert '3 of 5 runs were begun' in capsys.readouterr().err


def test_an_engine_gets_all_runs_and_the_options(repository, monkeypatch):
    submitted = []
    engine = SimpleNamespace(submit=lambda *arguments: submitted.append(arguments) or 5)
    monkeypatch.setattr(engines, 'load', lambda name: engine)
    options = LaunchOptions(engine='cluster', process_count=2)
    folder = prepared(repository)
    assert launch.start_run(repository, folder, options, count=2) == 5
    ((_, folders, given),) = submitted
    assert [path.name for path in folders] == ['0', '1'] and given == options
    assert [run_json.read(path)['nproc'] for path in folders] == [2, 2]


def test_the_number_of_processes_is_what_was_asked_else_what_it_was(repository):
    folder = prepared(repository)
    assert launch.process_count(folder) is None
    jsonfile.write(folder / 'environment.json', {'world_size': 3})
    assert launch.process_count(folder) == 3
    launch.set_process_count(folder, None)
    assert 'nproc' not in run_json.read(folder)
    launch.set_process_count(folder, 2)
    assert launch.process_count(folder) == 2


def test_code_without_the_feature_has_one_process(repository):
    folder = prepared(repository)
    contract = folder / 'code' / 'tagrun' / 'CONTRACT'
    contract.unlink()
    contract.write_text('1\nnodes\n')
    launch.set_process_count(folder, 1)
    with pytest.raises(UserError, match='t1/0: its code is older than --nproc'):
        launch.set_process_count(folder, 2)


def test_nothing_is_trained_through_a_link(repository, tmp_path):
    folder = prepared(repository)
    (folder / 'log').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(UserError, match='log is a link'):
        launch.train_here(repository, folder)
    assert not (tmp_path / 'elsewhere').exists()


def test_a_training_in_the_background_prints_to_the_log_and_leaves_no_descriptor_open(repository):
    """In a process whose stderr goes nowhere, as in the background."""
    main = repository.root / 'code' / 'main.py'
    main.write_text("raise SystemExit('a broken slide rule')")
    folder = prepared(repository)
    code = (
        f'import os, sys; sys.path.append({str(CODE)!r})\n'
        'from pathlib import Path\n'
        'from tagrun.core.git.repository import Repository\n'
        'from tagrun.core.launch import launch\n'
        f'root, folder = Path({str(repository.root)!r}), Path({str(folder)!r})\n'
        'repository, before = Repository.at(root), os.listdir("/dev/fd")\n'
        'launch.train_here(repository, folder)\n'
        'sys.exit(len(os.listdir("/dev/fd")) - len(before))'
    )
    done = subprocess.run([sys.executable, '-c', code], stderr=subprocess.DEVNULL)
    assert done.returncode == 0
    assert 'a broken slide rule' in (folder / 'log').read_text()


def test_an_extra_that_fails_is_one_line_and_the_run_goes_on(
    repository, monkeypatch, tmp_path, capsys
):
    def fail(*_):
        raise ValueError('one\ntwo')

    called = []
    hooks = {
        'before_bad.py': SimpleNamespace(before=fail),
        'before_good.py': SimpleNamespace(before=lambda *words: called.append(words)),
    }

    def modules(pattern):
        return [tmp_path / name for name in hooks if name.startswith(pattern.rstrip('*.py'))]

    monkeypatch.setattr(launch.finder, 'modules', modules)
    monkeypatch.setattr(launch.finder, 'load', lambda path: hooks[path.name])
    folder = prepared(repository)
    assert launch.train_here(repository, folder) == 0
    assert called == [(repository, folder, run_json.read(folder))]
    said = capsys.readouterr().err
    assert 'extra/before_bad.py: ValueError: one' in said and 'two' not in said
