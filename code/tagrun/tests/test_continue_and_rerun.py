"""`continue` and `rerun`: which run, which code, who may; and the verdict of a rerun with the recorded seed."""
import json
import os
import socket
import subprocess

import pytest
from conftest import Project, copied, make_project, wait_for


@pytest.fixture(scope='module')
def stopped(tmp_path_factory, data):
    """A project with the run alone/0, and t1/0, which SIGTERM stopped early on."""
    made = make_project(tmp_path_factory.mktemp('stopped') / "a 'b; c", data, epochs='40')
    made.tagrun('run', '-f', 'alone')
    process = made.start('run', '-f', 't1')
    wait_for(lambda: made.folder('t1/0/history.csv').exists(), what='the first epoch')
    process.terminate()
    assert process.wait(30) == 75
    return made


def test_a_finished_run_says_so_and_nothing_is_done(stubbed):
    stubbed.tagrun('run', 't1')
    before = {path: path.stat().st_mtime_ns for path in stubbed.folder('t1/0').rglob('*') if path.is_file()}
    assert 't1/0 is finished' in stubbed.tagrun('continue', 't1').stderr
    assert {path: path.stat().st_mtime_ns for path in stubbed.folder('t1/0').rglob('*') if path.is_file()} == before


def test_a_running_run_is_refused_with_pid_host_and_since_when(stubbed):
    process = stubbed.start('run', 't1', '--set', 'how=slow')
    wait_for(lambda: stubbed.folder('t1/0/statistic.json').exists(), what='its start')
    told = stubbed.tagrun('continue', 't1', code=1).stderr
    owner = json.loads((stubbed.folder('t1/0') / 'lock').read_text())
    assert f'process {owner["pid"]} on {socket.gethostname()} since 20' in told
    (stubbed.root / 'go').touch()
    assert process.wait(30) == 0


def test_it_goes_on_with_its_own_code_however_far_the_checkout_has_moved(stopped, tmp_path):
    project = copied(stopped, tmp_path / 'copy')
    project.edit('epoch.py', 'def run_epoch', 'raise RuntimeError("another time")\n\n\ndef run_epoch')
    project.edit('config.py', 'model = ', 'nonsense = ')
    project.commit('all is different now')
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == project.outcome('alone/0')


def test_a_frozen_copy_that_was_edited_or_lost_is_made_again_from_git(stopped, tmp_path):
    project = copied(stopped, tmp_path / 'copy')
    (project.folder('t1/0') / 'code' / 'epoch.py').unlink()
    (project.folder('t1/0') / 'code' / 'model.py').chmod(0o644)
    (project.folder('t1/0') / 'code' / 'model.py').write_text('raise RuntimeError("edited")\n')
    told = project.tagrun('continue', 't1').stderr
    assert 'the frozen code had been changed (epoch.py, model.py)' in told
    assert project.outcome('t1/0') == project.outcome('alone/0')


def test_a_project_that_was_moved_goes_on(stopped, tmp_path):
    project = copied(stopped, tmp_path / 'copy')
    moved = Project(tmp_path / 'moved away')
    project.root.rename(moved.root)
    moved.tagrun('continue', 't1')
    assert moved.outcome('t1/0') == moved.outcome('alone/0')
    assert not project.root.exists()


def test_a_run_killed_with_its_launcher_before_any_checkpoint_begins_anew(project):
    project.tagrun('run', '-f', 'alone')
    project.edit('dataloader.py', '    arrays = load_arrays()', "    arrays = load_arrays()\n    if not DATA.joinpath('go').exists():\n        import time; time.sleep(60)")
    process = project.start('run', '-f', 't1')
    wait_for(lambda: project.folder('t1/0/lock').exists(), what='the lock')
    project.kill_training('t1/0')
    process.kill()
    process.wait(30)
    (project.root / '__data__' / 'go').touch()
    assert 'begins anew' in project.tagrun('continue', 't1').stderr
    assert project.outcome('t1/0') == project.outcome('alone/0')


def test_what_was_killed_reads_as_killed_and_its_result_is_recorded(stubbed):
    process = stubbed.start('run', 't1', '--set', 'how=slow')
    wait_for(lambda: stubbed.folder('t1/0/statistic.json').exists(), what='its start')
    stubbed.kill_training('t1/0')
    assert process.wait(30) == 75
    told = process.stderr.read()
    assert 't1/0 killed after' in told and 'continue t1/0' in told
    assert stubbed.git('for-each-ref', 'refs/tagrun/result/t1/0')


def test_rerun_with_a_fresh_seed_is_a_side_commit_of_one_line(stubbed):
    stubbed.tagrun('run', 't1')
    stubbed.edit('model.py', 'The network', 'Edited since')
    stubbed.tagrun('rerun', 't1')
    stubbed.tagrun('rerun', 't1/1', '--seeds', '2')
    assert [stubbed.statistic(f't1/{number}')['status'] for number in range(4)] == ['finished'] * 4
    assert len({stubbed.statistic(f't1/{number}')['seed'] for number in range(4)}) == 4
    assert len(stubbed.git('diff', '--name-only', 't1', 'refs/tagrun/code/t1/3').split()) == 1


ODD = "__import__('os').environ.get('ODD')"      # what a rerun does otherwise than the run it repeats
EDITS = [('dataloader.py', 'seed=args.seed,', f"seed=args.seed + ({ODD} == 'order'),"),
         ('epoch.py', '                loss = cross_entropy(logits, y)', f"                loss = cross_entropy(logits, y) * (1.0001 if {ODD} == 'loss' and state.step == 20 else 1)"),
         ('epoch.py', '    return state.meter.result()', f"    if {ODD} == 'weights' and state.epoch == 2 and train:\n        next(state.model.parameters()).data[0, 0] += 1e-7\n"
                                                         '    return state.meter.result()')]
DIFFERENT = {'order': 'the order of the samples at step 1 of epoch 1', 'batch': 'the content of the batch at step 1 of epoch 1',
             'loss': 'the loss at step 21 of epoch 2', 'weights': 'the weights at the end of epoch 3'}


@pytest.fixture(scope='module')
def odd(tmp_path_factory, data):
    """A project with the run t1/0, whose code does something else where the environment says ODD."""
    made = make_project(tmp_path_factory.mktemp('odd') / "a 'b; c", data)
    for edit in EDITS:
        made.edit(*edit)
    made.commit()
    made.tagrun('run', '-f', 't1')
    return made


def test_rerun_with_the_recorded_seed_says_the_same_bit_for_bit(odd, tmp_path):
    project = copied(odd, tmp_path / 'copy')
    project.edit('model.py', 'The network', 'Edited since')
    assert 'the same as t1/0, bit for bit' in project.tagrun('rerun', 't1', '-f').stderr
    assert project.outcome('t1/1') == project.outcome('t1/0')
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['verdict'] == {'same': True}


@pytest.mark.parametrize('stream', DIFFERENT)
def test_rerun_names_the_first_step_and_stream_that_differ(odd, tmp_path, stream):
    project = copied(odd, tmp_path / 'copy')
    if stream == 'batch':
        import numpy as np
        arrays = dict(np.load(project.root / '__data__' / 'mnist1d.npz'))
        arrays['x'] = arrays['x'] * np.float32(1.0001)
        np.savez(project.root / '__data__' / 'mnist1d.npz', **arrays)
        digest = subprocess.run(['sha256sum', 'mnist1d.npz'], cwd=project.root / '__data__', check=True, capture_output=True, text=True).stdout
        (project.root / '__data__' / 'mnist1d.npz.sha256').write_text(digest)
    told = project.tagrun('rerun', 't1', '-f', code=3, env={'ODD': stream}).stderr
    assert f'not the same as t1/0: {DIFFERENT[stream]}' in told
    assert ('data train' in told) == (stream == 'batch'), 'the surroundings are named where they differ'
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['verdict']['same'] is False


def test_a_tag_that_was_fetched_without_its_results_can_be_rerun(stubbed, tmp_path):
    stubbed.tagrun('run', 't1')
    subprocess.run(['git', 'clone', '-q', stubbed.root, tmp_path / 'clone'], check=True)
    clone = Project(tmp_path / 'clone')
    told = clone.tagrun('rerun', 't1', '-f').stderr
    assert 'no trace or history of a run of t1 here' in told
    assert clone.outcome('t1/0') == stubbed.outcome('t1/0')


@pytest.mark.parametrize('contract, reason', [('2\n', 'wants contract 2'), (None, 'no code/tagrun/CONTRACT'), ('x\n', 'no code/tagrun/CONTRACT')])
def test_code_of_another_contract_is_refused_in_one_sentence(stubbed, contract, reason):
    path = stubbed.root / 'code' / 'tagrun' / 'CONTRACT'
    path.unlink() if contract is None else path.write_text(contract)
    assert reason in stubbed.tagrun('run', 't1', code=1).stderr
    assert stubbed.git('tag') == ''


def test_names_are_completed_and_unknown_ones_get_did_you_mean(stubbed):
    stubbed.tagrun('run', 'baseline')
    assert 'baseline/0 is finished' in stubbed.tagrun('continue', 'base').stderr
    assert 'baseline/0 is finished' in stubbed.tagrun('continue', '@last').stderr
    assert "Did you mean 'baseline'?" in stubbed.tagrun('continue', 'basline', code=1).stderr
    assert 'baseline has 1 run, 0 to 0' in stubbed.tagrun('continue', 'baseline/7', code=1).stderr
    assert 'is no run' in stubbed.tagrun('continue', 'a/b/c', code=2).stderr
    assert "did you mean 'continue'?" in stubbed.tagrun('contiune', code=2).stderr


def test_a_scratch_run_by_hand_trains_the_same_and_is_not_recorded(odd, tmp_path):
    project = copied(odd, tmp_path / 'copy')
    done = subprocess.run([os.sys.executable, project.root / 'code' / 'main.py'], cwd='/', env=project.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert project.outcome('scratch/0') == project.outcome('t1/0')
    assert project.git('tag').split() == ['t1']
    assert 'a scratch run has no recorded code' in project.tagrun('continue', 'scratch/0', code=1).stderr


def test_a_run_whose_ref_was_moved_is_refused(stubbed):
    stubbed.tagrun('run', 't1', '--set', 'how=interrupted', code=75)
    stubbed.git('commit', '-q', '--allow-empty', '-m', 'another')
    stubbed.git('update-ref', 'refs/tagrun/code/t1/0', 'HEAD')
    assert 'one of the two was changed' in stubbed.tagrun('continue', 't1', code=1).stderr


def test_another_project_on_the_pythonpath_has_no_say(project, tmp_path, data):
    other = make_project(tmp_path / 'other', data)
    project.tagrun('run', 't1', env={'PYTHONPATH': str(other.root / 'code')})
    assert project.statistic('t1/0')['status'] == 'finished' and other.git('tag') == '' and not (other.root / '__result__').exists()
