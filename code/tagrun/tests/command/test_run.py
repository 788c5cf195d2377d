"""`run`: what is recorded, and that nothing of the user's is touched, in every state a repository
can be in.
"""

import json
import os
import signal
import subprocess
import sys

import pytest
import stub_project
from project_factory import make_project, wait_for
from worktree import desk, dirty

PREDICTION = '            prediction = logits'
ONE = ('--set', 'steps=1')  # a value of the stub's; its runs end at once anyway


def test_what_is_uncommitted_is_recorded_and_named_and_the_desk_stays(stubbed):
    dirty(stubbed)
    before = desk(stubbed)
    told = stubbed.tagrun('run', 't1', '-m', 'why: it matters', *ONE).stderr
    assert desk(stubbed) == before
    recorded = set(stubbed.git('diff', '--name-only', '-z', 'HEAD', 't1').split('\0')) - {''}
    assert recorded == {
        'code/model.py',
        'notes/it\'s "new" ü.txt',
        'staged.txt',
        'code/requirements-test.txt',
        'code/seed',
        'code/config.py',
    }
    assert stubbed.git('show', 't1:staged.txt') == 'staged, then changed\n'
    message = stubbed.git('tag', '-l', '--format=%(contents)', 't1')
    for text in (
        'why: it matters',
        'steps = 1 (was 3)',
        'uncommitted: modified code/model.py',
        'uncommitted: deleted code/requirements-test.txt',
    ):
        assert text in message
    assert 'uncommitted, recorded too: new staged.txt' in told


def test_the_seed_is_drawn_recorded_and_used(stubbed):
    stubbed.tagrun('run', 't1', *ONE)
    stubbed.tagrun('run', 't2', *ONE)
    seeds = [int(stubbed.git('show', f'{tag}:code/seed')) for tag in ('t1', 't2')]
    assert seeds[0] != seeds[1]
    assert [stubbed.statistic(f'{tag}/0')['seed'] for tag in ('t1', 't2')] == seeds
    assert f'seed {seeds[0]}' in stubbed.git('tag', '-l', '--format=%(contents)', 't1')


def test_with_a_fixed_seed_and_nothing_to_change_the_tag_is_at_head(stubbed):
    stubbed.tagrun('run', '-f', 't1')
    assert stubbed.git('rev-parse', 't1^{commit}') == stubbed.git('rev-parse', 'HEAD')
    assert stubbed.git('cat-file', '-t', 't1').strip() == 'tag'
    assert stubbed.statistic('t1/0')['seed'] == int((stubbed.root / 'code' / 'seed').read_text())


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data):
    made = make_project(tmp_path_factory.mktemp('trained') / "a 'b; c", data, matrices=True)
    made.tagrun('run', 't1', '-m', 'why')
    return made


def test_a_run_leaves_the_files_it_promises(trained):
    folder = trained.folder('t1/0')
    assert {path.name for path in folder.iterdir()} == {
        'run.json',
        'code',
        'log',
        'tensorboard',
        'checkpoint',
        'history.csv',
        'trace.csv',
        'statistic.json',
        'environment.json',
        'confusion.json',
        'lock',
    }
    assert {path.name for path in (folder / 'checkpoint').iterdir()} >= {
        'epoch_3.pth',
        'epoch_last.pth',
        'epoch_best.pth',
        'SHA256SUMS',
    }
    subprocess.run(
        ['sha256sum', '--quiet', '-c', 'SHA256SUMS'], cwd=folder / 'checkpoint', check=True
    )
    assert (
        not list(folder.rglob('__pycache__'))
        and not (folder / 'code' / 'tagrun' / 'tests').exists()
    )
    assert (
        not os.access(folder / 'code' / 'main.py', os.X_OK)
        and folder.joinpath('code', 'main.py').stat().st_mode & 0o222 == 0
    )
    statistic = trained.statistic('t1/0')
    assert (
        statistic['status'] == 'finished'
        and statistic['commit'] == trained.git('rev-parse', 't1^{commit}').strip()
    )
    assert statistic['hparam']['model'] == 'mlp' and isinstance(
        statistic['metric']['val/acc'], float
    )
    log = (folder / 'log').read_text()
    assert log.count('epoch ') == 3 and '\r' not in log and '\x1b' not in log
    assert log.startswith('--- t1/0   ') and f'commit {statistic["commit"]}' in log
    assert "    model='mlp' epochs=3" in log and max(map(len, log.split('\n'))) <= 80
    assert '1,098 trainable parameters; samples: train 3,600, val 400' in log
    assert statistic['parameters'] == {'model': {'all': 1098, 'trainable': 1098}}
    assert statistic['batch']['train'] == {'0': '(200, 40) float32', '1': '(200,) int64'}


def test_the_result_commit_holds_the_readable_files(trained):
    result = 'refs/tagrun/result/t1/0'
    assert (
        trained.git('rev-parse', f'{result}^').strip()
        == trained.git('rev-parse', 'refs/tagrun/code/t1/0').strip()
    )
    names = trained.git('ls-tree', '--name-only', result).split()
    assert names == [
        'confusion.json',
        'environment.json',
        'history.csv',
        'log',
        'run.json',
        'statistic.json',
        'trace_epochs.csv',
    ]
    assert json.loads(trained.git('show', f'{result}:statistic.json')) == trained.statistic('t1/0')


@pytest.mark.slow
def test_where_git_is_busy_the_run_ends_well_and_says_where_its_files_are(stubbed):
    busy = stubbed.root / '.git' / 'refs' / 'tagrun' / 'result' / 't1' / '0.lock'
    busy.parent.mkdir(parents=True)
    busy.touch()
    assert 'git did not take the result' in stubbed.tagrun('run', 't1', *ONE).stderr
    assert (
        stubbed.statistic('t1/0')['status'] == 'finished'
        and stubbed.git('for-each-ref', 'refs/tagrun/result') == ''
    )


def test_several_seeds_are_runs_of_one_tag_that_differ_in_the_seed_alone(stubbed):
    stubbed.tagrun('run', 't1', '--seeds', '3', *ONE)
    assert [stubbed.statistic(f't1/{number}')['status'] for number in range(3)] == ['finished'] * 3
    assert len({stubbed.statistic(f't1/{number}')['seed'] for number in range(3)}) == 3
    difference = stubbed.git('diff', '--stat', 't1', 'refs/tagrun/code/t1/2')
    assert 'code/seed' in difference and '1 file changed' in difference
    one, other = (stubbed.folder(f't1/{number}') / 'code' / 'main.py' for number in (0, 2))
    assert os.path.samefile(one, other), 'equal files are hard links, not copies'


@pytest.mark.parametrize(
    'words, hint',
    [
        (['t9', 'epochs=2'], 'follows --set: run t9 --set epochs=2'),
        (['t9', 'epochs=2', 'lr=0.1'], 'run t9 --set epochs=2 lr=0.1'),
        (['t9', '--seed', '5'], '`echo 5 > code/seed`, then `run -f` keeps it'),
        (['t9', '--seed=5'], '`run -f` keeps it'),
        (['t9', 't8'], "'t8' is one word too many"),
        (['t9', '--sed', '5'], '--sed is not an option; did you mean --seeds?'),
    ],
)
def test_words_that_are_left_over_are_answered_with_what_to_type(words, hint, stubbed):
    assert hint in stubbed.tagrun('run', *words, code=2).stderr


def test_numbers_that_cannot_be_are_refused_before_a_tag_is_spent(stubbed):
    config = stubbed.root / 'code' / 'config.py'
    config.write_text(config.read_text() + 'batch_size = 100\n')
    said = stubbed.tagrun('run', 't9', '--set', 'batch_size=0', code=1).stderr
    assert 'code/config.py: batch_size is 0: it must be 1 or more' in said
    assert not stubbed.git('tag')


def test_help_needs_no_package(stubbed):
    bare = {'PATH': os.environ['PATH'], 'PYTHONPATH': ''}
    command = [sys.executable, '-S', 'code/tagrun', 'run', '-h']
    said = subprocess.run(command, cwd=stubbed.root, env=bare, capture_output=True, text=True)
    assert said.returncode == 0 and 'examples:' in said.stdout


def test_a_dry_run_does_nothing(stubbed):
    dirty(stubbed)
    before, refs, objects = desk(stubbed), stubbed.git('for-each-ref'), stubbed.git('count-objects')
    told = stubbed.tagrun('run', '-n', 't1', '--set', 'lr=0.5', 'model=cnn').stderr
    assert (
        'lr = 0.5 (was 0.1)' in told
        and "model = 'cnn' (was 'none')" in told
        and 'new staged.txt' in told
    )
    assert (desk(stubbed), stubbed.git('for-each-ref'), stubbed.git('count-objects')) == (
        before,
        refs,
        objects,
    )
    assert not stubbed.folder('t1').exists()


def test_a_run_in_the_background_ends_by_itself_and_keeps_its_words_in_the_log(project):
    told = project.tagrun('run', '-d', 't1').stderr
    assert 'tail -f' in told
    wait_for(
        lambda: (
            project.folder('t1/0').joinpath('statistic.json').exists()
            and project.statistic('t1/0')['status'] == 'finished'
        ),
        60,
    )
    wait_for(lambda: project.git('for-each-ref', 'refs/tagrun/result'), 20, 'the result commit')
    log = (project.folder('t1/0') / 'log').read_text()
    assert log.count('epoch 3/3') == 1, 'each line once'


def test_who_edits_switches_branches_and_commits_while_it_trains_is_not_noticed_and_not_disturbed(
    project,
):
    project.configure(epochs='30')
    project.commit()
    project.tagrun('run', '-f', 'alone')
    process = project.start('run', '-f', 'watched')
    wait_for(lambda: project.folder('watched/0/history.csv').exists(), what='the first epoch')
    project.git('checkout', '-qb', 'other')
    for path in (project.root / 'code').rglob('*.py'):
        path.write_text('raise RuntimeError("edited while a run trains")\n')
    project.commit('all broken')
    project.git('rm', '-rqf', 'code')
    project.commit('all gone')
    (project.root / 'mine.txt').write_text('mine\n')
    assert process.poll() is None, 'it was over before the edits'
    before = desk(project)
    assert process.wait(120) == 0, process.stderr.read()
    assert desk(project) == before
    assert project.outcome('watched/0') == project.outcome('alone/0')


def test_code_that_is_no_python_is_refused_before_a_tag_is_spent(project):
    project.edit('model.py', 'def linear(args):', 'def linear(args:')
    told = project.tagrun('run', 't1', code=1).stderr
    assert (
        'code/model.py, line' in told
        and project.git('tag') == ''
        and not project.folder('t1/0').exists()
    )


def test_a_failure_is_told_in_three_lines_and_recorded(project):
    project.edit(
        'epoch.py',
        '            prediction = logits',
        "            if state.step == 20:\n                raise ValueError('a bug of "
        "mine')\n            prediction = logits",
    )
    told = project.tagrun('run', 't1', code=1).stderr
    assert 't1/0 failed: ValueError: a bug of mine' in told and 'in code/epoch.py, line' in told
    statistic = project.statistic('t1/0')
    assert (
        statistic['status'] == 'failed'
        and 'a bug of mine' in statistic['message']
        and statistic['epoch'] == 1
    )
    assert 'Traceback' in (project.folder('t1/0') / 'log').read_text()
    assert (
        project.git('for-each-ref', 'refs/tagrun/result/t1/0')
        and not (project.root / '__statistic__' / 'exper-list' / 'finished.txt').exists()
    )


def test_a_run_that_fails_before_its_first_step_is_made_by_the_same_command_again(project):
    project.configure(phases="('train', 'validate')")
    told = project.tagrun('run', 't1', '-m', "it's new", code=1).stderr
    assert "phases has 'validate', but build_loaders gave only 'train', 'val', 'test'" in told
    assert "the name 't1' is free again" in told and "again    run t1 -m 'it'\"'\"'s new'" in told
    assert not project.git('for-each-ref', 'refs/tags', 'refs/tagrun')
    log = next((project.root / '__result__' / '.failed').glob('t1-0-*/log'))
    assert 'Traceback' in log.read_text() and str(log.relative_to(project.root)) in told
    project.configure(phases="('train', 'val')", monitor="'val/f1'", epochs='1')
    told = project.tagrun('run', 't1', '-m', "it's new").stderr
    assert (
        'epoch 1 cannot be the best: it has no val/f1, which is monitor in config.py, but '
        'train/loss, train/acc, val/loss, val/acc' in told
    )
    assert project.statistic('t1/0')['status'] == 'finished'


def test_code_that_cannot_be_imported_spends_no_tag_and_its_traceback_is_in_the_log(project):
    project.edit('model.py', 'import math', 'import math\nimport no_such_package')
    done = subprocess.run(
        project.command('run', 't1'),
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and 'no_such_package' in done.stderr
    assert not project.git('tag') and not project.folder('t1').exists()
    log = next((project.root / '__result__' / '.failed').glob('t1-0-*/log')).read_text()
    assert "ModuleNotFoundError: No module named 'no_such_package'" in log


def test_a_failure_in_the_first_step_frees_the_name_and_one_in_the_second_does_not(project):
    for step, freed in ((0, True), (1, False)):
        text = f"            if state.step == {step}:\n                import os; os._exit(3)\n"
        project.edit('epoch.py', '            prediction = logits', text + PREDICTION)
        told = project.tagrun('run', 't1', code=1 if freed else 3).stderr
        assert ('nothing was trained' in told) == freed
        assert bool(project.git('tag')) != freed
        project.git('checkout', 'code/epoch.py')


def test_later_seeds_are_not_begun_where_the_first_trained_nothing(stubbed):
    words = ('run', 't1', '--seeds', '3', '--set', 'how=early')
    told = stubbed.tagrun(*words, code=1).stderr
    assert told.count('nothing was trained') == 1 and 'run t1 --seeds 3 --set how=early' in told
    assert not stubbed.git('for-each-ref', 'refs/tags', 'refs/tagrun')
    assert "'t1' failed before its first step" in stubbed.tagrun('expls', 't1', code=1).stderr


def test_a_loss_that_is_no_number_fails_the_run_and_is_never_the_best(project):
    project.edit(
        'epoch.py',
        '                loss = cross_entropy(logits, y)',
        "                loss = cross_entropy(logits, y) * (float('nan') if state.epoch "
        "== 1 and train else 1)",
    )
    told = project.tagrun('run', 't1', code=1).stderr
    assert 'the loss is nan at step 19, in epoch 2' in told
    assert project.statistic('t1/0')['best_epoch'] == 1
    project.tagrun(
        'run', 't2', '--set', 'stop_on_nan=False', 'monitor=train/loss', 'monitor_mode=min'
    )
    # json.loads itself refuses nothing: the literal NaN must not be in the text
    statistic = project.statistic('t2/0')
    assert (
        statistic['status'] == 'finished'
        and 'NaN' not in (project.folder('t2/0') / 'statistic.json').read_text()
    )
    assert statistic['best_epoch'] != 2 and statistic['last']['train/loss'] == 'nan'


def test_two_runs_of_one_tag_at_once_make_one_tag(stubbed):
    processes = [stubbed.start('run', 't1', *ONE) for _ in range(4)]
    codes = [process.wait(120) for process in processes]
    assert sorted(codes) == [0, 1, 1, 1]
    assert len(list(stubbed.folder('t1').iterdir())) == 1  # a loser may have held id 0 for a moment


def test_what_asks_the_command_to_stop_reaches_training(project):
    project.configure(epochs='500')
    process = project.start('run', 't1')
    wait_for(lambda: project.folder('t1/0/history.csv').exists(), what='the first epoch')
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    assert (
        project.statistic('t1/0')['status'] == 'interrupted'
        and 'SIGTERM' in project.statistic('t1/0')['message']
    )


@pytest.mark.slow
def test_the_other_models_train_and_other_arguments_work(project):
    """The fourth model, mlp, is the one of nearly all other trainings."""
    for tag, settings in {
        'linear': [
            'model=linear',
            "phases=('train','test')",
            'monitor=test/acc',
            'val_fraction=0.0',
        ],
        'cnn': ['model=cnn', 'amp=bf16'],
        'gru': [
            'model=gru',
            'grad_clip=1',
            'grad_accum_steps=3',
            'schedule=linear',
            'warmup=4',
            'patience=1',
            'save_interval=2',
            'determinism=fastest',
        ],
    }.items():
        project.tagrun('run', tag, '--set', 'epochs=2', *settings)
        assert project.statistic(f'{tag}/0')['status'] == 'finished'


def test_another_project_on_the_pythonpath_has_no_say(stubbed, tmp_path):
    other = stub_project.make(tmp_path / 'other')
    other.edit('main.py', 'import config', 'import no_such_module')
    stubbed.tagrun('run', 't1', env={'PYTHONPATH': str(other.root / 'code')})
    assert (
        stubbed.statistic('t1/0')['status'] == 'finished'
        and other.git('tag') == ''
        and not (other.root / '__result__').exists()
    )
