"""`tagrun doctor` reports each half-made thing, --fix repairs it, and then it reports it no more.

What is not ours to delete stays.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import breakage
import pytest
from project_factory import wait_for

from tagrun.store import lock


@pytest.fixture
def project(stub_with_run):
    return stub_with_run


def doctor(project, *words, code=0):
    return project.tagrun('doctor', *words, code=code).stdout


def test_a_healthy_project_has_no_finding(project):
    assert doctor(project) == '' and doctor(project, '--fix') == ''
    assert json.loads(doctor(project, '--json')) == []


@pytest.mark.parametrize('what', breakage.ALL)
def test_what_is_half_made_is_reported_and_fixed_and_reported_no_more(project, what):
    breakage.ALL[what](project)
    fixed = doctor(project, '--fix')
    assert fixed.count('Fixed: ') == 1 and what in fixed
    assert what not in doctor(project)


def test_a_preparation_that_was_completed_trains_with_the_tags_seed(project):
    breakage.break_preparation(project)
    doctor(project, '--fix')
    project.tagrun('continue', 't1/1')
    assert project.statistic('t1/1')['seed'] == project.statistic('t1/0')['seed']
    assert project.statistic('t1/1')['status'] == 'finished'


def test_without_fix_it_says_what_fix_would_do_and_does_nothing(project):
    breakage.break_lock(project)
    breakage.break_last(project)
    breakage.break_finished(project)
    breakage.break_snapshot(project)
    text = doctor(project, code=1)
    assert text.count('. --fix ') == 4 and text.count('\n') == 4
    assert doctor(project, code=1) == text


def test_what_is_young_may_be_at_work_and_is_left(project):
    for path in (project.root / '.git' / 'index.lock', project.folder('t1/0') / '.log.1.tmp'):
        path.touch()
    project.folder('t1/7').mkdir()
    text = doctor(project, '--fix')
    assert 'taken a moment ago' in text and 'is being prepared' in text and 'Fixed' not in text
    assert (project.root / '.git' / 'index.lock').exists() and project.folder('t1/7').exists()


def test_an_old_lock_stays_while_a_git_works_here(project):
    breakage.break_lock(project)
    git = subprocess.Popen(
        ['git', 'cat-file', '--batch'],
        cwd=project.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert f'process {git.pid} is a git at work here' in doctor(project, '--fix', code=1)
        assert (project.root / '.git' / 'index.lock').exists()
    finally:
        git.communicate()
    assert 'Fixed' in doctor(project, '--fix')


def test_a_lock_of_a_git_that_was_killed_stops_a_run_with_the_cure_and_the_cure_works(project):
    path = project.root / '.git' / 'refs' / 'tags' / 't2.lock'
    path.touch()
    text = project.tagrun('run', 't2', code=1).stderr
    assert 'tagrun doctor --fix' in text and not project.folder('t2/0').exists()
    breakage.age(path)
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
def test_a_selftest_at_work_is_left_alone_and_so_is_a_training_of_it_that_outlived_it(
    project, owned
):
    breakage.break_selftest(project)
    owner = lock.Lock(project.root / '__result__' / owned)
    assert (
        f'a selftest at work: process {os.getpid()}' in doctor(project, '--fix')
        and (project.root / '__result__' / '.selftest-x1y2/0/code/main.py').exists()
    )
    owner.release()
    assert (
        'Fixed' in doctor(project, '--fix')
        and not (project.root / '__result__' / '.selftest-x1y2').exists()
    )


def test_a_link_with_a_selftests_name_is_not_followed(project, tmp_path):
    (project.root / '__result__' / '.selftest-mine').symlink_to(tmp_path)
    assert doctor(project, '--fix') == '' and project.root.is_dir()


@pytest.mark.parametrize(
    'what',
    [
        'a checkpoint that is not listed',
        'a list that names no run',
        'files deleted',
        'never trained',
        'killed',
    ],
)
def test_what_is_only_said_is_no_error_and_nothing_is_deleted(project, what):
    if what == 'a checkpoint that is not listed':
        (project.folder('t1/0') / 'checkpoint' / 'epoch_7.pth').write_bytes(b'mine')
        text = 'epoch_7.pth is not in SHA256SUMS'
    elif what == 'a list that names no run':
        with open(project.root / '__statistic__' / 'exper-list' / 'finished.txt', 'a') as file:
            file.write('t9/9\n')
        text = 'line 2, t9/9'
    elif what == 'files deleted':
        project.git('clean', '-fdxq', '-e', '__statistic__')
        shutil.rmtree(project.root / '__statistic__')
        text = 'git has its code (runs 0), and their files are not here'
    elif what == 'never trained':
        project.tagrun('rerun', 't1')
        for name in ('statistic.json', 'lock'):
            (project.folder('t1/1') / name).unlink()
        project.git('update-ref', '-d', 'refs/tagrun/result/t1/1')
        (project.root / '__statistic__' / 'exper-list' / 'finished.txt').write_text('t1/0\n')
        text = 'its training never began. continue t1/1'
    else:
        project.tagrun('run', 't2', '--set', 'how=killed', code=137)
        text = 't2/0: it is killed. continue t2/0'
    assert text in doctor(project, '--fix')
    assert text in doctor(project)


@pytest.mark.parametrize(
    'what',
    [
        'another commit',
        'no commit',
        'a stranger',
        'run.json',
        'statistic.json',
        'files without a record',
    ],
)
def test_what_only_the_user_can_decide_is_left_and_the_exit_code_says_so(project, what):
    folder = project.folder('t1/0')
    if what == 'another commit':
        project.git('update-ref', 'refs/tagrun/code/t1/0', 'HEAD')
        text = 'one of the two was changed'
    elif what == 'no commit':
        info = json.loads((folder / 'run.json').read_text())
        (folder / 'run.json').write_text(json.dumps({**info, 'commit': 'a' * 40}))
        project.git('update-ref', '-d', 'refs/tagrun/code/t1/0')
        text = 'is not in this repository'
    elif what == 'a stranger':
        (folder / 'code' / 'random.py').write_text('mine\n')
        text = 'holds what the commit does not: random.py'
    elif what == 'run.json':
        (folder / 'run.json').write_text('{')
        text = 'run.json cannot be read'
    elif what == 'statistic.json':
        (folder / 'statistic.json').write_text('{')
        text = 'statistic.json cannot be read'
    else:
        project.folder('t1/5').mkdir()
        (project.folder('t1/5') / 'notes').write_text('mine')
        breakage.age(project.folder('t1/5'))
        text = 'files of a run that was never recorded'
    before = sorted(path for path in project.root.rglob('*') if '.git' not in path.parts)
    assert text in doctor(project, '--fix', code=1)
    assert sorted(path for path in project.root.rglob('*') if '.git' not in path.parts) == before


def test_a_program_reads_what_became_of_each(project):
    breakage.break_last(project)
    breakage.break_finished(project)
    cases = json.loads(doctor(project, '--fix', '--json'))
    assert [(case['where'], case['fixed'], case['harmless']) for case in cases] == [
        ('t1/0', True, False),
        ('t1/0', True, False),
    ]


def test_only_the_runs_that_are_named_are_looked_at(project):
    project.tagrun('run', 't2')
    (project.folder('t1/0') / 'checkpoint' / 'epoch_best.pth').unlink()
    assert doctor(project, 't2') == '' and 'epoch_best' in doctor(project, 't1/0', code=1)


def test_where_it_cannot_fix_something_it_says_why(project):
    breakage.break_last(project)
    words = project.command('doctor', '--fix')
    # root writes wherever it likes, but for a file system that is read-only
    if os.geteuid() == 0:
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
        words = ['unshare', '-m', 'sh', '-c', script, 'sh', project.folder('t1/0'), *words]
    else:
        (project.folder('t1/0') / 'checkpoint').chmod(0o555)
    done = subprocess.run(words, cwd=project.root, env=project.env, capture_output=True, text=True)
    if 'mount' in done.stderr or 'unshare' in done.stderr:
        pytest.skip('no right to mount here')
    assert (
        done.returncode == 1
        and 'could not be fixed' in done.stdout
        and 'Traceback' not in done.stderr
    )


def test_a_kill_at_any_moment_of_a_run_leaves_nothing_that_doctor_does_not_fix(project):
    """The launcher and all it started are killed together, a little later each time."""
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, str(project.root / 'code' / 'tagrun'), 'run', f'k{number}'],
            cwd=project.root,
            env=project.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(0.03 * number + 0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for path in [
        *project.root.glob('.git/tagrun-*'),
        *project.root.glob('.git/**/*.lock'),
        *project.root.glob('__result__/k*/*'),
        *project.root.rglob('.*.tmp'),
    ]:
        breakage.age(path)
    doctor(project, '--fix')
    assert (
        not list(project.root.glob('.git/tagrun-*'))
        and not list(project.root.glob('.git/**/*.lock'))
        and not list(project.root.rglob('.*.tmp'))
    )
    for folder in project.root.glob('__result__/k*/*'):
        project.tagrun('continue', f'{folder.parent.name}/{folder.name}')
        assert project.statistic(f'{folder.parent.name}/{folder.name}')['status'] == 'finished'
