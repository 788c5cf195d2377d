"""import: what other tools recorded becomes runs that stand in tables and plots, and that nobody
can go on with.
"""

import pytest
from foreign_runs import mlruns

from tagrun.store import layout

pytest.importorskip('yaml', reason='pip install -r code/requirements-import.txt')


def test_they_stand_in_tables_and_plots_and_are_said_to_be_imported(project, bring, tmp_path):
    (tmp_path / 'base.csv').write_text('epoch,val_acc\n1,0.5\n2,0.75\n')
    bring(tmp_path / 'base.csv', '--to', 'paper')
    assert '0.75' in project.tagrun('table', 'paper', '--format', 'csv').stdout
    assert (
        'imported from CSV' in project.tagrun('expls', 'base').stdout
        and 'imported from CSV' in project.tagrun('expls').stdout
    )
    project.tagrun('plot', 'base')
    assert (project.root / '__statistic__' / 'plot' / 'base.png').exists()
    assert [path.stat().st_mode & 0o222 for path in project.folder('base/0').iterdir()] == [0, 0, 0]
    for words in (
        ['continue', 'base'],
        ['rerun', 'base'],
        ['rerun', 'base/0', '-f'],
        ['continue', 'base/0', '--from', 'best'],
    ):
        assert 'was imported without the code that made it' in project.tagrun(*words, code=1).stderr
    assert 'base' not in project.tagrun('doctor').stderr


def test_a_tag_of_recorded_runs_takes_none(project, bring, tmp_path):
    project.tagrun('run', 'mine')
    (tmp_path / 'mine.csv').write_text('val_acc\n1\n')
    assert '--tag names another' in bring(tmp_path / 'mine.csv', code=1).stderr
    assert layout.numbers(project.root, 'mine') == [0]


def test_dry_run_says_it_and_does_nothing(project, bring, tmp_path):
    (tmp_path / 'dry.csv').write_text('epoch,val_acc\n1,0.5\n')
    assert 'dry/0  CSV' in bring(tmp_path, '-n').stderr and not layout.numbers(project.root, 'dry')


@pytest.mark.parametrize(
    'words, code, told',
    [
        (['nothing'], 1, 'no such file'),
        (['{}'], 1, 'neither a folder or database of MLflow'),
        (['{}', '--tag', '../x'], 2, 'cannot be a tag'),
        (['{}', '--rename', 'x'], 2, 'OLD=NEW'),
        ([], 2, 'source'),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(bring, tmp_path, words, code, told):
    assert told in bring(*(word.format(tmp_path) for word in words), code=code).stderr


@pytest.mark.parametrize(
    'files, told',
    [
        ({'e/r/meta.yaml': '{[', 'e/r/metrics/loss': '1 2 3\n'}, 'is not YAML'),
        ({'e/r/meta.yaml': '- a', 'e/r/metrics/loss': '1 2 3\n'}, 'not what MLflow writes'),
        (
            {
                'e/r/meta.yaml': '!!python/object/apply:os.system ["touch pwned"]',
                'e/r/metrics/loss': '1 2 3\n',
            },
            'is not YAML',
        ),
        ({'e/r/meta.yaml': 'a: 1', 'e/r/metrics/loss': 'x\n\n1 y z\n'}, 'no metric'),
        ({'x.csv': ''}, 'no column of numbers'),
        ({'x.csv': 'a\n"\n'}, 'no column of numbers'),
        ({'x.wandb': 'hello'}, 'not a file of W&B'),
        ({'events.out.tfevents.1': 'hello' * 50}, 'no metric'),
        ({'x.db': 'SQLite format 3\0' + 'x' * 200}, 'neither'),
    ],
)
def test_what_is_damaged_is_named_and_left_out(bring, tmp_path, files, told):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = bring(tmp_path / 'x.db' if 'x.db' in files else tmp_path, code=1)
    assert told in done.stderr and not (tmp_path / 'pwned').exists()


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
    for step, value in enumerate((0.5, 0.75, 0.625)):
        mlflow.log_metric("val_acc", value, step=step)
run = wandb.init(mode="offline", project="truly wandb", name="two", config={"lr": 0.2})
for epoch in (1, 2):
    run.log({"epoch": epoch, "val/acc": epoch / 4})
run.finish()
''')
    subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=170,
        env={**project.env, 'MLFLOW_ALLOW_FILE_STORE': 'true'},
    )
    bring(tmp_path)
    assert project.statistic('truly-mlflow/0')['metric'] == {'val/acc': 0.75} and project.statistic(
        'truly-mlflow/0'
    )['hparam'] == {'lr': 0.1}
    assert (
        project.statistic('truly-wandb/0')['metric'] == {'val/acc': 0.5}
        and project.statistic('truly-wandb/0')['status'] == 'finished'
    )


def test_a_run_that_failed_is_in_no_list_of_finished_ones(project, bring, tmp_path):
    mlruns(tmp_path, experiment='two', metrics={'loss': [(1, 1.0)]})
    mlruns(tmp_path, experiment='two', run='b' * 32, status=4, metrics={'loss': [(1, 2.0)]})
    assert '1 run added to the set \'finished\'' in bring(tmp_path).stderr
    lines = layout.list_file(project.root, 'finished').read_text().splitlines()
    assert 'two/0' in lines and 'two/1' not in lines
