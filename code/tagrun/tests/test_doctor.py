"""`tagrun doctor`: each half-made thing is found, mended by --fix, and found no more; what is not ours to delete stays."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import stub
from conftest import Project, wait_for

from tagrun.store import lock

OLD = 10_000    # seconds ago


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    made = stub.make(tmp_path_factory.mktemp('trained') / 'project')
    made.tagrun('run', 't1')
    return made.root


@pytest.fixture
def project(trained, tmp_path):
    """A project with the finished run t1/0."""
    return Project(shutil.copytree(trained, tmp_path / "a 'b; c", symlinks=True))


def age(path):
    """Make a file or folder look as if nothing had touched it for hours."""
    os.utime(path, (time.time() - OLD,) * 2, follow_symlinks=False)


def doctor(project, *words, code=0):
    return project.tagrun('doctor', *words, code=code).stdout


def test_a_healthy_project_has_no_finding(project):
    assert doctor(project) == '' and doctor(project, '--fix') == ''
    assert json.loads(doctor(project, '--json')) == []


def break_lock(project):
    path = project.root / '.git' / 'index.lock'
    path.touch()
    age(path)


def break_ref_lock(project):
    path = project.root / '.git' / 'refs' / 'tags' / 't2.lock'
    path.touch()
    age(path)


def break_temporary_index(project):
    path = project.root / '.git' / 'tagrun-x1y2'
    path.mkdir()
    (path / 'index').write_bytes(b'DIRC')
    age(path)


def break_claim(project):
    path = project.folder('t1/1')
    path.mkdir()
    age(path)


def break_preparation(project):
    project.tagrun('rerun', 't1', '-f')
    (project.folder('t1/1') / 'run.json').unlink()
    (project.folder('t1/1') / 'code' / 'model.py').unlink()
    age(project.folder('t1/1'))


def break_last(project):
    path = project.folder('t1/0') / 'checkpoint' / 'epoch_last.pth'
    path.unlink()
    path.symlink_to('epoch_9.pth')


def break_best(project):
    (project.folder('t1/0') / 'checkpoint' / 'epoch_best.pth').unlink()


def break_save(project):
    path = project.folder('t1/0') / 'checkpoint' / '.epoch_2.pth.1234abcd.tmp'
    path.write_bytes(b'half')
    age(path)


def break_statistic(project):
    path = project.folder('t1/0') / '.statistic.json.1234abcd.tmp'
    path.write_bytes(b'{')
    age(path)


def break_result(project):
    project.git('update-ref', '-d', 'refs/tagrun/result/t1/0')


def break_result_of_killed(project):
    path = project.folder('t1/0') / 'statistic.json'
    path.write_text(path.read_text().replace('finished', 'running'))
    project.root.joinpath('__statistic__/exper-list/finished.txt').unlink()


def break_code_ref(project):
    project.git('update-ref', '-d', 'refs/tagrun/code/t1/0')


def break_snapshot(project):
    path = project.folder('t1/0') / 'code' / 'model.py'
    path.chmod(0o644)
    path.write_text('edited\n')


def break_bytecode(project):
    (project.folder('t1/0') / 'code' / '__pycache__').mkdir()


def break_finished(project):
    (project.root / '__statistic__' / 'exper-list' / 'finished.txt').write_text('# mine\n')


def break_table(project):
    path = project.root / '__statistic__' / 'table' / '.record.csv.1234abcd.tmp'
    path.parent.mkdir()
    path.write_text('half')
    age(path)


def break_board(project):
    path = project.root / '__result__' / '.tensorboard' / 'server.json'
    path.write_text('{"pid": 1, "port": 6006}\n')


def break_selftest(project):
    folder = project.root / '__result__' / '.selftest-x1y2' / '0'
    (folder / 'code').mkdir(parents=True)
    (folder / 'code' / 'main.py').touch(0o444)
    (folder / 'lock').write_text('{"pid": 1}\n')


BREAKS = {'a lock that a killed git left': break_lock, 'refs/tags/t2.lock: a lock': break_ref_lock, 'the temporary index of a killed': break_temporary_index,
          't1/1: an empty folder': break_claim, 'its preparation was killed': break_preparation, 'epoch_last.pth leads to epoch_9.pth': break_last,
          'epoch_best.pth leads to nothing': break_best, '.epoch_2.pth.1234abcd.tmp': break_save, '.statistic.json.1234abcd.tmp': break_statistic,
          'it ended, and git has no result of it': break_result, 'it was killed, and git has an older result': break_result_of_killed,
          'no ref keeps its commit': break_code_ref, 'differs from the commit: model.py': break_snapshot, "holds Python's bytecode": break_bytecode,
          'it is finished, and not in finished.txt': break_finished, '.record.csv.1234abcd.tmp': break_table, 'a TensorBoard that is dead': break_board,
          'trainings that a selftest kept': break_selftest}


@pytest.mark.parametrize('told', BREAKS)
def test_what_is_half_made_is_found_and_mended_and_found_no_more(project, told):
    BREAKS[told](project)
    mended = doctor(project, '--fix')
    assert mended.count('Mended: ') == 1 and told in mended
    assert told not in doctor(project)


def test_a_preparation_that_was_completed_trains_with_the_tags_seed(project):
    break_preparation(project)
    doctor(project, '--fix')
    project.tagrun('continue', 't1/1')
    assert project.statistic('t1/1')['seed'] == project.statistic('t1/0')['seed']
    assert project.statistic('t1/1')['status'] == 'finished'


def test_without_fix_it_says_what_fix_would_do_and_does_nothing(project):
    for broken in (break_lock, break_last, break_finished, break_snapshot):
        broken(project)
    told = doctor(project, code=1)
    assert told.count('. --fix ') == 4 and told.count('\n') == 4
    assert doctor(project, code=1) == told


def test_what_is_young_may_be_at_work_and_is_left(project):
    for path in (project.root / '.git' / 'index.lock', project.folder('t1/0') / '.log.1.tmp'):
        path.touch()
    project.folder('t1/7').mkdir()
    told = doctor(project, '--fix')
    assert 'taken a moment ago' in told and 'is being prepared' in told and 'Mended' not in told
    assert (project.root / '.git' / 'index.lock').exists() and project.folder('t1/7').exists()


def test_an_old_lock_stays_while_a_git_works_here(project):
    break_lock(project)
    git = subprocess.Popen(['git', 'cat-file', '--batch'], cwd=project.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert f'process {git.pid} is a git at work here' in doctor(project, '--fix', code=1)
        assert (project.root / '.git' / 'index.lock').exists()
    finally:
        git.communicate()
    assert 'Mended' in doctor(project, '--fix')


def test_a_lock_of_a_git_that_was_killed_stops_a_run_with_the_cure_and_the_cure_works(project):
    path = project.root / '.git' / 'refs' / 'tags' / 't2.lock'
    path.touch()
    told = project.tagrun('run', 't2', code=1).stderr
    assert 'tagrun doctor --fix' in told and not project.folder('t2/0').exists()
    age(path)
    doctor(project, '--fix')
    project.tagrun('run', 't2')


def test_a_run_that_is_being_trained_is_left_alone(project):
    process = project.start('run', 't2', '--set', 'how=slow')
    wait_for(lambda: project.folder('t2/0/statistic.json').exists(), what='its start')
    shutil.rmtree(project.folder('t2/0') / 'code')
    assert doctor(project, '--fix') == ''
    (project.root / 'go').touch()
    process.wait(30)


@pytest.mark.parametrize('owned', ['.selftest-x1y2', '.selftest-x1y2/0'])
def test_a_selftest_at_work_is_left_alone_and_so_is_a_training_of_it_that_outlived_it(project, owned):
    break_selftest(project)
    held = lock.Lock(project.root / '__result__' / owned)
    assert f'a selftest at work: process {os.getpid()}' in doctor(project, '--fix') and (project.root / '__result__' / '.selftest-x1y2/0/code/main.py').exists()
    held.release()
    assert 'Mended' in doctor(project, '--fix') and not (project.root / '__result__' / '.selftest-x1y2').exists()


def test_a_link_with_a_selftests_name_is_not_followed(project, tmp_path):
    (project.root / '__result__' / '.selftest-mine').symlink_to(tmp_path)
    assert doctor(project, '--fix') == '' and project.root.is_dir()


@pytest.mark.parametrize('what', ['a checkpoint that is not listed', 'a list that names no run', 'files deleted', 'never trained', 'killed'])
def test_what_is_only_said_is_no_error_and_nothing_is_deleted(project, what):
    if what == 'a checkpoint that is not listed':
        (project.folder('t1/0') / 'checkpoint' / 'epoch_7.pth').write_bytes(b'mine')
        told = 'epoch_7.pth is not in SHA256SUMS'
    elif what == 'a list that names no run':
        with open(project.root / '__statistic__' / 'exper-list' / 'finished.txt', 'a') as file:
            file.write('t9/9\n')
        told = 'line 2, t9/9'
    elif what == 'files deleted':
        project.git('clean', '-fdxq', '-e', '__statistic__')
        shutil.rmtree(project.root / '__statistic__')
        told = 'git has its code (runs 0), and their files are not here'
    elif what == 'never trained':
        project.tagrun('rerun', 't1')
        for name in ('statistic.json', 'lock'):
            (project.folder('t1/1') / name).unlink()
        project.git('update-ref', '-d', 'refs/tagrun/result/t1/1')
        (project.root / '__statistic__' / 'exper-list' / 'finished.txt').write_text('t1/0\n')
        told = 'its training never began. continue t1/1'
    else:
        project.tagrun('run', 't2', '--set', 'how=killed', code=75)
        told = 't2/0: it is killed. continue t2/0'
    assert told in doctor(project, '--fix')
    assert told in doctor(project)


@pytest.mark.parametrize('what', ['another commit', 'no commit', 'a stranger', 'run.json', 'statistic.json', 'files without a record'])
def test_what_only_the_user_can_decide_is_left_and_the_exit_code_says_so(project, what):
    folder = project.folder('t1/0')
    if what == 'another commit':
        project.git('update-ref', 'refs/tagrun/code/t1/0', 'HEAD')
        told = 'one of the two was changed'
    elif what == 'no commit':
        info = json.loads((folder / 'run.json').read_text())
        (folder / 'run.json').write_text(json.dumps({**info, 'commit': 'a' * 40}))
        project.git('update-ref', '-d', 'refs/tagrun/code/t1/0')
        told = 'is not in this repository'
    elif what == 'a stranger':
        (folder / 'code' / 'random.py').write_text('mine\n')
        told = 'holds what the commit does not: random.py'
    elif what == 'run.json':
        (folder / 'run.json').write_text('{')
        told = 'run.json cannot be read'
    elif what == 'statistic.json':
        (folder / 'statistic.json').write_text('{')
        told = 'statistic.json cannot be read'
    else:
        project.folder('t1/5').mkdir()
        (project.folder('t1/5') / 'notes').write_text('mine')
        age(project.folder('t1/5'))
        told = 'files of a run that was never recorded'
    before = sorted(path for path in project.root.rglob('*') if '.git' not in path.parts)
    assert told in doctor(project, '--fix', code=1)
    assert sorted(path for path in project.root.rglob('*') if '.git' not in path.parts) == before


def test_a_program_reads_what_became_of_each(project):
    break_last(project)
    break_finished(project)
    found = json.loads(doctor(project, '--fix', '--json'))
    assert [(one['where'], one['mended'], one['harmless']) for one in found] == [('t1/0', True, False), ('t1/0', True, False)]


def test_only_the_runs_that_are_named_are_looked_at(project):
    project.tagrun('run', 't2')
    (project.folder('t1/0') / 'checkpoint' / 'epoch_best.pth').unlink()
    assert doctor(project, 't2') == '' and 'epoch_best' in doctor(project, 't1/0', code=1)


def test_where_it_cannot_mend_it_says_why(project):
    break_last(project)
    if os.geteuid() == 0:       # root writes wherever it likes, but for a file system that is read-only
        pytest.importorskip('ctypes')
        done = subprocess.run(['unshare', '-m', 'sh', '-c', 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"', 'sh',
                               project.folder('t1/0'), *project.command('doctor', '--fix')], cwd=project.root, env=project.env, capture_output=True, text=True)
        if 'mount' in done.stderr or 'unshare' in done.stderr:
            pytest.skip('no right to mount here')
    else:
        (project.folder('t1/0') / 'checkpoint').chmod(0o555)
        done = subprocess.run(project.command('doctor', '--fix'), cwd=project.root, env=project.env, capture_output=True, text=True)
    assert done.returncode == 1 and 'could not be mended' in done.stdout and 'Traceback' not in done.stderr


def test_a_kill_at_any_moment_of_a_run_leaves_nothing_that_doctor_does_not_mend(project):
    """The launcher and all it started are killed together, a little later each time."""
    for number in range(8):
        process = subprocess.Popen([sys.executable, str(project.root / 'code' / 'tagrun'), 'run', f'k{number}'], cwd=project.root, env=project.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.03 * number + 0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for path in [*project.root.glob('.git/tagrun-*'), *project.root.glob('.git/**/*.lock'), *project.root.glob('__result__/k*/*'),
                 *project.root.rglob('.*.tmp')]:
        age(path)
    doctor(project, '--fix')
    assert not list(project.root.glob('.git/tagrun-*')) and not list(project.root.glob('.git/**/*.lock')) and not list(project.root.rglob('.*.tmp'))
    for folder in project.root.glob('__result__/k*/*'):
        project.tagrun('continue', f'{folder.parent.name}/{folder.name}')
        assert project.statistic(f'{folder.parent.name}/{folder.name}')['status'] == 'finished'
