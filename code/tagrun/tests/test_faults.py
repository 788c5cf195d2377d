"""What goes wrong around a training: no room, no right, no worker, no memory, no terminal. Each is told in a line or two, and loses nothing saved."""
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
import sys
import time

import pytest
from campaign import BUSY, Runs, damage
from conftest import make_project, wait_for

from tagrun.store import atomic, checkpoints

WRITERS = {'checkpoint': 'checkpoint/.epoch*', 'list of checkpoints': 'checkpoint/.SHA*', 'links': 'checkpoint/.epoch_last*', 'history': '.history*',
           'statistic': '.statistic*', 'trace': 'trace.csv', 'tensorboard': 'tensorboard/*'}
SLOW = pytest.mark.slow
FAULTS = {'no room': errno.ENOSPC, 'quota': errno.EDQUOT, 'a broken disk': errno.EIO, 'made read-only': errno.EROFS}


@pytest.fixture(scope='module')
def runs(tmp_path_factory, data):
    with Runs(tmp_path_factory.mktemp('faults'), data, **BUSY) as made:
        yield made


@pytest.mark.parametrize('writer', [one if one in ('checkpoint', 'history', 'trace') else pytest.param(one, marks=SLOW) for one in WRITERS])
def test_a_writer_that_fails_ends_the_run_in_a_line_and_it_goes_on_exactly(runs, writer):
    """The fault begins in the middle of the run and lasts to its end, in this writer alone; then the disk is well again."""
    kind, folder = list(FAULTS)[list(WRITERS).index(writer) % len(FAULTS)], runs.new()
    ended = runs.server.train(folder, calls={'action': 'error', 'errno': FAULTS[kind], 'name': WRITERS[writer], 'after': 5,
                                             'only': ['open', 'write', 'fsync', 'replace', 'symlink']})
    told = (folder / 'screen').read_text()
    assert ended.code == 1 and 'Traceback' not in told and os.strerror(FAULTS[kind]) in told
    assert writer in ('links', 'tensorboard') or str(folder) in told
    assert writer == 'statistic' or runs.project.statistic(f't1/{folder.name}')['status'] == 'failed'
    assert not damage(folder) and not list(folder.rglob('.*.tmp'))
    assert runs.finish(folder) == ''


@SLOW
def test_a_log_without_room_stops_nothing(runs):
    folder = runs.new()
    assert runs.server.train(folder, calls={'action': 'error', 'errno': errno.ENOSPC, 'name': 'log', 'only': ['write']}).code == 0
    assert runs.wrong(folder) == ''


def test_the_folders_above_a_run_are_synced_before_it_reports(runs, tmp_path):
    """Else the power may take a whole run, whose every file is safe."""
    folder = runs.new()
    runs.server.train(folder, calls={'action': 'record', 'folder': str(runs.project.root)}, record=tmp_path / 'calls')
    calls = [(name, path) for name, path, _ in pickle.loads((tmp_path / 'calls').read_bytes())]
    reported = calls.index(('replace', f'__result__/t1/{folder.name}/statistic.json'))
    assert {('fsync', '__result__/t1'), ('fsync', '__result__'), ('fsync', '')} <= set(calls[:reported])


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a small disk')
@pytest.mark.parametrize('options', ['size=200k', 'nr_inodes=12'])
def test_a_full_disk_is_told_with_path_needed_and_free_bytes_and_before_it_is_full(tmp_path, options, capsys):
    from tagrun.training.checkpoint import Background, Checkpoints
    torch = pytest.importorskip('torch')
    place = tmp_path / 'disk'
    place.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', place], check=True)
    try:
        made = Checkpoints(place, Background(), keep_last=9, keep_every=0)
        with pytest.raises(OSError) as caught:
            for number in range(20):
                made.save(f'epoch_{number}.pth', {'state': {'model': {'w': torch.zeros(10_000)}}})
            made._background.wait()
        free = 'it can take no further file' if 'inodes' in options else r'about 40,\d+ bytes are needed, [\d,]+ bytes are free'
        assert re.search(rf'No space left on device while writing {re.escape(str(place))}/checkpoint/\S+: .*{free}', str(caught.value)), caught.value
        told = capsys.readouterr().err
        assert told.count('a checkpoint takes 40,000 bytes or more, and ') == told.count('make room') == ('size' in options)
        listed = checkpoints.listed(place)
        assert len(listed) >= 2 and all(checkpoints.digest(place / 'checkpoint' / name) == digest for name, digest in listed.items())
        assert not list((place / 'checkpoint').glob('.*'))
    finally:
        subprocess.run(['umount', place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a folder read-only')
def test_results_that_cannot_be_written_are_told_before_training(project):
    project.edit('epoch.py', '    state.scaler.scale(', '    if state.epoch == 1:\n        raise OSError("a broken cable")\n    state.scaler.scale(')
    project.tagrun('run', '-f', 't1', code=1)
    place = project.root / '__result__'
    subprocess.run(['mount', '--bind', place, place], check=True)
    try:
        subprocess.run(['mount', '-o', 'remount,ro,bind', place], check=True)
        for verb in (('run', 't2'), ('continue', 't1'), ('rerun', 't1')):
            assert 'Read-only file system' in project.tagrun(*verb, code=1).stderr
    finally:
        subprocess.run(['umount', place], check=True)
    assert 'resumed after epoch 1' in project.tagrun('continue', 't1', code=1).stderr


def failed(project, *told, name='t1/0', verb=('run', '-f', 't1')):
    """Run to the failure that is expected, and check what is said of it."""
    said = project.tagrun(*verb, code=1).stderr
    for text in told:
        assert text in said, said
    assert project.statistic(name)['status'] == 'failed' and len(said.split('failed: ')[1].splitlines()[0]) < 500
    return said


def in_each_sample(project, workers, old, new):
    """An edit of how the example gives a sample; without its get_batch, so that it is asked for each."""
    project.configure(workers=workers)
    project.edit('dataloader.py', '    get_batch = __getitem__', '    # get_batch = __getitem__')
    project.edit('dataloader.py', old, new)


@pytest.mark.parametrize('workers', [pytest.param('0', marks=SLOW), '2'])
def test_a_sample_that_raises_is_named_by_its_index_and_line(project, workers):
    in_each_sample(project, workers, '        x = self.x[index]\n', "        if index == 1234:\n            raise KeyError('no such label')\n        x = self.x[index]\n")
    assert failed(project, "sample 1", "of the dataset: KeyError: 'no such label'", 'in code/dataloader.py, line ', "raise KeyError('no such label')")


@pytest.mark.parametrize('times', [1, pytest.param(20, marks=SLOW)])
def test_a_data_worker_that_is_killed_is_told_as_that(project, times):
    """And nothing of multiprocessing's own, which the other worker would print now and then as it dies."""
    in_each_sample(project, '2', '        x = self.x[index]\n',
                   '        x = self.x[index] if index != 77 else __import__("os").kill(__import__("os").getpid(), 9)\n')
    for number in range(times):
        assert failed(project, 'a data worker was killed, often for lack of memory', name=f't{number}/0', verb=('run', '-f', f't{number}'))


def test_a_data_worker_that_hangs_is_waited_for_so_long(project):
    project.configure(worker_timeout='2')
    in_each_sample(project, '1', '        x = self.x[index]\n', '        x = self.x[index] if index != 77 else __import__("time").sleep(1000)\n')
    assert failed(project, 'DataLoader timed out after 2 seconds', 'worker_timeout in config.py')


def test_data_workers_die_of_sigterm_and_leave_ctrl_c_to_training():
    """Ctrl-C at a terminal reaches them too; a worker that lived on would hold what it holds."""
    code = ('import os, signal, sys, time; from tagrun.training.signals import Stop\nstop = Stop()\nchild = os.fork()\n'
            'if not child:\n    time.sleep(60)\n'
            'time.sleep(0.2); os.kill(child, signal.SIGINT); time.sleep(0.2)\nassert os.waitpid(child, os.WNOHANG) == (0, 0)\n'
            'os.kill(child, signal.SIGTERM)\nassert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM\nassert stop.wanted is None')
    env = {**os.environ, 'PYTHONPATH': str(atomic.Path(atomic.__file__).parents[2])}
    assert subprocess.run([sys.executable, '-c', code], env=env, timeout=60).returncode == 0


@pytest.mark.parametrize('error', ["torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')", pytest.param('MemoryError()', marks=SLOW)])
def test_out_of_memory_is_told_with_what_helps(project, error):
    project.edit('epoch.py', '    state.scaler.scale(', f'    if state.epoch == 1:\n        raise {error}\n    state.scaler.scale(')
    assert failed(project, 'a smaller batch_size needs less', 'what was saved is whole')
    assert list(checkpoints.listed(project.folder('t1/0'))) == ['epoch_1.pth']


@pytest.mark.parametrize('name, others', [pytest.param('determinism', 'fastest, fast, steady, exact', marks=SLOW), ('amp', 'off, bf16, fp16')])
def test_a_value_that_config_cannot_have_is_told_without_a_traceback(project, name, others):
    project.configure(**{name: "'extact'"})
    assert failed(project, f"config.py: {name} is 'extact'; one of {others}")


def test_a_run_of_one_epoch_killed_after_it_has_its_link_and_finishes(project):
    project.configure(epochs='1')
    project.edit('main.py', '            run.end_epoch(state) ', '            run.end_epoch(state); run._background.wait(); import os; os.path.exists("well") or os.kill(os.getpid(), 9) ')
    project.tagrun('run', '-f', 't1', code=75)
    assert (project.folder('t1/0') / 'checkpoint' / 'epoch_last.pth').readlink().name == 'epoch_1.pth'
    (project.root / 'well').touch()
    project.tagrun('continue', 't1')
    assert project.statistic('t1/0')['status'] == 'finished' and project.statistic('t1/0')['epoch'] == 1


def test_a_terminal_that_goes_away_stops_the_run_resumably(project):
    """What ssh leaves behind: the terminal closed, SIGHUP, and nobody who reads."""
    project.configure(epochs='400')
    leader, follower = pty.openpty()
    process = subprocess.Popen(project.command('run', '-f', 't1'), cwd=project.root, env=project.env, stdin=follower, stdout=follower, stderr=follower,
                               preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, importlib.import_module('termios').TIOCSCTTY, 0)))
    os.close(follower)
    wait_for(lambda: (project.folder('t1/0') / 'history.csv').exists(), what='an epoch')
    os.close(leader)
    process.wait(60)
    assert project.statistic('t1/0')['status'] == 'interrupted'
    assert 'stopped by SIGHUP' in (project.folder('t1/0') / 'log').read_text()
    assert project.git('for-each-ref', 'refs/tagrun/result/t1/0'), 'the launcher recorded no result'


def test_nobody_who_reads_stops_nothing(project):
    """`run t1 2>&1 | head -1`."""
    process = subprocess.Popen(project.command('run', '-f', 't1'), cwd=project.root, env=project.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
    assert project.statistic('t1/0')['status'] == 'finished' and 'epoch 3/3' in (project.folder('t1/0') / 'log').read_text()
    assert project.git('for-each-ref', 'refs/tagrun/result/t1/0'), 'the launcher recorded no result'


def test_a_storm_of_signals_during_a_large_save_makes_one_whole_save(tmp_path, data):
    project = make_project(tmp_path / 'p', data, model="'mlp'", hidden='1500', epochs='400')
    process = project.start('run', '-f', 't1')
    wait_for(lambda: list((project.folder('t1/0') / 'checkpoint').glob('.epoch*')) or process.poll() is not None, what='a save')
    trainer = json.loads((project.folder('t1/0') / 'lock').read_text())['pid']
    for number in range(100):
        try:
            os.kill(trainer, (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGCONT)[number % 4])
        except ProcessLookupError:
            break
        time.sleep(0.01)
    assert process.wait(60) == 75
    assert project.statistic('t1/0')['status'] == 'interrupted'
    assert all(checkpoints.digest(project.folder('t1/0') / 'checkpoint' / name) == digest for name, digest in checkpoints.listed(project.folder('t1/0')).items())


@SLOW
def test_a_stopped_process_goes_on_after_sigcont(runs):
    folder = runs.new()
    ended = runs.server.train(folder, signals=[(0.5, signal.SIGSTOP), (0.8, signal.SIGCONT)])
    assert ended.code == 0 and runs.wrong(folder) == ''


@SLOW
def test_a_clock_that_is_set_back_changes_nothing(project):
    """Ids and order never come from the clock, durations from one that only runs forward."""
    library = next((path for path in ('/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',) if os.path.exists(path)), None)
    if not library:
        pytest.skip('libfaketime is not here')
    project.edit('epoch.py', '    state.scaler.scale(', '    if state.epoch == 1 and not __import__("os").path.exists("well"):\n        __import__("os").kill(__import__("os").getpid(), 15)\n    state.scaler.scale(')
    project.tagrun('run', '-f', 't1', code=75)
    (project.root / 'well').touch()
    project.tagrun('continue', 't1', env={'LD_PRELOAD': library, 'FAKETIME': '-30d'})
    project.tagrun('rerun', '-f', 't1', env={'LD_PRELOAD': library, 'FAKETIME': '-60d'})
    assert project.outcome('t1/0') == project.outcome('t1/1') and project.statistic('t1/1')['time']['seconds'] > 0


@pytest.mark.parametrize('name', ['queue', pytest.param('enum', marks=SLOW), pytest.param('random', marks=SLOW)])
def test_a_file_that_hides_what_torch_needs_is_refused_before_a_tag_is_spent(project, name):
    (project.root / 'code' / f'{name}.py').write_text('mine = 1\n')
    said = project.tagrun('run', 't1', code=1).stderr
    assert f"code/{name}.py hides Python's own module" in said and 'rename it' in said and not project.git('tag', '-l')
    assert not project.folder('t1').exists()


@SLOW
def test_a_file_that_hides_what_torch_does_not_need_is_only_named(project):
    (project.root / 'code' / 'turtle.py').write_text('mine = 1\n')
    assert "code/turtle.py hides Python's own module" in project.tagrun('run', 't1').stderr
