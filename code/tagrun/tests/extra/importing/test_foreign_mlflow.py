"""MLflow's folders and its database."""

import json
import os
import sqlite3

import pytest
from foreign_runs import mlruns, read_history

from tagrun.extra.importing import foreign_mlflow
from tagrun.store import layout

pytest.importorskip('yaml', reason='pip install -r code/requirements-import.txt')


DATABASE = '''
create table experiments (experiment_id integer, name text, lifecycle_stage text);
create table runs (
    run_uuid text, name text, status text, start_time integer, end_time integer,
    lifecycle_stage text, experiment_id integer
);
create table params (key text, value text, run_uuid text);
create table metrics (
    key text, value real, timestamp integer, run_uuid text, step integer, is_nan integer
);
insert into experiments values (1, 'in a base', 'active');
insert into runs values
    ('u1', 'one', 'FINISHED', 1795264623343, 1795264624343, 'active', 1),
    ('u2', 'gone', 'FINISHED', 1, 2, 'deleted', 1);
insert into params values ('lr', '0.5', 'u1');
insert into metrics values
    ('val_loss', 3.0, 1, 'u1', 1, 0), ('val_loss', 0.0, 2, 'u1', 2, 1);
'''


def test_mlflows_folders_become_runs_of_the_experiments_name(project, bring, tmp_path):
    mlruns(
        tmp_path,
        metrics={'train_loss': [(1, 2.0), (2, 1.0)], 'val_acc': [(1, 0.5), (2, 0.7), (3, 'nan')]},
        params={'lr': '0.1', 'a/b': 'x=1', 'none': 'None'},
    )
    mlruns(tmp_path, run='b' * 32, status=4, metrics={'loss': [(0, 1.0)]}, start_time=1795264620749)
    mlruns(tmp_path, run='c' * 32, metrics={'loss': [(0, 1.0)]}, lifecycle_stage='deleted')
    done = bring(tmp_path)
    content = project.statistic('old-times/0')
    assert (
        content['hparam'] == {'lr': 0.1, 'a/b': 'x=1', 'none': None}
        and content['status'] == 'finished'
    )
    assert content['metric'] == {'train/loss': 1.0, 'val/acc': 0.7} and content['last'] == {
        'train/loss': 1.0,
        'val/acc': 'nan',
    }
    assert (
        content['monitor'],
        content['monitor_mode'],
        content['best_step'],
        content['time']['seconds'],
    ) == ('val/acc', 'max', 2, 10.0)
    assert [row['val/acc'] for row in read_history(project, 'old-times/0')] == ['0.5', '0.7', 'nan']
    assert (
        project.statistic('old-times/1')['status'] == 'failed'
        and 'deleted in MLflow' in done.stderr
    )
    info = json.loads((project.folder('old-times/0') / 'run.json').read_text())
    assert (
        info['imported'] == {'kind': 'MLflow', 'id': 'a' * 32, 'name': 'lr 0.1', 'x': 'step'}
        and info['commit'] is None
    )
    assert '2 runs imported before' in bring(tmp_path).stderr and layout.numbers(
        project.root, 'old-times'
    ) == [0, 1]


def test_mlflows_database_too(project, bring, tmp_path):
    path = tmp_path / 'ml flow#.db'
    with sqlite3.connect(path) as database:
        database.executescript(DATABASE)
    bring(path)
    content = project.statistic('in-a-base/0')
    assert (
        content['metric'] == {'val/loss': 3.0}
        and content['last'] == {'val/loss': 'nan'}
        and content['monitor_mode'] == 'min'
    )
    assert layout.numbers(project.root, 'in-a-base') == [0]


def test_hostile_names_are_data_and_links_are_not_followed(project, bring, tmp_path):
    secret = tmp_path / 'id_rsa'
    secret.write_text('CANARY')
    place = tmp_path / 'mlruns'
    folder = mlruns(
        place,
        experiment='../../../evil\x85',
        metrics={'=1+1\x1b[31m': [(1, 1.0)]},
        params={'-rf': '$(touch pwned)', 'n': '9' * 5000},
        run_name='\x1b]0;title\x07',
        run_id='../../../../x',
    )
    os.symlink(secret, folder / 'params' / 'key')
    os.symlink(tmp_path, folder / 'params' / 'all')
    os.symlink(folder, place / '532441895882779304' / 'again')
    os.mkfifo(folder / 'metrics' / 'fifo')
    done = bring(place)
    assert '\x1b' not in done.stderr and 'evil' in done.stderr
    name = next(tag for tag in layout.tags(project.root) if tag.startswith('evil'))
    text = (project.folder(f'{name}/0') / 'statistic.json').read_text()
    assert (
        'CANARY' not in text
        and json.loads(text)['hparam'] == {'-rf': '$(touch pwned)', 'n': '9' * 5000}
        and layout.numbers(project.root, name) == [0]
    )


def test_a_folder_is_found_wherever_the_path_begins(tmp_path):
    folder = mlruns(tmp_path / 'mlruns', metrics={'loss': [(1, 2.0)]})
    (tmp_path / 'mlruns' / '.trash').mkdir()
    deleted = mlruns(tmp_path / 'deleted', metrics={'loss': [(1, 2.0)]})
    os.rename(deleted, tmp_path / 'mlruns' / '.trash' / 'gone')
    for path in (tmp_path / 'mlruns', folder.parent, folder):
        assert foreign_mlflow.find_runs(path) == {str(folder): foreign_mlflow.Location(folder)}


def test_a_run_that_says_running_was_killed_and_has_no_end(tmp_path):
    folder = mlruns(tmp_path, status=1, metrics={'loss': [(1, 2.0), (1, 1.0)]}, end_time=None)
    run = foreign_mlflow.read_run(foreign_mlflow.Location(folder))
    assert (run.status, run.started, run.seconds) == ('killed', 1795264619.749, None)
    assert run.points == {'loss': [(1, 1.0)]}  # of a step the last


def test_a_file_that_is_no_database_of_mlflow_holds_no_run(tmp_path):
    (tmp_path / 'text.db').write_text('hello')
    sqlite3.connect(tmp_path / 'other.db').execute('create table x (y)').connection.close()
    assert foreign_mlflow.find_runs(tmp_path / 'text.db') == {}
    assert foreign_mlflow.find_runs(tmp_path / 'other.db') == {}


def test_a_run_that_is_gone_from_the_database_is_said(tmp_path):
    sqlite3.connect(tmp_path / 'x.db').close()
    with pytest.raises(ValueError, match='its run cannot be read'):
        foreign_mlflow.read_run(foreign_mlflow.Location(tmp_path / 'x.db', 'u1'))
