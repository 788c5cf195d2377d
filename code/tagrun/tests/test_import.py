"""import: what other tools recorded becomes runs that stand in tables and plots, and that nobody can go on with."""
import csv
import importlib
import json
import math
import os
import sqlite3
import struct
import time
import zlib

import pytest
import stub

from tagrun.extra import foreign, foreign_csv, foreign_mlflow, foreign_tensorboard, foreign_wandb
from tagrun.store import layout

yaml = pytest.importorskip('yaml', reason='pip install -r code/requirements-import.txt')
importing = importlib.import_module('tagrun.extra.import')


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    return stub.make(tmp_path_factory.mktemp('import') / "a 'b; c")


@pytest.fixture
def bring(project):
    def run(*words, code=0):
        return project.tagrun('import', *words, code=code)
    return run


def history(project, name):
    with open(project.folder(name) / 'history.csv', newline='') as file:
        return list(csv.DictReader(file))


def mlruns(place, experiment='old times', run='a' * 32, status=3, metrics=(), params=(), **meta):
    """A run as MLflow 3.17's file store wrote it."""
    folder = place / '532441895882779304' / run
    for name, text in {**{f'params/{name}': text for name, text in dict(params).items()},
                       **{f'metrics/{name}': ''.join(f'1795264619756 {value} {step}\n' for step, value in pairs) for name, pairs in dict(metrics).items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder.parent / 'meta.yaml').write_text(yaml.safe_dump({'experiment_id': '532441895882779304', 'lifecycle_stage': 'active', 'name': experiment}))
    (folder / 'meta.yaml').write_text(yaml.safe_dump({'run_id': run, 'run_name': 'lr 0.1', 'lifecycle_stage': 'active', 'status': status,
                                                      'start_time': 1795264619749, 'end_time': 1795264629749, **meta}))
    return folder


def events(folder, scalars):
    """Event files as TensorBoard's own writer makes them."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    writer = EventFileWriter(str(folder))
    for tag, pairs in scalars.items():
        for step, value in pairs:
            writer.add_event(event_pb2.Event(wall_time=1795264619 + step, step=step, summary=summary_pb2.Summary(
                value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])))
    writer.close()


def wandb_file(path, records):
    """The frame of W&B's file around protobuf records, in blocks of 32 KiB."""
    content = bytearray(b':W&B' + struct.pack('<HB', 0xBEE1, 0))
    for record in records:
        data, first = record.SerializeToString(), True
        while first or data:
            room = 32768 - len(content) % 32768
            if room < 7:
                content += b'\0' * room
                continue
            part, data = data[:room - 7], data[room - 7:]
            kind = (1 if not data else 2) if first else (3 if data else 4)
            content += struct.pack('<IHB', zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            first = False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_mlflows_folders_become_runs_of_the_experiments_name(project, bring, tmp_path):
    mlruns(tmp_path, metrics={'train_loss': [(1, 2.0), (2, 1.0)], 'val_acc': [(1, 0.5), (2, 0.7), (3, 'nan')]}, params={'lr': '0.1', 'a/b': 'x=1', 'none': 'None'})
    mlruns(tmp_path, run='b' * 32, status=4, metrics={'loss': [(0, 1.0)]}, start_time=1795264620749)
    mlruns(tmp_path, run='c' * 32, metrics={'loss': [(0, 1.0)]}, lifecycle_stage='deleted')
    done = bring(tmp_path)
    content = project.statistic('old-times/0')
    assert content['hparam'] == {'lr': 0.1, 'a/b': 'x=1', 'none': None} and content['status'] == 'finished'
    assert content['metric'] == {'train/loss': 1.0, 'val/acc': 0.7} and content['last'] == {'train/loss': 1.0, 'val/acc': 'nan'}
    assert (content['watch'], content['mode'], content['best_step'], content['time']['seconds']) == ('val/acc', 'max', 2, 10.0)
    assert [row['val/acc'] for row in history(project, 'old-times/0')] == ['0.5', '0.7', 'nan']
    assert project.statistic('old-times/1')['status'] == 'failed' and 'deleted in MLflow' in done.stderr
    info = json.loads((project.folder('old-times/0') / 'run.json').read_text())
    assert info['imported'] == {'kind': 'MLflow', 'id': 'a' * 32, 'name': 'lr 0.1', 'x': 'step'} and info['commit'] is None
    assert '2 runs imported before' in bring(tmp_path).stderr and layout.numbers(project.root, 'old-times') == [0, 1]


def test_mlflows_database_too(project, bring, tmp_path):
    path = tmp_path / 'ml flow#.db'
    with sqlite3.connect(path) as database:
        database.executescript('''
            create table experiments (experiment_id integer, name text, lifecycle_stage text);
            create table runs (run_uuid text, name text, status text, start_time integer, end_time integer, lifecycle_stage text, experiment_id integer);
            create table params (key text, value text, run_uuid text);
            create table metrics (key text, value real, timestamp integer, run_uuid text, step integer, is_nan integer);
            insert into experiments values (1, 'in a base', 'active');
            insert into runs values ('u1', 'one', 'FINISHED', 1795264623343, 1795264624343, 'active', 1), ('u2', 'gone', 'FINISHED', 1, 2, 'deleted', 1);
            insert into params values ('lr', '0.5', 'u1');
            insert into metrics values ('val_loss', 3.0, 1, 'u1', 1, 0), ('val_loss', 0.0, 2, 'u1', 2, 1);''')
    bring(path)
    content = project.statistic('in-a-base/0')
    assert content['metric'] == {'val/loss': 3.0} and content['last'] == {'val/loss': 'nan'} and content['mode'] == 'min'
    assert layout.numbers(project.root, 'in-a-base') == [0]


def test_tensorboards_folders_are_runs_and_keras_phases_are_one(project, bring, tmp_path):
    place = tmp_path / 'boards'
    events(place / 'a', {'train/loss': [(0, 2.0), (100, 1.0), (100, 0.5)], 'val/acc': [(100, 0.25)]})
    events(place / 'keras' / 'train', {'epoch_loss': [(0, 2.0), (1, 1.0)]})
    events(place / 'keras' / 'validation', {'epoch_loss': [(0, 3.0), (1, 2.0)]})
    bring(place)
    assert project.statistic('boards/0')['metric'] == {'train/loss': 0.5, 'val/acc': 0.25} and project.statistic('boards/0')['best_step'] == 100
    keras = project.statistic('boards/1')
    assert keras['metric'] == {'train/loss': 1.0, 'val/loss': 2.0} and keras['imported']['x'] == 'epoch' and keras['imported']['name'] == 'keras'


def test_wandbs_offline_run(project, bring, tmp_path):
    pb = pytest.importorskip('wandb.proto.wandb_internal_pb2', reason='pip install -r code/requirements-import.txt')

    def record(**items):
        found = pb.Record()
        for name, value in items.items():
            item = found.history.item.add()
            item.nested_key.extend(name.split('__'))
            item.value_json = json.dumps(value)
        return found
    run, end = pb.Record(), pb.Record()
    run.run.run_id, run.run.project, run.run.display_name = 'abc', 'my project', 'first try'
    run.run.start_time.seconds = 1795264623
    for key, value in (('lr', 0.1), ('net', {'depth': 2}), ('_wandb', {'v': 1}), ('long', 'x' * 70_000)):
        item = run.run.config.update.add()
        item.key, item.value_json = key, json.dumps(value)
    end.exit.exit_code = 1
    path = tmp_path / 'offline-run-1' / 'run-abc.wandb'
    wandb_file(path, [run, record(epoch=1, val__acc=0.5, bad=math.nan, image='x'), record(epoch=2, val__acc=0.75, bad=1.0), end])
    os.symlink(path.parent, tmp_path / 'latest-run')
    bring(tmp_path)
    content = project.statistic('my-project/0')
    assert content['status'] == 'failed' and content['hparam']['net.depth'] == 2 and '_wandb.v' not in content['hparam']
    assert content['metric'] == {'val/acc': 0.75, 'bad': 1.0} and content['best_epoch'] == 2
    assert [row['bad'] for row in history(project, 'my-project/0')] == ['nan', '1.0'] and layout.numbers(project.root, 'my-project') == [0]
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) - 60])       # killed while it wrote
    assert foreign_wandb.read(str(path)).status == 'killed'
    path.write_bytes(whole.replace(b'abc', b'\xff\xff\xff'))
    with pytest.raises(ValueError):
        foreign_wandb.read(str(path))


@pytest.mark.parametrize('text, x, metric', [
    ('epoch,train_loss,val_acc\n1,2.0,0.5\n2,1.0,0.25\n', 'epoch', {'train/loss': 2.0, 'val/acc': 0.5}),
    ('epoch;val_loss;opt\n1;2,5;adam\n2;1,5;adam\n', 'epoch', {'val/loss': 1.5}),
    ('\ufeffval/acc\tnote\n0.5\thello\n0.75\tyou\n', 'epoch', {'val/acc': 0.75}),
    ('epoch,step,train_loss,val_loss\n0,9,2.0,\n0,9,,1.5\n1,19,1.0,\n1,19,,1.2\n', 'epoch', {'train/loss': 1.0, 'val/loss': 1.2}),    # Lightning's
    ('epoch,global_step,loss\n0,1,2.0\n0,2,1.5\n1,3,1.2\n', 'step', {'loss': 1.2}),
    ('epoch,loss\n0.1,2.0\n0.2,1.5\n', 'epoch', {'loss': 1.5}),
])
def test_csv_is_by_epoch_or_by_step_as_it_says(tmp_path, text, x, metric):
    path = tmp_path / 'log.csv'
    path.write_text(text)
    old = foreign_csv.read(str(path))
    options = importing._options([str(path)])
    content, rows = importing._run(old, options)
    assert old.x == x and content['metric'] == metric and old.hparam == ({'opt': 'adam'} if 'adam' in text else {})
    assert [row['epoch'] for row in rows] == sorted({row['epoch'] for row in rows}) and all(type(row['epoch']) is int for row in rows)


def test_names_can_be_kept_or_given_and_never_collide(tmp_path):
    points = {'train_loss': [(1, 1.0)], 'train/loss': [(1, 2.0)], 'validation.accuracy': [(1, 0.5)]}
    options = importing._options(['x', '--rename', 'val/accuracy=val/acc'])
    assert list(importing._renamed(points, options)) == ['train_loss', 'train/loss', 'val/acc']
    assert list(importing._renamed(points, importing._options(['x', '--keep-names']))) == list(points)


def test_they_stand_in_tables_and_plots_and_are_said_to_be_imported(project, bring, tmp_path):
    (tmp_path / 'base.csv').write_text('epoch,val_acc\n1,0.5\n2,0.75\n')
    bring(tmp_path / 'base.csv', '--to', 'paper')
    assert '0.75' in project.tagrun('table', 'paper', '--format', 'csv').stdout
    assert 'imported from CSV' in project.tagrun('expls', 'base').stdout and 'imported from CSV' in project.tagrun('expls').stdout
    project.tagrun('plot', 'base')
    assert (project.root / '__statistic__' / 'plot' / 'base.png').exists()
    assert [path.stat().st_mode & 0o222 for path in project.folder('base/0').iterdir()] == [0, 0, 0]
    for words in (['continue', 'base'], ['rerun', 'base'], ['rerun', 'base/0', '-f'], ['continue', 'base/0', '--from', 'best']):
        assert 'was imported: what code made it nobody recorded' in project.tagrun(*words, code=1).stderr
    assert 'base' not in project.tagrun('doctor').stderr


def test_a_tag_of_recorded_runs_takes_none(project, bring, tmp_path):
    project.tagrun('run', 'mine')
    (tmp_path / 'mine.csv').write_text('val_acc\n1\n')
    assert '--tag names another' in bring(tmp_path / 'mine.csv', code=1).stderr
    assert layout.numbers(project.root, 'mine') == [0]


def test_dry_run_says_it_and_does_nothing(project, bring, tmp_path):
    (tmp_path / 'dry.csv').write_text('epoch,val_acc\n1,0.5\n')
    assert 'dry/0  CSV' in bring(tmp_path, '-n').stderr and not layout.numbers(project.root, 'dry')


@pytest.mark.parametrize('words, code, told', [
    (['nothing'], 1, 'no such file'), (['{}'], 1, 'neither a folder or database of MLflow'), (['{}', '--tag', '../x'], 2, 'cannot be a tag'),
    (['{}', '--rename', 'x'], 2, 'OLD=NEW'), ([], 2, 'source')])
def test_what_cannot_be_is_refused_in_a_line(bring, tmp_path, words, code, told):
    assert told in bring(*(word.format(tmp_path) for word in words), code=code).stderr


@pytest.mark.parametrize('text, tag', [
    ('../../etc/passwd', 'etc-passwd'), ('--upload-pack=x', 'upload-pack=x'), ('a b\n\x1b[31m', 'a-b-31m'), ('', 'imported'), ('🙂', 'imported'), ('HEAD', 'imported-HEAD'),
    ('scratch', 'imported-scratch'), ('名前', '名前'), ('x' * 500, 'x' * 60), ('con', 'imported-con'), ('a.lock', 'imported-a.lock'), ('a..b', 'a.b')])
def test_a_tag_is_made_of_any_text(text, tag):
    from tagrun.store import names
    found = importing.tag_of(text)
    assert not names.check_tag(found) and (found == tag or tag == 'imported-a.lock')


def test_hostile_names_are_data_and_links_are_not_followed(project, bring, tmp_path):
    secret = tmp_path / 'id_rsa'
    secret.write_text('CANARY')
    place = tmp_path / 'mlruns'
    folder = mlruns(place, experiment='../../../evil\x85', metrics={'=1+1\x1b[31m': [(1, 1.0)]}, params={'-rf': '$(touch pwned)', 'n': '9' * 5000},
                    run_name='\x1b]0;title\x07', run_id='../../../../x')
    os.symlink(secret, folder / 'params' / 'key')
    os.symlink(tmp_path, folder / 'params' / 'all')
    os.symlink(folder, place / '532441895882779304' / 'again')
    os.mkfifo(folder / 'metrics' / 'fifo')
    done = bring(place)
    assert '\x1b' not in done.stderr and 'evil' in done.stderr
    name = next(tag for tag in layout.tags(project.root) if tag.startswith('evil'))
    text = (project.folder(f'{name}/0') / 'statistic.json').read_text()
    assert 'CANARY' not in text and json.loads(text)['hparam'] == {'-rf': '$(touch pwned)', 'n': '9' * 5000} and layout.numbers(project.root, name) == [0]


@pytest.mark.parametrize('files, told', [
    ({'e/r/meta.yaml': '{[', 'e/r/metrics/loss': '1 2 3\n'}, 'is no YAML'), ({'e/r/meta.yaml': '- a', 'e/r/metrics/loss': '1 2 3\n'}, 'not what MLflow writes'),
    ({'e/r/meta.yaml': '!!python/object/apply:os.system ["touch pwned"]', 'e/r/metrics/loss': '1 2 3\n'}, 'is no YAML'),
    ({'e/r/meta.yaml': 'a: 1', 'e/r/metrics/loss': 'x\n\n1 y z\n'}, 'no metric'), ({'x.csv': ''}, 'no column of numbers'), ({'x.csv': 'a\n"\n'}, 'no column of numbers'),
    ({'x.wandb': 'hello'}, 'not a file of W&B'), ({'events.out.tfevents.1': 'hello' * 50}, 'no metric'), ({'x.db': 'SQLite format 3\0' + 'x' * 200}, 'neither')])
def test_what_is_damaged_is_named_and_left_out(bring, tmp_path, files, told):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = bring(tmp_path / 'x.db' if 'x.db' in files else tmp_path, code=1)
    assert told in done.stderr and not (tmp_path / 'pwned').exists()


def test_a_long_metric_is_thinned_and_a_rare_one_is_not():
    points = {'loss': [(step, 1.0 / (step + 1)) for step in range(1_000_000)], 'val/acc': [(step, step / 1e6) for step in range(0, 1_000_000, 99_991)]}
    started = time.monotonic()
    rows = importing._rows(points)
    assert len(rows) < 10_100 and sum('val/acc' in row for row in rows) == len(points['val/acc']) and rows[-1]['loss'] == 1e-6
    assert time.monotonic() - started < 20


def test_values_that_a_text_writes():
    assert [foreign.value(text) for text in ('0.1', '1e-3', 'True', 'None', '[1]', 'x', '', '-', '1' * 39, '(' * 30)] == [
        0.1, 0.001, True, None, '[1]', 'x', '', '-', int('1' * 39), '(' * 30]


@pytest.mark.slow
def test_what_the_real_ones_write_today(project, bring, tmp_path):
    """MLflow and W&B themselves make the files, where they are installed."""
    pytest.importorskip('mlflow')
    pytest.importorskip('wandb')
    import subprocess
    import sys
    script = tmp_path / 'make.py'
    script.write_text('''
import os, mlflow, wandb
mlflow.set_tracking_uri("file://" + os.path.abspath("mlruns"))
mlflow.set_experiment("truly mlflow")
with mlflow.start_run(run_name="one"):
    mlflow.log_params({"lr": 0.1})
    [mlflow.log_metric("val_acc", value, step=step) for step, value in enumerate((0.5, 0.75, 0.625))]
run = wandb.init(mode="offline", project="truly wandb", name="two", config={"lr": 0.2})
[run.log({"epoch": epoch, "val/acc": epoch / 4}) for epoch in (1, 2)]
run.finish()
''')
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True, timeout=170, env={**project.env, 'MLFLOW_ALLOW_FILE_STORE': 'true'})
    bring(tmp_path)
    assert project.statistic('truly-mlflow/0')['metric'] == {'val/acc': 0.75} and project.statistic('truly-mlflow/0')['hparam'] == {'lr': 0.1}
    assert project.statistic('truly-wandb/0')['metric'] == {'val/acc': 0.5} and project.statistic('truly-wandb/0')['status'] == 'finished'


def test_every_kind_says_what_lies_there(tmp_path):
    for kind in (foreign_csv, foreign_mlflow, foreign_tensorboard, foreign_wandb):
        assert kind.places(str(tmp_path)) == {}
