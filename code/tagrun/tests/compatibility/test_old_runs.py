"""Runs that an older Tagrun recorded are still continued, run again and tabled by today's.

1cd84cc.bundle is a repository that the tool of commit 1cd84cc made; 1cd84cc.tar.gz has the run
folders, without their frozen code, and the lists: `finished/0`, `stopped/0` (stopped by SIGTERM in
its third epoch of 200) and a sweep of two trials, `tiny`.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from project_factory import CODE, Project

BUNDLE = Path(__file__).with_name('1cd84cc.bundle')
FOLDERS = Path(__file__).with_name('1cd84cc.tar.gz')
RUNS = ('finished/0', 'stopped/0', 'tiny/0', 'tiny/1')


@pytest.fixture(scope='module')
def upgraded(tmp_path_factory, data):
    """The old project, whose code/tagrun was replaced by today's and committed."""
    root = tmp_path_factory.mktemp('old') / "a 'b; c"
    clone = ['git', 'clone', '-q', '--mirror', str(BUNDLE), str(root / '.git')]
    subprocess.run(clone, check=True)
    project = Project(root)
    project.git('config', 'core.bare', 'false')
    project.git('config', 'user.name', 'A Tester')
    project.git('config', 'user.email', 'tester@example.org')
    project.git('config', 'tagrun.curves', 'false')
    project.git('checkout', '-qf', 'main')
    with tarfile.open(FOLDERS) as archive:
        archive.extractall(root, filter='data')
    shutil.copytree(data, root / '__data__', dirs_exist_ok=True)
    shutil.rmtree(root / 'code' / 'tagrun')
    left_out = shutil.ignore_patterns('__pycache__', 'tests', 'bench')
    shutil.copytree(CODE / 'tagrun', root / 'code' / 'tagrun', ignore=left_out)
    project.commit('upgrade the tool')
    return project


def table_of(project, name):
    return json.loads(project.tagrun('table', name, '--format', 'json').stdout)


def test_old_runs_stand_in_the_table_with_their_numbers(upgraded):
    upgraded.tagrun('record', *RUNS, '--to', 'old')
    rows = table_of(upgraded, 'old')
    recorded = {name: upgraded.statistic(name) for name in RUNS}
    assert [row['expernameid'] for row in rows] == list(RUNS)
    for row in rows:
        old = recorded[row['expernameid']]
        assert row['val/acc'] == old['metric']['val/acc'] and row['watch'] == 'val/acc'


def test_old_sets_and_their_titles_are_read(upgraded):
    assert [row['expernameid'] for row in table_of(upgraded, 'record')] == ['finished/0']
    assert [row['expernameid'] for row in table_of(upgraded, 'tiny')] == ['tiny/0', 'tiny/1']
    assert 'no column' not in upgraded.tagrun('title', 'record').stderr


def test_old_runs_are_listed_with_what_they_watched(upgraded):
    shown = json.loads(upgraded.tagrun('expls', '-r', '--json').stdout)
    by_name = {run['run']: run for run in shown}
    assert by_name['stopped/0']['status'] == 'interrupted'
    assert 'val/acc' in upgraded.tagrun('expls', '-r').stdout


def test_an_old_run_cannot_be_evaluated_which_is_said_in_one_sentence(upgraded):
    said = upgraded.tagrun('evaluate', 'finished/0', code=1).stderr
    assert said.splitlines()[-1].startswith('tagrun: finished/0: its code is older than `evaluate`')
    assert not (upgraded.folder('finished/0') / 'evaluation').exists()


def test_an_old_run_that_was_stopped_goes_on_where_it_stood(upgraded):
    before = (upgraded.folder('stopped/0') / 'history.csv').read_text()
    told = upgraded.tagrun('continue', 'stopped').stderr
    assert 'resumed in epoch 3' in told
    assert upgraded.statistic('stopped/0')['status'] == 'finished'
    after = (upgraded.folder('stopped/0') / 'history.csv').read_text()
    assert after.startswith(before) and len(after.splitlines()) == 201


def test_an_old_tag_is_run_again_and_that_run_repeated_to_the_bit(upgraded):
    upgraded.tagrun('rerun', 'finished')
    assert upgraded.statistic('finished/1')['status'] == 'finished'
    told = upgraded.tagrun('rerun', 'finished/1', '-f').stderr
    assert 'bit for bit' in told
    assert upgraded.outcome('finished/1') == upgraded.outcome('finished/2')


@pytest.mark.slow
def test_the_old_code_can_train_in_two_processes(upgraded):
    upgraded.tagrun('rerun', 'tiny/0', '--nproc', '2')
    run = max(upgraded.folder('tiny').iterdir(), key=lambda folder: int(folder.name))
    assert json.loads((run / 'environment.json').read_text())['world_size'] == 2


def test_why_compares_an_old_run_with_a_new_one(upgraded):
    told = upgraded.tagrun('why', 'tiny/0', 'tiny/1').stdout
    assert 'lr' in told and '0.02' in told


LOADS = """
import sys
sys.path.append('code')
import torch
from tagrun import load
for name in ('finished/0', 'tiny/1'):
    run, correct = load(name), 0
    for x, y in run.loaders()['test']:
        correct += (run.model(x).argmax(1) == y).sum().item()
    assert correct / 1000 == run.statistic['metric']['test/acc'], name
    assert (run.state.epoch, run.args.phases) == (len(run.history), ('train', 'val', 'test'))
    print(run, run.args.watch)
"""


def test_old_runs_are_loaded_in_one_process_with_their_own_code(upgraded):
    done = subprocess.run(
        [sys.executable, '-c', LOADS],
        cwd=upgraded.root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert 'finished/0: finished, epoch 3/3, val/acc' in done.stdout


def test_old_weights_are_written_and_predict_says_that_the_code_is_older(upgraded):
    upgraded.tagrun('weights', 'finished/0', '-o', 'old.pt')
    done = upgraded.tagrun('predict', 'finished/0', 'a.npy', code=1)
    assert 'finished/0: its code has no predict.py' in done.stderr
