"""`fetch` and `import`, killed at their n-th file-system call, and typed again: all is as if nobody
had killed them. In every second try `doctor --fix` comes between.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import small_repository
from fault_calls import Calls
from foreign_runs import events, mlruns, wandb_file
from project_factory import CODE
from two_clones import Pair

from tagrun.core import finder
from tagrun.core.check import finding, leftovers
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import fetch
from tagrun.store import layout
from tagrun.store.run_ref import RunRef

HOLD = f"""
import sys
sys.path.append({str(CODE)!r})
from tagrun.store.incoming import Incoming
with Incoming(sys.argv[1]):
    sys.stdout.write('.')
    sys.stdout.flush()
    sys.stdin.readline()
"""
KINDS = ('csv', 'mlflow', 'tensorboard', 'wandb')
importer = finder.load(Path(fetch.__file__).parents[1] / 'importing' / 'import.py')


def in_child(function, *arguments):
    """Return the exit code of a forked child that calls a function; minus a signal's number."""
    child = os.fork()
    if not child:
        code = 99
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            code = function(*arguments)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def command(root, main, words, kill_at=None):
    """Run a command in the project at `root`, in this process."""
    for module in (fetch, importer):
        module.ROOT = root
    os.fsync = lambda descriptor: None  # a kill needs no disk
    if kill_at:
        Calls(root, 'kill', at=kill_at, without='.git/*')
    return main(words)


def doctor(root):
    """What `doctor --fix` does, as if all leftovers were old."""
    finding.STALE_S = -1
    repository = Repository.at(root)
    runs = []
    for tag in layout.tags(root):
        runs += [RunRef(tag, number) for number in layout.numbers(root, tag)]
    for each in list(leftovers.find(repository, runs)):
        if each.fix:
            each.fix()
    return 0


def state(root):
    """All files of runs and lists, and all refs."""
    files = {}
    for folder in (layout.result(root), layout.statistic(root)):
        for path in folder.rglob('*'):
            content = path.read_bytes() if path.is_file() else None
            mode = stat.S_IMODE(path.stat().st_mode)
            files[str(path.relative_to(root))] = mode, content
    return files, small_repository.git(root, 'for-each-ref')


def wrong(root, template, main, words, kill_at, is_doctored):
    """Kill a command, type it again; return (whether it was killed, in what the state differs)."""

    def fresh():
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root, symlinks=True)

    fresh()
    code = in_child(command, root, main, words, kill_at)
    if code == 0:
        return False, []
    assert code == -9
    if is_doctored:
        assert in_child(doctor, root) == 0
    assert in_child(command, root, main, words) == 0
    return True, state(root)


def every_call(tmp_path, template, main, words, stride):
    """Kill at each stride-th call; return (how many, [(call, whether doctored, differences)])."""
    root = tmp_path / "b 'ob"
    shutil.copytree(template, root, symlinks=True)
    assert in_child(command, root, main, words) == 0
    expected = state(root)
    assert expected[0]
    bad = []
    for tried, at in enumerate(range(1, 100_000, stride)):
        is_killed, after = wrong(root, template, main, words, at, tried % 2 == 1)
        if not is_killed:
            return tried, bad
        if after != expected:
            files, refs = after
            differing = {name for name, _ in files.items() ^ expected[0].items()}
            bad.append((at, tried % 2 == 1, sorted(differing), refs == expected[1]))
    raise AssertionError('it never ended')


@pytest.fixture(scope='module')
def bob(tmp_path_factory):
    """A clone that has on/0 as it was at work; at the remote it went on, and others came."""
    parent = tmp_path_factory.mktemp('fetched')
    root = small_repository.make(parent)
    pair = Pair(parent)
    subprocess.run(['git', 'init', '-q', '--bare', pair.hub], check=True)
    small_repository.git(root, 'remote', 'add', 'origin', str(pair.hub))
    begun = share(pair, 'on/0', 'interrupted')
    assert in_child(command, root, fetch.main, []) == 0
    share(pair, 'on/0', 'finished', begun)
    for name, status in (('new/0', 'finished'), ('new/1', 'failed'), ('odd/3', 'finished')):
        share(pair, name, status)
    return root


def share(pair, name, status, before=None):
    """Put a result into the hub; (its code, its commit). before: those of the run until now."""
    tag, _, number = name.partition('/')
    content = {'run': name, 'status': status, 'metric': {'val/acc': 0.5}}
    files = {
        'statistic.json': json.dumps(content).encode(),
        'run.json': json.dumps({'tag': tag, 'id': int(number), 'seed': 1}).encode(),
        'history.csv': b'epoch,val/acc,seconds\n1,0.5,1\n',
        'log': status.encode(),
    }
    if before is None:
        code = pair.plant(f'refs/tagrun/code/{name}', {'code/main.py': name.encode()})
        return code, pair.plant(f'refs/tagrun/result/{name}', files, code)
    code, former = before
    planted = pair.plant('refs/heads/planted', files, code)

    def git(*words):
        return small_repository.git(pair.hub, '-c', 'user.name=E', '-c', 'user.email=e@e', *words)

    parents = ('-p', code, '-p', former)
    later = git('commit-tree', f'{planted}^{{tree}}', *parents, '-m', 'result of it').strip()
    git('update-ref', f'refs/tagrun/result/{name}', later)
    git('update-ref', '-d', 'refs/heads/planted')
    return code, later


def test_a_killed_fetch_goes_on_where_it_was(tmp_path, bob):
    tried, bad = every_call(tmp_path, bob, fetch.main, [], 11)
    assert tried > 4 and not bad


@pytest.mark.slow
def test_a_fetch_killed_at_each_call_goes_on_where_it_was(tmp_path, bob):
    tried, bad = every_call(tmp_path, bob, fetch.main, [], 1)
    assert tried > 50 and not bad


def write_source(kind, folder):
    """Write two runs as another tool does."""
    if kind == 'csv':
        folder.mkdir()
        for name in ('one', 'two'):
            (folder / f'{name}.csv').write_text(f'epoch,val_acc\n1,0.5\n2,0.{len(name)}\n')
    elif kind == 'mlflow':
        pytest.importorskip('yaml')
        mlruns(folder, metrics={'loss': [(1, 1.0), (2, 0.5)]}, params={'lr': '0.1'})
        mlruns(folder, run='b' * 32, metrics={'loss': [(1, 2.0)]})
    elif kind == 'tensorboard':
        events(folder / 'a', {'loss': [(1, 2.0), (2, 1.0)]})
        events(folder / 'b', {'loss': [(1, 2.5)]})
    else:
        protobuf = pytest.importorskip('wandb.proto.wandb_internal_pb2')
        for name in ('abc', 'abd'):
            write_wandb(protobuf, folder / f'run-{name}.wandb', name)


def write_wandb(protobuf, path, name):
    run, line, end = protobuf.Record(), protobuf.Record(), protobuf.Record()
    run.run.run_id, run.run.project = name, 'nets'
    item = line.history.item.add()
    item.nested_key.append('loss')
    item.value_json = '0.5'
    end.exit.exit_code = 0
    wandb_file(path, [run, line, end])


@pytest.fixture
def alone(tmp_path):
    return small_repository.make(tmp_path)


@pytest.mark.parametrize('kind', KINDS)
def test_a_killed_import_goes_on_where_it_was(tmp_path, alone, kind):
    write_source(kind, tmp_path / 'source')
    words = [str(tmp_path / 'source'), '--to', 'paper']
    tried, bad = every_call(tmp_path, alone, importer.main, words, 17)
    assert tried > 1 and not bad


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_an_import_killed_at_each_call_goes_on_where_it_was(tmp_path, alone, kind):
    write_source(kind, tmp_path / 'source')
    words = [str(tmp_path / 'source')]
    tried, bad = every_call(tmp_path, alone, importer.main, words, 1)
    assert tried > 30 and not bad


def test_two_at_once_wait_for_each_other(tmp_path, bob):
    for name in ('one', 'both'):
        shutil.copytree(bob, tmp_path / name, symlinks=True)
    assert in_child(command, tmp_path / 'one', fetch.main, []) == 0
    first = subprocess.Popen([sys.executable, '-c', HOLD, tmp_path / 'both'], stdin=-1, stdout=-1)
    assert first.stdout.read(1) == b'.'
    (tmp_path / 'both' / '__result__' / '.incoming' / '1').mkdir()
    second = os.fork()
    if not second:
        os._exit(in_child(command, tmp_path / 'both', fetch.main, []))
    first.communicate(b'\n')
    assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == 0
    names = [sorted(state(tmp_path / name)[0]) for name in ('one', 'both')]
    assert names[0] == names[1] and not first.returncode
