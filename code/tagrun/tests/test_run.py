"""`run`: what is recorded, and that nothing of the user's is touched, in every state a repository can be in."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import Project, make_project, wait_for

ONE = ('--set', 'steps=1')      # a value of the stub's; its runs end at once anyway


def desk(project):
    """All that a run must leave as it is: HEAD, branches, index, stash, and each file of the work tree, byte for byte."""
    root = project.root
    directory = Path(project.git('rev-parse', '--path-format=absolute', '--git-dir').strip())
    files = {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.rglob('*'))
             if path.is_file() and not path.relative_to(root).parts[0].startswith(('.git', '__')) and '__pycache__' not in path.parts}
    index = directory / 'index'
    return {'HEAD': (directory / 'HEAD').read_bytes(), 'index': index.read_bytes() if index.exists() else None, 'files': files,
            'branches': project.git('for-each-ref', 'refs/heads', 'refs/stash', 'refs/remotes'),
            'rest': sorted(path.name for path in directory.iterdir() if path.name not in ('objects', 'refs', 'packed-refs', 'logs'))}


def dirty(project):
    """One file of each kind: modified, staged, deleted, new, ignored, executable, with a hostile name."""
    project.edit('model.py', 'The network', 'My network')
    (project.root / 'notes' / 'it\'s "new" ü.txt').parent.mkdir()
    (project.root / 'notes' / 'it\'s "new" ü.txt').write_text('new\n')
    (project.root / 'staged.txt').write_text('staged\n')
    project.git('add', 'staged.txt')
    (project.root / 'staged.txt').write_text('staged, then changed\n')
    (project.root / 'code' / 'requirements-test.txt').unlink()
    (project.root / '__data__' / 'ignored.bin').write_bytes(b'x')


def test_what_is_uncommitted_is_recorded_and_named_and_the_desk_stays(stubbed):
    dirty(stubbed)
    before = desk(stubbed)
    told = stubbed.tagrun('run', 't1', '-m', 'why: it matters', *ONE).stderr
    assert desk(stubbed) == before
    recorded = set(stubbed.git('diff', '--name-only', '-z', 'HEAD', 't1').split('\0')) - {''}
    assert recorded == {'code/model.py', 'notes/it\'s "new" ü.txt', 'staged.txt', 'code/requirements-test.txt', 'code/seed', 'code/config.py'}
    assert stubbed.git('show', 't1:staged.txt') == 'staged, then changed\n'
    message = stubbed.git('tag', '-l', '--format=%(contents)', 't1')
    for text in ('why: it matters', 'steps = 1 (was 3)', 'uncommitted: modified code/model.py', 'uncommitted: deleted code/requirements-test.txt'):
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
    made = make_project(tmp_path_factory.mktemp('trained') / "a 'b; c", data)
    made.tagrun('run', 't1', '-m', 'why')
    return made


def test_a_run_leaves_the_files_it_promises(trained):
    folder = trained.folder('t1/0')
    assert {path.name for path in folder.iterdir()} == {'run.json', 'code', 'log', 'tensorboard', 'checkpoint', 'history.csv', 'trace.csv',
                                                        'statistic.json', 'environment.json', 'confusion.json', 'lock'}
    assert {path.name for path in (folder / 'checkpoint').iterdir()} >= {'epoch_3.pth', 'epoch_last.pth', 'epoch_best.pth', 'SHA256SUMS'}
    subprocess.run(['sha256sum', '--quiet', '-c', 'SHA256SUMS'], cwd=folder / 'checkpoint', check=True)
    assert not list(folder.rglob('__pycache__')) and not (folder / 'code' / 'tagrun' / 'tests').exists()
    assert not os.access(folder / 'code' / 'main.py', os.X_OK) and folder.joinpath('code', 'main.py').stat().st_mode & 0o222 == 0
    statistic = trained.statistic('t1/0')
    assert statistic['status'] == 'finished' and statistic['commit'] == trained.git('rev-parse', 't1^{commit}').strip()
    assert statistic['hparam']['model'] == 'mlp' and isinstance(statistic['metric']['val/acc'], float)
    log = (folder / 'log').read_text()
    assert log.count('epoch ') == 3 and '\r' not in log and '\x1b' not in log


def test_the_result_commit_holds_the_readable_files(trained):
    result = 'refs/tagrun/result/t1/0'
    assert trained.git('rev-parse', f'{result}^').strip() == trained.git('rev-parse', 'refs/tagrun/code/t1/0').strip()
    names = trained.git('ls-tree', '--name-only', result).split()
    assert names == ['confusion.json', 'environment.json', 'history.csv', 'log', 'run.json', 'statistic.json', 'trace_epochs.csv']
    assert json.loads(trained.git('show', f'{result}:statistic.json')) == trained.statistic('t1/0')


def test_where_git_is_busy_the_run_ends_well_and_says_where_its_files_are(stubbed):
    busy = stubbed.root / '.git' / 'refs' / 'tagrun' / 'result' / 't1' / '0.lock'
    busy.parent.mkdir(parents=True)
    busy.touch()
    assert 'git did not take the result' in stubbed.tagrun('run', 't1', *ONE).stderr
    assert stubbed.statistic('t1/0')['status'] == 'finished' and stubbed.git('for-each-ref', 'refs/tagrun/result') == ''


def test_several_seeds_are_runs_of_one_tag_that_differ_in_the_seed_alone(stubbed):
    stubbed.tagrun('run', 't1', '--seeds', '3', *ONE)
    assert [stubbed.statistic(f't1/{number}')['status'] for number in range(3)] == ['finished'] * 3
    assert len({stubbed.statistic(f't1/{number}')['seed'] for number in range(3)}) == 3
    difference = stubbed.git('diff', '--stat', 't1', 'refs/tagrun/code/t1/2')
    assert 'code/seed' in difference and '1 file changed' in difference
    one, other = (stubbed.folder(f't1/{number}') / 'code' / 'main.py' for number in (0, 2))
    assert os.path.samefile(one, other), 'equal files are hard links, not copies'


def test_a_dry_run_does_nothing(stubbed):
    dirty(stubbed)
    before, refs, objects = desk(stubbed), stubbed.git('for-each-ref'), stubbed.git('count-objects')
    told = stubbed.tagrun('run', '-n', 't1', '--set', 'lr=0.5', 'model=cnn').stderr
    assert 'lr = 0.5 (was 0.1)' in told and "model = 'cnn' (was 'none')" in told and 'new staged.txt' in told
    assert (desk(stubbed), stubbed.git('for-each-ref'), stubbed.git('count-objects')) == (before, refs, objects)
    assert not stubbed.folder('t1').exists()


def test_values_are_set_before_or_after_the_tag_and_what_is_none_is_refused(stubbed):
    for words in (('--set', 'lr=0.5', 't1'), ('t1', '--set', 'lr=0.5'), ('--set', 'lr=0.5', '-n', 't1')):
        assert 't1: recorded' in stubbed.tagrun('run', '-n', *words).stderr
    assert "not 't2'" in stubbed.tagrun('run', '-n', 't1', '--set', 'lr=0.5', 't2', code=2).stderr
    assert "Did you mean 'lr'?" in stubbed.tagrun('run', '-n', 't1', '--set', 'lrr=0.5', code=1).stderr
    assert 'a float there' in stubbed.tagrun('run', '-n', 't1', '--set', 'lr=fast', code=1).stderr


def test_a_fast_run_is_a_scratch_run_of_the_files_as_they_stand(project):
    project.edit('model.py', 'The network', 'My network')
    project.tagrun('run', '--fast')
    assert project.git('tag') == '' and project.git('for-each-ref', 'refs/tagrun') == ''
    assert project.statistic('scratch/0')['status'] == 'finished'
    assert len((project.folder('scratch/0') / 'trace.csv').read_text().splitlines()) == 1 + 2 * 3 + 2
    assert not (project.root / '__statistic__' / 'exper-list' / 'finished.txt').exists()


def test_a_run_in_the_background_ends_by_itself_and_keeps_its_words_in_the_log(project):
    told = project.tagrun('run', '-d', 't1').stderr
    assert 'tail -f' in told
    wait_for(lambda: project.folder('t1/0').joinpath('statistic.json').exists() and project.statistic('t1/0')['status'] == 'finished', 60)
    wait_for(lambda: project.git('for-each-ref', 'refs/tagrun/result'), 20, 'the result commit')
    log = (project.folder('t1/0') / 'log').read_text()
    assert log.count('epoch 3/3') == 1, 'each line once'


def test_who_edits_switches_branches_and_commits_while_it_trains_is_not_noticed_and_not_disturbed(project):
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


@pytest.mark.parametrize('state', ['a detached HEAD', 'an unborn HEAD', 'a linked worktree', 'a shallow clone', 'below a repository',
                                   'a folder below', 'no identity', 'signing and hooks', 'GIT_DIR set', 'a sha256 repository'])
def test_it_works_in(stubbed, state, tmp_path):
    env, cwd = {}, None
    if state == 'a detached HEAD':
        stubbed.git('checkout', '-q', '--detach')
    elif state == 'an unborn HEAD':
        shutil.rmtree(stubbed.root / '.git')
        stubbed.git('init', '-q')
    elif state == 'a linked worktree':
        stubbed.git('worktree', 'add', '-q', '-b', 'other', str(tmp_path / "the 'other; one"))
        stubbed = Project(tmp_path / "the 'other; one")
    elif state == 'a shallow clone':
        stubbed.git('commit', '-q', '--allow-empty', '-m', 'one more')
        subprocess.run(['git', 'clone', '-q', '--depth', '1', f'file://{stubbed.root}', str(tmp_path / 'shallow')], check=True)
        stubbed = Project(tmp_path / 'shallow')
    elif state == 'below a repository':
        shutil.rmtree(stubbed.root / '.git')
        above = tmp_path / 'above'
        shutil.move(stubbed.root, above / 'papers' / 'mine')
        subprocess.run(['git', 'init', '-q', above], check=True)
        stubbed = Project(above / 'papers' / 'mine')
        stubbed.git('add', '-A')
        stubbed.git('-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-qm', 'start')
    elif state == 'a folder below':
        cwd = stubbed.root / 'code' / 'tagrun'
    elif state == 'no identity':
        stubbed.git('config', '--unset', 'user.name')
        stubbed.git('config', '--unset', 'user.email')
        env = {'GIT_CONFIG_GLOBAL': '/dev/null', 'GIT_CONFIG_SYSTEM': '/dev/null', 'HOME': str(tmp_path)}
        stubbed.git('config', 'user.useConfigOnly', 'true')
    elif state == 'signing and hooks':
        for name in ('commit.gpgSign', 'tag.gpgSign', 'tag.forceSignAnnotated'):
            stubbed.git('config', name, 'true')
        for hook in ('pre-commit', 'reference-transaction', 'post-checkout', 'commit-msg'):
            path = stubbed.root / '.git' / 'hooks' / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text('#!/bin/sh\nexit 1\n')
            path.chmod(0o755)
    elif state == 'GIT_DIR set':
        env = {'GIT_DIR': '/nonexistent', 'GIT_INDEX_FILE': '/nonexistent/index', 'GIT_WORK_TREE': '/nonexistent'}
    elif state == 'a sha256 repository':
        shutil.rmtree(stubbed.root / '.git')
        stubbed.git('init', '-q', '--object-format=sha256')
        stubbed.git('add', '-A')
        stubbed.git('-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-qm', 'start')
    stubbed.edit('model.py', 'The network', 'My network')
    before = desk(stubbed)
    stubbed.tagrun('run', 't1', *ONE, env=env, cwd=cwd)
    assert desk(stubbed) == before
    assert 'My network' in stubbed.git('show', 't1:./code/model.py')
    assert stubbed.statistic('t1/0')['status'] == 'finished'
    stubbed.tagrun('rerun', 't1', '-f', env=env, cwd=cwd)
    assert stubbed.git('for-each-ref', 'refs/tagrun/result/t1').count('\n') == 2


@pytest.mark.parametrize('operation', ['merge', 'rebase', 'cherry-pick'])
def test_it_refuses_in_the_middle_of(stubbed, operation):
    stubbed.git('checkout', '-qb', 'other')
    stubbed.configure(lr='0.5')
    stubbed.commit('one')
    stubbed.git('checkout', '-q', 'main')
    stubbed.configure(lr='0.7')
    stubbed.commit('another')
    stubbed.git(operation, 'other', check=False)
    before = desk(stubbed)
    told = stubbed.tagrun('run', 't1', code=1).stderr
    assert f'a {operation} is under way' in told and desk(stubbed) == before and stubbed.git('tag') == ''


@pytest.mark.parametrize('tag, reason', [
    ('', 'a tag is missing'), ('a b', "' ' cannot be in a tag"), ('../x', 'does not start with'), ('a/b', "'/' cannot be"), ('-x', 'arguments'),
    ('.hidden', 'does not start'), ('x.lock', '.lock'), ('a..b', '..'), ('HEAD', 'git uses'), ('scratch', 'runs by hand'), ('main', 'is a branch'),
    ('a' * 40, 'looks like a commit'), ('x' * 101, '100 bytes'), ('$(touch PWNED)', 'cannot be'), ('`x`', 'cannot be'), ('a;b', 'cannot be'),
    ('CON', 'Windows'), ('e\u0301', 'separate characters'), ('a\u202eb', 'cannot be'), ('a\x1bb', 'cannot be'), ('a\nb', 'cannot be'), ('%s', 'cannot be')])
def test_a_name_that_cannot_be_a_tag_is_refused_with_the_reason(stubbed, tag, reason):
    done = subprocess.run(stubbed.command('run', tag), cwd=stubbed.root, env=stubbed.env, capture_output=True, text=True)
    assert done.returncode in (1, 2) and reason in done.stderr and 'Traceback' not in done.stderr and '\x1b' not in done.stderr
    assert stubbed.git('tag') == '' and not list((stubbed.root / '__result__').glob('*/*')) and not (stubbed.root / 'PWNED').exists()


@pytest.mark.parametrize('tag', ['t1', 'größe', '実験-1', 'a+b=c@d_e.f', '7'])
def test_a_name_of_any_alphabet_is_a_tag(stubbed, tag):
    assert 'nothing was done' in stubbed.tagrun('run', '-n', tag).stderr


@pytest.mark.parametrize('name, size, reason', [('.env', 9, 'secret'), ('key.pem', 9, 'secret'), ('id_rsa', 9, 'secret'),
                                                ('my_service_account_3.json', 9, 'secret'), ('big.bin', 11 << 20, '12 MB')])
def test_a_new_file_that_git_should_not_keep_is_refused_with_the_cure(stubbed, name, size, reason):
    (stubbed.root / name).write_bytes(b'x' * size)
    told = stubbed.tagrun('run', 't1', code=1).stderr
    assert reason in told and '.gitignore' in told and stubbed.git('tag') == ''


def test_a_clean_tree_can_be_asked_for(stubbed):
    stubbed.edit('model.py', 'The network', 'My network')
    assert '1 uncommitted change (code/model.py)' in stubbed.tagrun('run', '--clean', 't1', code=1).stderr
    stubbed.git('config', 'tagrun.requireClean', 'true')
    assert 'commit first' in stubbed.tagrun('run', 't1', code=1).stderr
    stubbed.git('checkout', '-q', '.')
    stubbed.tagrun('run', 't1', *ONE)


def test_code_that_is_no_python_is_refused_before_a_tag_is_spent(project):
    project.edit('model.py', 'def linear(args):', 'def linear(args:')
    told = project.tagrun('run', 't1', code=1).stderr
    assert 'code/model.py, line' in told and project.git('tag') == '' and not project.folder('t1/0').exists()


def test_a_failure_is_told_in_three_lines_and_recorded(project):
    project.edit('epoch.py', '            guess = logits', "            if state.step == 20:\n                raise ValueError('a bug of mine')\n            guess = logits")
    told = project.tagrun('run', 't1', code=1).stderr
    assert 't1/0 failed: ValueError: a bug of mine' in told and 'in code/epoch.py, line' in told
    statistic = project.statistic('t1/0')
    assert statistic['status'] == 'failed' and 'a bug of mine' in statistic['message'] and statistic['epoch'] == 1
    assert 'Traceback' in (project.folder('t1/0') / 'log').read_text()
    assert project.git('for-each-ref', 'refs/tagrun/result/t1/0') and not (project.root / '__statistic__' / 'exper-list' / 'finished.txt').exists()


def test_the_name_of_a_failed_run_can_be_freed_and_nothing_is_overwritten(project):
    project.configure(phases="('train', 'validate')")
    assert "phases has 'validate', but build_loaders gave only 'train', 'val', 'test'" in project.tagrun('run', 't1', code=1).stderr
    project.configure(phases="('train', 'val')", watch="'val/f1'", epochs='1')
    project.git('tag', '-d', 't1')
    told = project.tagrun('run', 't1').stderr
    assert "no epoch will be the best: watch is 'val/f1', and the metrics are train/loss, train/acc, val/loss, val/acc" in told
    assert [project.statistic(f't1/{number}')['status'] for number in (0, 1)] == ['failed', 'finished']


def test_code_that_cannot_be_imported_makes_a_failed_run(project):
    project.edit('model.py', 'import math', 'import math\nimport no_such_package')
    done = subprocess.run(project.command('run', 't1'), cwd=project.root, env=project.env, capture_output=True, text=True)
    assert done.returncode == 1 and 'no_such_package' in done.stderr
    assert project.statistic('t1/0')['status'] == 'failed'


def test_a_loss_that_is_no_number_fails_the_run_and_is_never_the_best(project):
    project.edit('epoch.py', '                loss = cross_entropy(logits, y)', "                loss = cross_entropy(logits, y) * (float('nan') if state.epoch == 1 and train else 1)")
    told = project.tagrun('run', 't1', code=1).stderr
    assert 'the loss is nan at step 19, in epoch 2' in told
    assert project.statistic('t1/0')['best_epoch'] == 1
    project.tagrun('run', 't2', '--set', 'stop_on_nan=False', 'watch=train/loss', 'watch_mode=min')
    statistic = project.statistic('t2/0')     # json.loads itself refuses nothing: the literal NaN must not be in the text
    assert statistic['status'] == 'finished' and 'NaN' not in (project.folder('t2/0') / 'statistic.json').read_text()
    assert statistic['best_epoch'] != 2 and statistic['last']['train/loss'] == 'nan'


def test_two_runs_of_one_tag_at_once_make_one_tag(stubbed):
    processes = [stubbed.start('run', 't1', *ONE) for _ in range(4)]
    codes = [process.wait(120) for process in processes]
    assert sorted(codes) == [0, 1, 1, 1]
    assert len(list(stubbed.folder('t1').iterdir())) == 1    # a loser may have held id 0 for a moment


def test_what_asks_the_command_to_stop_reaches_training(project):
    project.configure(epochs='500')
    process = project.start('run', 't1')
    wait_for(lambda: project.folder('t1/0/history.csv').exists(), what='the first epoch')
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    assert project.statistic('t1/0')['status'] == 'interrupted' and 'SIGTERM' in project.statistic('t1/0')['message']


def test_the_four_models_train_and_other_arguments_work(project):
    for tag, settings in {'linear': ['model=linear'], 'cnn': ['model=cnn', 'amp=bf16'], 'gru': ['model=gru', 'clip_norm=1'],
                          'more': ['accumulate=3', 'schedule=linear', 'warmup=4', 'patience=1', 'save_interval=2', 'determinism=fastest'],
                          'none-held-out': ["phases=('train','test')", 'watch=test/acc', 'val_rate=0.0']}.items():
        project.tagrun('run', tag, '--set', 'epochs=2', *settings)
        assert project.statistic(f'{tag}/0')['status'] == 'finished'
