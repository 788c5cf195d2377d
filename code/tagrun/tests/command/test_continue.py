"""`continue`: which run, which code, who may."""

import json
import socket

import pytest
from project_factory import Project, copied, make_project, wait_for


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
    before = {
        path: path.stat().st_mtime_ns
        for path in stubbed.folder('t1/0').rglob('*')
        if path.is_file()
    }
    assert 't1/0 is finished' in stubbed.tagrun('continue', 't1').stderr
    assert {
        path: path.stat().st_mtime_ns
        for path in stubbed.folder('t1/0').rglob('*')
        if path.is_file()
    } == before


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
    project.edit(
        'epoch.py', 'def run_epoch', 'raise RuntimeError("another time")\n\n\ndef run_epoch'
    )
    project.edit('config.py', 'model = ', 'nonsense = ')
    project.commit('all is different now')
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == project.outcome('alone/0')


def test_a_project_that_was_moved_goes_on_and_its_frozen_code_comes_from_git(stopped, tmp_path):
    """One file of the frozen code is lost, and one was edited."""
    project = copied(stopped, tmp_path / 'copy')
    moved = Project(tmp_path / 'moved away')
    project.root.rename(moved.root)
    frozen = moved.folder('t1/0') / 'code'
    (frozen / 'epoch.py').unlink()
    (frozen / 'model.py').chmod(0o644)
    (frozen / 'model.py').write_text('raise RuntimeError("edited")\n')
    told = moved.tagrun('continue', 't1').stderr
    assert 'the frozen code had been changed (epoch.py, model.py)' in told
    assert moved.outcome('t1/0') == moved.outcome('alone/0')
    assert not project.root.exists()


def test_a_run_killed_with_its_launcher_before_any_checkpoint_begins_anew(project):
    project.tagrun('run', '-f', 'alone')
    project.edit(
        'dataloader.py',
        '    arrays = load_arrays()',
        "    arrays = load_arrays()\n    if not DATA.joinpath('go').exists():\n        "
        "import time; time.sleep(60)",
    )
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
    assert process.wait(30) == 137
    told = process.stderr.read()
    assert 't1/0 killed after' in told and 'continue t1/0' in told
    assert stubbed.git('for-each-ref', 'refs/tagrun/result/t1/0')


def test_names_are_completed_and_unknown_ones_get_did_you_mean(stubbed):
    stubbed.tagrun('run', 'baseline')
    assert 'baseline/0 is finished' in stubbed.tagrun('continue', 'base').stderr
    assert 'baseline/0 is finished' in stubbed.tagrun('continue', '@last').stderr
    assert "Did you mean 'baseline'?" in stubbed.tagrun('continue', 'basline', code=1).stderr
    assert 'baseline has 1 run, 0 to 0' in stubbed.tagrun('continue', 'baseline/7', code=1).stderr
    assert 'is not a run' in stubbed.tagrun('continue', 'a/b/c', code=2).stderr
    assert "did you mean 'continue'?" in stubbed.tagrun('contiune', code=2).stderr


def test_a_run_whose_ref_was_moved_is_refused(stubbed):
    stubbed.tagrun('run', 't1', '--set', 'how=interrupted', code=75)
    stubbed.git('commit', '-q', '--allow-empty', '-m', 'another')
    stubbed.git('update-ref', 'refs/tagrun/code/t1/0', 'HEAD')
    assert 'one of the two was changed' in stubbed.tagrun('continue', 't1', code=1).stderr


def test_a_continue_that_fails_before_it_begins_keeps_the_metrics_and_the_result(stopped, tmp_path):
    project = copied(stopped, tmp_path / 'copy')
    before, data = project.statistic('t1/0'), project.root / '__data__'
    assert before['epoch'] >= 1
    data.rename(tmp_path / 'away')
    data.write_text('the disk is not mounted')
    told = project.tagrun('continue', 't1', code=1).stderr
    assert 'in code/' in told and 'nothing was trained' not in told
    after = project.statistic('t1/0')
    assert after['status'] == 'failed' and after['message'] != before['message']
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert changed == {'status', 'message', 'time'}
    recorded = json.loads(project.git('show', 'refs/tagrun/result/t1/0:statistic.json'))
    assert recorded == after
    assert project.git('tag').split() == ['alone', 't1']
