"""Small things that unpack to much, or never end: each costs itself alone, a bounded amount of
memory and time, and one sentence.
"""

import json
import os
import resource
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import run_factory
import small_repository
from foreign_runs import events, mlruns, wandb_file
from two_clones import Pair

from tagrun.command import expls, table, why
from tagrun.core import finder
from tagrun.core.cli.messages import UserError
from tagrun.extra.sharing import fetch
from tagrun.store import layout

MEMORY = 600 << 20  # bytes beyond what the tests themselves take
SECONDS = 20  # of computing
MB = 1 << 20
importer = finder.load(Path(fetch.__file__).parents[1] / 'importing' / 'import.py')
ENDLESS = 'with recursive n(i) as (select 1 union all select i + 1 from n) '


@pytest.fixture
def root(tmp_path):
    return small_repository.make(tmp_path)


@pytest.fixture
def defused(root, tmp_path):
    """Run a command in a child; return (its exit code, what it printed); it has little memory."""

    def run(module, *words):
        output = tmp_path / 'printed'
        child = os.fork()
        if not child:
            _become(module, root, words, output)
        _, status, usage = os.wait4(child, 0)
        text = output.read_bytes().decode()
        assert 'Traceback' not in text and 'MemoryError' not in text, text[-2000:]
        assert usage.ru_utime + usage.ru_stime < SECONDS
        return os.waitstatus_to_exitcode(status), text

    return run


def _become(module, root, words, output):
    """Run a command in this child, which may take so much memory, and end."""
    code = 99
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = os.fdopen(1, 'w', encoding='utf-8')
        sys.stderr = os.fdopen(2, 'w', encoding='utf-8', errors='backslashreplace')
        taken = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        most = taken + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        module.ROOT = root
        os.chdir(root)
        try:
            code = module.main([*words]) or 0
        except UserError as error:
            print(error, file=sys.stderr)
            code = error.code
        sys.stdout.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


# ---- imports ----


def good_csv(folder):
    (folder / 'good.csv').write_text('epoch,val_acc\n1,0.5\n')


def yaml_with(text):
    def write(folder):
        run = mlruns(folder, metrics={'loss': [(1, 1.0)]})
        (run / 'meta.yaml').write_text(text)

    return write


def database_with(*statements):
    def write(folder):
        with sqlite3.connect(folder / 'mlflow.db') as database:
            for statement in statements:
                database.execute(statement)

    return write


RUNS = (
    'create table runs '
    '(run_uuid, name, status, start_time, end_time, lifecycle_stage, experiment_id)'
)
A_RUN = "insert into runs values ('r', 7, 'FINISHED', 1, 2, 'active', 1)"
EXPERIMENTS = 'create table experiments (experiment_id, name)'
PARAMS = 'create table params (run_uuid, key, value)'
METRICS = 'create table metrics (run_uuid, key, value, step, is_nan, timestamp)'
# the value of a row is as long as its writer likes
LONG = 'key text generated always as (cast(zeroblob(900000000) as text))'


def fifo(folder):
    events(folder / 'a', {'loss': [(1, 2.0)]})
    os.mkfifo(folder / 'a' / 'events.out.tfevents.2')


def long_record(folder):
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    head = struct.pack('<Q', 1 << 60)
    content = head + struct.pack('<I', masked_crc32c(head)) + b'x' * 100
    (folder / 'events.out.tfevents.1').write_bytes(content)


def wide_csv(folder):
    header = ','.join(f'c{number}' for number in range(20_000))
    (folder / 'bomb.csv').write_text(header + '\n' + '1\n' * 200_000)


def long_csv(folder):
    (folder / 'bomb.csv').write_bytes(b'a\n' + b'1\n' * (3 * MB))


def long_word(folder):
    (folder / 'bomb.csv').write_text('a,b\n1,' + 'x' * (8 * MB))


def long_metric(folder):
    run = mlruns(folder, metrics={'loss': [(1, 1.0)]})
    (run / 'metrics' / 'loss').write_bytes(b'1 2\n' * (3 * MB))


def wandb_record(folder, key, text):
    protobuf = pytest.importorskip('wandb.proto.wandb_internal_pb2')
    run, line = protobuf.Record(), protobuf.Record()
    run.run.run_id = 'abc'
    item = run.run.config.update.add()
    item.key, item.value_json = key, text
    item = line.history.item.add()
    item.nested_key.append('loss')
    item.value_json = '0.5'
    wandb_file(folder / 'run-abc.wandb', [run, line])


def deep_json(folder):
    wandb_record(folder, 'deep', '{"a":' * 900 + '1' + '}' * 900)


def wide_json(folder):
    wandb_record(folder, 'wide', '[' + '[],' * (5 * MB) + '1]')


IMPORTS = {
    'YAML aliases': yaml_with(
        'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n'
        + ''.join(f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 10)}]\n' for n in range(1, 9))
    ),
    'YAML in YAML': yaml_with('a: ' + '[' * 15_000),
    'wide YAML': yaml_with('a: [' + '[],' * MB + ']'),
    'YAML that merges': yaml_with('a: &a {b: 1}\nc: {<<: *a}\n'),
    'endless view': database_with(f'create view runs as {ENDLESS} select i as run_uuid, 1 as '
        "start_time, 'active' as lifecycle_stage from n"),
    'endless metrics': database_with(RUNS, A_RUN, EXPERIMENTS, PARAMS,
        f'create view metrics as {ENDLESS} select 1 as key, 1 as value, i as step, 0 as is_nan, '
        "i as timestamp, 'r' as run_uuid from n"),
    'long value': database_with(RUNS, A_RUN, EXPERIMENTS, PARAMS,
        METRICS.replace('key', LONG), "insert into metrics values ('r', 1, 1, 0, 1)"),
    'FIFO among events': fifo,
    'event of 2^60 bytes': long_record,
    'columns times lines': wide_csv,
    'millions of lines': long_csv,
    'word of 8 MB': long_word,
    'millions of steps': long_metric,
    'deep JSON': deep_json,
    'wide JSON': wide_json,
}  # fmt: skip


@pytest.mark.parametrize('kind', IMPORTS)
def test_a_bomb_in_an_import_costs_itself_alone(root, tmp_path, defused, kind):
    source = tmp_path / 'source'
    source.mkdir()
    good_csv(source)
    IMPORTS[kind](source)
    where = [str(source / 'mlflow.db')] if (source / 'mlflow.db').exists() else []
    code, text = defused(importer, str(source / 'good.csv'), str(source), *where)
    assert code == 0, text[-2000:]
    assert 'good/0' in text
    assert len(text) < 3000 and len(text.splitlines()) < 12


def test_a_metric_whose_key_is_a_number_is_a_metric(root, tmp_path, defused):
    statements = (RUNS, A_RUN, EXPERIMENTS, PARAMS, METRICS)
    rows = (
        "insert into metrics values ('r', 5, 1, 0, 0, 1)",
        "insert into params values ('r', 5, 5)",
    )
    database_with(*statements, *rows)(tmp_path)
    code, text = defused(importer, str(tmp_path / 'mlflow.db'))
    assert code == 0 and '5 1 at step 0' in text


# ---- fetch ----


def test_a_remote_that_unpacks_to_much_takes_little(root, tmp_path, defused):
    pair = Pair(tmp_path)
    subprocess.run(['git', 'init', '-q', '--bare', pair.hub], check=True)
    small_repository.git(root, 'remote', 'add', 'origin', str(pair.hub))
    content = {'run': 'x', 'status': 'finished', 'metric': {'val/acc': 0.5}}
    for number in range(8):
        code = pair.plant(f'refs/tagrun/code/x/{number}', {'code/main.py': b'%d' % number})
        info = {'tag': 'x', 'id': number, 'seed': 1}
        files = {
            'statistic.json': json.dumps(content).encode(),
            'run.json': json.dumps(info).encode(),
            **dict.fromkeys(('history.csv', 'log', 'confusion.json'), b'0' * (15 * MB)),
        }
        pair.plant(f'refs/tagrun/result/x/{number}', files, code)
    code, text = defused(fetch)
    assert code == 0, text
    assert len(layout.numbers(root, 'x')) == 8
    sizes = [path.stat().st_size for path in layout.result(root).rglob('*') if path.is_file()]
    assert sum(sizes) < 8 * 33 * MB


# ---- reading ----


def heavy(**more):
    """Write bombs as the statistic.json of runs, beside a good run."""

    def write(root):
        run_factory.run(root, 'good/0')
        for number in range(10):
            run_factory.run(root, f'bomb/{number}', **more)

    return write


def plant(content, count=1):
    def write(root):
        run_factory.run(root, 'good/0')
        for number in range(count):
            folder = run_factory.run(root, f'bomb/{number}')
            (folder / 'statistic.json').write_bytes(content)

    return write


TEN = 'ten of 4 MB'
READ = {
    'one of 40 MB': plant(b'{"metric": [' + b'[],' * (13 * MB) + b'1]}'),
    TEN: plant(b'{"metric": {"a": [' + b'[],' * (MB + MB // 4) + b'1]}}', count=10),
    'a word of 3 MB': heavy(hparam={'word': 'x' * (3 * MB)}, monitor='m' * 9999),
    'a name of 1 MB': heavy(metric={'n' * MB: 0.5}, monitor='n' * MB),
    'half a surrogate pair': plant(
        b'{"status": "finished", "monitor": "\\ud800", "metric": {"\\ud800": 1, "val/acc": 1}, '
        b'"hparam": {"\\udfff": "\\ud800"}, "message": "\\ud800", "seed": "\\ud800"}'
    ),
}


@pytest.mark.parametrize('kind', READ)
def test_a_bomb_among_the_runs_costs_itself_alone(root, defused, kind):
    READ[kind](root)
    commands = [(expls, ['-r']), (table, []), (why, ['good/0', 'bomb/0']), (expls, [])]
    for module, words in commands[:1] if kind == TEN else commands:
        code, text = defused(module, *words)
        assert code == 0, text[-2000:]
        assert 'good' in text and len(text) < 200_000
        assert not any('\ud800' <= letter <= '\udfff' for letter in text)
