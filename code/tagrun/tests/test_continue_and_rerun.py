"""`continue` and `rerun`: which run, which code, who may; and the verdict of a rerun with the recorded seed."""
import json
import os
import shutil
import socket
import subprocess

import pytest
from conftest import Project, make_project, wait_for


def interrupted(project, tag='t1', epochs=40):
    """A run that SIGTERM stopped early on."""
    project.configure(epochs=str(epochs))
    process = project.start('run', '-f', tag)
    wait_for(lambda: project.folder(f'{tag}/0/history.csv').exists(), what='the first epoch')
    process.terminate()
    assert process.wait(30) == 75
    return project


def test_a_finished_run_says_so_and_nothing_is_done(project):
    project.tagrun('run', 't1', '--set', 'epochs=1')
    before = {path: path.stat().st_mtime_ns for path in project.folder('t1/0').rglob('*') if path.is_file()}
    assert 't1/0 is finished' in project.tagrun('continue', 't1').stderr
    assert {path: path.stat().st_mtime_ns for path in project.folder('t1/0').rglob('*') if path.is_file()} == before


def test_a_running_run_is_refused_with_pid_host_and_since_when(project):
    project.configure(epochs='500')
    process = project.start('run', 't1')
    wait_for(lambda: project.folder('t1/0/history.csv').exists(), what='the first epoch')
    told = project.tagrun('continue', 't1', code=1).stderr
    owner = json.loads((project.folder('t1/0') / 'lock').read_text())
    assert f'process {owner["pid"]} on {socket.gethostname()} since 20' in told
    process.terminate()
    process.wait(30)


def test_of_several_that_continue_one_run_at_once_one_trains(project):
    interrupted(project, epochs=60)
    processes = [project.start('continue', 't1') for _ in range(4)]
    codes = sorted(process.wait(120) for process in processes)
    assert codes == [0, 1, 1, 1]
    assert (project.folder('t1/0') / 'history.csv').read_text().count('\n') == 61


def test_it_goes_on_with_its_own_code_however_far_the_checkout_has_moved(project):
    project.configure(epochs='40')
    project.tagrun('run', '-f', 'alone')
    interrupted(project)
    project.edit('epoch.py', 'def run_epoch', 'raise RuntimeError("another time")\n\n\ndef run_epoch')
    project.edit('config.py', 'model = ', 'nonsense = ')
    project.commit('all is different now')
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == project.outcome('alone/0')


def test_a_frozen_copy_that_was_edited_or_lost_is_made_again_from_git(project):
    project.configure(epochs='40')
    project.tagrun('run', '-f', 'alone')
    interrupted(project)
    (project.folder('t1/0') / 'code' / 'epoch.py').unlink()
    (project.folder('t1/0') / 'code' / 'model.py').chmod(0o644)
    (project.folder('t1/0') / 'code' / 'model.py').write_text('raise RuntimeError("edited")\n')
    told = project.tagrun('continue', 't1').stderr
    assert 'the frozen code had been changed (epoch.py, model.py)' in told
    assert project.outcome('t1/0') == project.outcome('alone/0')


def test_a_project_that_was_moved_goes_on(project):
    project.configure(epochs='40')
    project.tagrun('run', '-f', 'alone')
    interrupted(project)
    moved = Project(project.root.with_name('moved away'))
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


def test_what_was_killed_reads_as_killed_and_its_result_is_recorded(project):
    project.configure(epochs='500')
    process = project.start('run', 't1')
    wait_for(lambda: project.folder('t1/0/history.csv').exists(), what='the first epoch')
    project.kill_training('t1/0')
    assert process.wait(30) == 75
    told = process.stderr.read()
    assert 't1/0 killed after' in told and 'continue t1/0' in told
    assert project.git('for-each-ref', 'refs/tagrun/result/t1/0')


def test_rerun_with_a_fresh_seed_is_a_side_commit_of_one_line(project):
    project.tagrun('run', 't1', '--set', 'epochs=1')
    project.edit('model.py', 'The network', 'Edited since')
    project.tagrun('rerun', 't1')
    project.tagrun('rerun', 't1/1', '--seeds', '2')
    assert [project.statistic(f't1/{number}')['status'] for number in range(4)] == ['finished'] * 4
    assert len({project.statistic(f't1/{number}')['seed'] for number in range(4)}) == 4
    assert len(project.git('diff', '--name-only', 't1', 'refs/tagrun/code/t1/3').split()) == 1


def test_rerun_with_the_recorded_seed_says_the_same_bit_for_bit(project):
    project.tagrun('run', 't1')
    project.edit('model.py', 'The network', 'Edited since')
    assert 'the same as t1/0, bit for bit' in project.tagrun('rerun', 't1', '-f').stderr
    assert project.outcome('t1/1') == project.outcome('t1/0')
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['verdict'] == {'same': True}


DIFFERENT = {
    'the order of the samples at step 1 of epoch 1': ('dataloader.py', 'seed=args.seed,', "seed=args.seed + int(__import__('os').environ.get('ODD', 0)),"),
    'the content of the batch at step 1 of epoch 1': ('dataloader.py', "x=data['x']", "x=data['x']"),
    'the loss at step 21 of epoch 2': ('epoch.py', '                loss = cross_entropy(logits, y)',
                                       "                loss = cross_entropy(logits, y) * (1.0001 if 'ODD' in __import__('os').environ and state.step == 20 else 1)"),
    'the weights at step end of epoch 3': ('epoch.py', '    return state.meter.result()',
                                           "    if 'ODD' in __import__('os').environ and state.epoch == 2 and train:\n        next(state.model.parameters()).data[0, 0] += 1e-7\n    return state.meter.result()"),
}


@pytest.mark.parametrize('where', DIFFERENT)
def test_rerun_names_the_first_step_and_stream_that_differ(project, where):
    file, old, new = DIFFERENT[where]
    project.edit(file, old, new)
    project.tagrun('run', '-f', 't1')
    if 'content' in where:
        import numpy as np
        arrays = dict(np.load(project.root / '__data__' / 'mnist1d.npz'))
        arrays['x'] = arrays['x'] * np.float32(1.0001)
        np.savez(project.root / '__data__' / 'mnist1d.npz', **arrays)
        digest = subprocess.run(['sha256sum', 'mnist1d.npz'], cwd=project.root / '__data__', check=True, capture_output=True, text=True).stdout
        (project.root / '__data__' / 'mnist1d.npz.sha256').write_text(digest)
    told = project.tagrun('rerun', 't1', '-f', code=3, env={'ODD': '1'}).stderr
    assert f'not the same as t1/0: {where}' in told
    assert ('data train' in told) == ('content' in where), 'the surroundings are named where they differ'
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['verdict']['same'] is False


def test_a_tag_that_was_fetched_without_its_results_can_be_rerun(project, tmp_path, data):
    project.tagrun('run', 't1', '--set', 'epochs=1')
    subprocess.run(['git', 'clone', '-q', project.root, tmp_path / 'clone'], check=True)
    clone = Project(tmp_path / 'clone')
    shutil.copytree(data, clone.root / '__data__', dirs_exist_ok=True)
    told = clone.tagrun('rerun', 't1', '-f').stderr
    assert 'no trace of a run of t1 here' in told
    assert clone.outcome('t1/0') == project.outcome('t1/0')


@pytest.mark.parametrize('contract, reason', [('2\n', 'wants contract 2'), (None, 'no code/tagrun/CONTRACT'), ('x\n', 'no code/tagrun/CONTRACT')])
def test_code_of_another_contract_is_refused_in_one_sentence(project, contract, reason):
    path = project.root / 'code' / 'tagrun' / 'CONTRACT'
    path.unlink() if contract is None else path.write_text(contract)
    assert reason in project.tagrun('run', 't1', code=1).stderr
    assert project.git('tag') == ''


def test_names_are_completed_and_unknown_ones_get_did_you_mean(project):
    project.tagrun('run', 'baseline', '--set', 'epochs=1')
    assert 'baseline/0 is finished' in project.tagrun('continue', 'base').stderr
    assert 'baseline/0 is finished' in project.tagrun('continue', '@last').stderr
    assert "Did you mean 'baseline'?" in project.tagrun('continue', 'basline', code=1).stderr
    assert 'baseline has 1 run, 0 to 0' in project.tagrun('continue', 'baseline/7', code=1).stderr
    assert 'is no run' in project.tagrun('continue', 'a/b/c', code=2).stderr
    assert "did you mean 'continue'?" in project.tagrun('contiune', code=2).stderr


def test_a_scratch_run_by_hand_trains_the_same_and_is_not_recorded(project):
    project.tagrun('run', '-f', 't1')
    done = subprocess.run([os.sys.executable, project.root / 'code' / 'main.py'], cwd='/', env=project.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert project.outcome('scratch/0') == project.outcome('t1/0')
    assert project.git('tag').split() == ['t1']
    assert 'a scratch run has no recorded code' in project.tagrun('continue', 'scratch/0', code=1).stderr


def test_a_run_whose_ref_was_moved_is_refused(project):
    interrupted(project)
    project.git('commit', '-q', '--allow-empty', '-m', 'another')
    project.git('update-ref', 'refs/tagrun/code/t1/0', 'HEAD')
    assert 'one of the two was changed' in project.tagrun('continue', 't1', code=1).stderr


def test_another_project_on_the_pythonpath_has_no_say(project, tmp_path, data):
    other = make_project(tmp_path / 'other', data)
    project.tagrun('run', 't1', '--set', 'epochs=1', env={'PYTHONPATH': str(other.root / 'code')})
    assert project.statistic('t1/0')['status'] == 'finished' and other.git('tag') == '' and not (other.root / '__result__').exists()
