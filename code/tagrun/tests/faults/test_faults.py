"""What goes wrong around a training: no room, no right, no memory, no terminal.

Each is reported in a line or two, and nothing that was saved is lost.
"""

import errno
import fcntl
import importlib
import json
import os
import pickle
import pty
import re
import signal
import subprocess
import time

import pytest
from campaign import BUSY, Runs, damage
from failing_runs import run_fails
from project_factory import make_project, wait_for

from tagrun.store import checkpoints

WRITERS = {
    'checkpoint': 'checkpoint/.epoch*',
    'list of checkpoints': 'checkpoint/.SHA*',
    'links': 'checkpoint/.epoch_last*',
    'history': '.history*',
    'statistic': '.statistic*',
    'trace': 'trace.csv',
    'tensorboard': 'tensorboard/*',
}
SLOW = pytest.mark.slow
# in epoch.py, of each training step
UPDATE = '    args = run.args\n    if args.grad_accum_steps == 1:\n'
FAULTS = {
    'no room': errno.ENOSPC,
    'quota': errno.EDQUOT,
    'a broken disk': errno.EIO,
    'made read-only': errno.EROFS,
}


@pytest.fixture(scope='module')
def runs(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp('faults') / "a 'b; c"
    with Runs(make_project(folder, data, matrices=True, **BUSY)) as runs:
        yield runs


@pytest.mark.parametrize(
    'writer',
    [
        writer if writer in ('checkpoint', 'history', 'trace') else pytest.param(writer, marks=SLOW)
        for writer in WRITERS
    ],
)
def test_a_writer_that_fails_ends_the_run_in_a_line_and_it_goes_on_exactly(runs, writer):
    """The fault begins in the middle of the run, and lasts to its end, in this writer alone."""
    kind, folder = list(FAULTS)[list(WRITERS).index(writer) % len(FAULTS)], runs.new()
    ended = runs.server.train(
        folder,
        calls={
            'action': 'error',
            'errno': FAULTS[kind],
            'name': WRITERS[writer],
            'after': 5,
            'only': ['open', 'write', 'fsync', 'replace', 'symlink'],
        },
    )
    screen = (folder / 'screen').read_text()
    assert ended.code == 1 and 'Traceback' not in screen and os.strerror(FAULTS[kind]) in screen
    assert writer in ('links', 'tensorboard') or str(folder) in screen
    assert (
        writer == 'statistic' or runs.project.statistic(f't1/{folder.name}')['status'] == 'failed'
    )
    assert not damage(folder) and not list(folder.rglob('.*.tmp'))
    assert runs.finish(folder) == ''


@SLOW
def test_a_log_without_room_stops_nothing(runs):
    folder = runs.new()
    assert (
        runs.server.train(
            folder,
            calls={'action': 'error', 'errno': errno.ENOSPC, 'name': 'log', 'only': ['write']},
        ).code
        == 0
    )
    assert runs.wrong(folder) == ''


def test_the_folders_above_a_run_are_synced_before_it_reports(runs, tmp_path):
    """Else the power may take a whole run, whose every file is safe."""
    folder = runs.new()
    runs.server.train(
        folder,
        calls={'action': 'record', 'folder': str(runs.project.root)},
        record=tmp_path / 'calls',
    )
    calls = [(name, path) for name, path, _ in pickle.loads((tmp_path / 'calls').read_bytes())]
    reported = calls.index(('replace', f'__result__/t1/{folder.name}/statistic.json'))
    assert {('fsync', '__result__/t1'), ('fsync', '__result__'), ('fsync', '')} <= set(
        calls[:reported]
    )


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a small disk')
@pytest.mark.parametrize('options', ['size=200k', 'nr_inodes=12'])
def test_a_full_disk_is_told_with_path_needed_and_free_bytes_and_before_it_is_full(
    tmp_path, options, capsys
):
    from tagrun.training.checkpoint import Background, Checkpoints

    torch = pytest.importorskip('torch')
    disk = tmp_path / 'disk'
    disk.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', disk], check=True)
    try:
        saver = Checkpoints(disk, Background(), keep_last=9, keep_every=0)
        with pytest.raises(OSError) as caught:
            for number in range(20):
                saver.save(f'epoch_{number}.pth', {'state': {'model': {'w': torch.zeros(10_000)}}})
            saver.background.wait()
        free = (
            'it can take no further file'
            if 'inodes' in options
            else r'about 40,\d+ bytes are needed, [\d,]+ bytes are free'
        )
        assert re.search(
            r'No space left on device while writing '
            rf'{re.escape(str(disk))}/checkpoint/\S+: .*{free}',
            str(caught.value),
        ), caught.value
        warned = capsys.readouterr().err
        is_near = 'size' in options
        assert warned.count('a checkpoint takes 40,000 bytes or more, and ') == is_near
        assert warned.count('make room') == is_near
        listed = checkpoints.listed(disk)
        assert len(listed) >= 2 and all(
            checkpoints.digest(disk / 'checkpoint' / name) == digest
            for name, digest in listed.items()
        )
        assert not list((disk / 'checkpoint').glob('.*'))
    finally:
        subprocess.run(['umount', disk], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a folder read-only')
def test_results_that_cannot_be_written_are_told_before_training(project):
    project.edit(
        'epoch.py',
        UPDATE,
        f'    if state.epoch == 1:\n        raise OSError("a broken cable")\n{UPDATE}',
    )
    project.tagrun('run', '-f', 't1', code=1)
    results = project.root / '__result__'
    subprocess.run(['mount', '--bind', results, results], check=True)
    try:
        subprocess.run(['mount', '-o', 'remount,ro,bind', results], check=True)
        for words in (('run', 't2'), ('continue', 't1'), ('rerun', 't1')):
            assert 'Read-only file system' in project.tagrun(*words, code=1).stderr
    finally:
        subprocess.run(['umount', results], check=True)
    assert 'resumed after epoch 1' in project.tagrun('continue', 't1', code=1).stderr


@pytest.mark.parametrize(
    'error',
    [
        "torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')",
        pytest.param('MemoryError()', marks=SLOW),
    ],
)
def test_out_of_memory_is_told_with_what_helps(project, error):
    project.edit(
        'epoch.py',
        UPDATE,
        f'    if state.epoch == 1:\n        raise {error}\n{UPDATE}',
    )
    assert run_fails(project, 'a smaller batch_size needs less', 'what was saved is whole')
    assert list(checkpoints.listed(project.folder('t1/0'))) == ['epoch_1.pth']


@pytest.mark.parametrize(
    'name, others',
    [
        pytest.param('determinism', 'fastest, fast, steady, exact', marks=SLOW),
        ('amp', 'off, bf16, fp16'),
    ],
)
def test_a_value_that_config_cannot_have_is_told_without_a_traceback(project, name, others):
    project.configure(**{name: "'extact'"})
    assert run_fails(project, f"config.py: {name} is 'extact'; one of {others}")


def test_a_run_of_one_epoch_killed_after_it_has_its_link_and_finishes(project):
    project.configure(epochs='1')
    project.edit(
        'main.py',
        '            run.end_epoch(state) ',
        '            run.end_epoch(state); run._output.flush(); import os; '
        'os.path.exists("well") or os.kill(os.getpid(), 9) ',
    )
    project.tagrun('run', '-f', 't1', code=137)
    assert (
        project.folder('t1/0') / 'checkpoint' / 'epoch_last.pth'
    ).readlink().name == 'epoch_1.pth'
    (project.root / 'well').touch()
    project.tagrun('continue', 't1')
    assert (
        project.statistic('t1/0')['status'] == 'finished'
        and project.statistic('t1/0')['epoch'] == 1
    )


def test_a_terminal_that_goes_away_stops_the_run_resumably(project):
    """What ssh leaves behind: the terminal closed, SIGHUP, and nobody who reads."""
    project.configure(epochs='400')
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        project.command('run', '-f', 't1'),
        cwd=project.root,
        env=project.env,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        preexec_fn=lambda: (
            os.setsid(),
            fcntl.ioctl(0, importlib.import_module('termios').TIOCSCTTY, 0),
        ),
    )
    os.close(follower)
    wait_for(lambda: (project.folder('t1/0') / 'history.csv').exists(), what='an epoch')
    os.close(leader)
    process.wait(300)
    assert project.statistic('t1/0')['status'] == 'interrupted'
    assert 'stopped by SIGHUP' in (project.folder('t1/0') / 'log').read_text()
    assert project.git('for-each-ref', 'refs/tagrun/result/t1/0'), 'the launcher recorded no result'


def test_nobody_who_reads_stops_nothing(project):
    """`run t1 2>&1 | head -1`."""
    process = subprocess.Popen(
        project.command('run', '-f', 't1'),
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
    assert (
        project.statistic('t1/0')['status'] == 'finished'
        and 'epoch 3/3' in (project.folder('t1/0') / 'log').read_text()
    )
    assert project.git('for-each-ref', 'refs/tagrun/result/t1/0'), 'the launcher recorded no result'


def test_a_storm_of_signals_during_a_large_save_makes_one_whole_save(tmp_path, data):
    project = make_project(tmp_path / 'p', data, model="'mlp'", hidden='1500', epochs='400')
    process = project.start('run', '-f', 't1')
    wait_for(
        lambda: (
            list((project.folder('t1/0') / 'checkpoint').glob('.epoch*'))
            or process.poll() is not None
        ),
        what='a save',
    )
    trainer = json.loads((project.folder('t1/0') / 'lock').read_text())['pid']
    for number in range(100):
        try:
            os.kill(
                trainer, (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGCONT)[number % 4]
            )
        except ProcessLookupError:
            break
        time.sleep(0.01)
    assert process.wait(60) == 75
    assert project.statistic('t1/0')['status'] == 'interrupted'
    assert all(
        checkpoints.digest(project.folder('t1/0') / 'checkpoint' / name) == digest
        for name, digest in checkpoints.listed(project.folder('t1/0')).items()
    )


@SLOW
def test_a_stopped_process_goes_on_after_sigcont(runs):
    folder = runs.new()
    ended = runs.server.train(folder, signals=[(0.5, signal.SIGSTOP), (0.8, signal.SIGCONT)])
    assert ended.code == 0 and runs.wrong(folder) == ''


@SLOW
def test_a_clock_that_is_set_back_changes_nothing(project):
    """Ids and order never come from the clock, durations from one that only runs forward."""
    library = next(
        (
            path
            for path in ('/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',)
            if os.path.exists(path)
        ),
        None,
    )
    if not library:
        pytest.skip('libfaketime is not here')
    project.edit(
        'epoch.py',
        UPDATE,
        '    if state.epoch == 1 and not __import__("os").path.exists("well"):\n        '
        f'__import__("os").kill(__import__("os").getpid(), 15)\n{UPDATE}',
    )
    project.tagrun('run', '-f', 't1', code=75)
    (project.root / 'well').touch()
    project.tagrun('continue', 't1', env={'LD_PRELOAD': library, 'FAKETIME': '-30d'})
    project.tagrun('rerun', '-f', 't1', env={'LD_PRELOAD': library, 'FAKETIME': '-60d'})
    assert (
        project.outcome('t1/0') == project.outcome('t1/1')
        and project.statistic('t1/1')['time']['seconds'] > 0
    )


@pytest.mark.parametrize(
    'name', ['queue', pytest.param('enum', marks=SLOW), pytest.param('random', marks=SLOW)]
)
def test_a_file_that_hides_what_torch_needs_is_refused_before_a_tag_is_spent(project, name):
    (project.root / 'code' / f'{name}.py').write_text('mine = 1\n')
    error = project.tagrun('run', 't1', code=1).stderr
    assert (
        f"code/{name}.py hides Python's own module" in error
        and 'rename it' in error
        and not project.git('tag', '-l')
    )
    assert not project.folder('t1').exists()


@SLOW
def test_a_file_that_hides_what_torch_does_not_need_is_only_named(project):
    (project.root / 'code' / 'turtle.py').write_text('mine = 1\n')
    assert "code/turtle.py hides Python's own module" in project.tagrun('run', 't1').stderr
