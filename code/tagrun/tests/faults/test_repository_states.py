"""`run`, `continue` and `rerun` in every state that a repository can be in.

They work or refuse in a sentence, and touch nothing: HEAD, index, branches, stash and every file
are byte for byte as before. test_run.py trains in ten of the states; here a stub stands for
training, so that each of the three commands meets each state.
"""

import json
import os
import shutil
import subprocess
import time

import pytest
import stub_project
from project_factory import Project
from repository_states import IDENTITY, REFUSE, WORK, lfs_pointer, moved_tag
from worktree import desk


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A project with t1/0, which was interrupted, and t2/0, which is finished."""
    project = stub_project.make(tmp_path_factory.mktemp('states') / 'project')
    project.tagrun('run', 't1', '--set', 'how=interrupted', code=75)
    project.tagrun('run', 't2')
    return project.root


@pytest.fixture
def project(root, tmp_path):
    return Project(shutil.copytree(root, tmp_path / "a 'b; c", symlinks=True))


def untouched(project, *words, **more):
    """Run a command, which changes nothing and runs no hook; return what it printed."""
    before = desk(project)
    output = project.tagrun(*words, **more).stderr
    assert desk(project) == before
    assert not (project.root / 'HOOKED').exists()
    return output


@pytest.mark.parametrize('state', WORK)
def test_run_continue_and_rerun_work_and_touch_nothing_in(project, state):
    WORK[state](project)
    tag = 't8' if state == 'a branch of the same name' else 't9'
    untouched(project, 'run', tag)
    untouched(project, 'continue', 't1')
    untouched(project, 'rerun', 't2', '-f')
    untouched(project, 'rerun', 't2')
    untouched(project, 'doctor', '--fix')
    assert [project.statistic(name)['status'] for name in (f'{tag}/0', 't1/0', 't2/1', 't2/2')] == [
        'finished'
    ] * 4
    assert len(project.git('for-each-ref', 'refs/tagrun/result').splitlines()) == 5
    if state not in ('an unborn branch', 'a commit that is replaced'):
        subprocess.run(
            ['git', 'fsck', '--strict'], cwd=project.root, check=True, capture_output=True
        )


@pytest.mark.parametrize('state', REFUSE)
def test_run_refuses_and_continue_and_rerun_go_on_in(project, state):
    prepare, reason = REFUSE[state]
    prepare(project)
    before = project.git('for-each-ref')
    assert reason in untouched(project, 'run', 't9', code=1)
    assert project.git('for-each-ref') == before and not project.folder('t9').exists()
    untouched(project, 'continue', 't1')
    untouched(project, 'rerun', 't2', '-f')


def test_where_there_is_no_repository_each_says_git_init(project):
    shutil.rmtree(project.root / '.git')
    for words in (('run', 't9'), ('continue', 't1'), ('rerun', 't2')):
        assert 'git init' in project.tagrun(*words, code=1).stderr


def test_a_tag_that_was_deleted_leaves_its_runs_their_code(project):
    project.git('tag', '-d', 't1')
    project.git('gc', '-q', '--prune=now')
    output = untouched(project, 'continue', 't1')
    assert "git has no tag 't1' any more" in output and 'brings the name back' in output
    assert 'rerun t1/0` takes' in untouched(project, 'rerun', 't1', code=1)
    untouched(project, 'rerun', 't1/0', code=75)


def test_a_tag_that_was_moved_is_reported_and_the_run_goes_on_with_its_own_code(project):
    commit = json.loads((project.folder('t1/0') / 'run.json').read_text())['commit']
    moved_tag(project)
    output = untouched(project, 'continue', 't1')
    assert (
        "the tag 't1' names commit" in output
        and f'goes on with that of t1/0, commit {commit[:10]}' in output
    )
    assert 'which no local run used' in untouched(project, 'rerun', 't1')
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['commit'] != commit
    assert (
        project.git('rev-parse', 'refs/tagrun/code/t1/1^').strip()
        == project.git('rev-parse', 'HEAD').strip()
    )


def test_of_a_rerun_with_another_seed_the_tag_is_not_moved(project):
    project.tagrun('rerun', 't1', code=75)
    project.tagrun('rerun', 't1/1', code=75)
    for name in ('t1/0', 't1/1', 't1/2'):
        assert 'names commit' not in untouched(project, 'continue', name)


def test_after_git_clean_the_runs_are_made_again_from_git(project):
    project.git('clean', '-fdxq')
    output = project.tagrun('continue', 't1', code=1).stderr
    assert 'the files of t1 are not here any more' in output and '`rerun t1`' in output
    assert 'statistic.json' in output and project.git(
        'show', 'refs/tagrun/result/t1/0:statistic.json'
    )
    project.tagrun('rerun', 't1/0', code=75)
    project.tagrun('rerun', 't2')
    assert project.statistic('t2/1')['status'] == 'finished', (
        'an id of which git has the code is not given again'
    )


def test_in_a_shallow_clone_what_is_absent_is_named_with_the_command_that_fetches_it(
    project, tmp_path
):
    project.git('commit', '-q', '--allow-empty', '-m', 'one more')
    subprocess.run(
        ['git', 'clone', '-q', '--depth', '1', f'file://{project.root}', tmp_path / 'shallow'],
        check=True,
    )
    shallow = Project(tmp_path / 'shallow')
    for name in ('__result__', '__statistic__'):
        shutil.copytree(project.root / name, shallow.root / name, symlinks=True)
    commit = json.loads((project.folder('t1/0') / 'run.json').read_text())['commit']
    for words in (('continue', 't1'), ('rerun', 't1/0')):
        assert f'git fetch origin {commit}' in untouched(shallow, *words, code=1)
    project.git('config', 'uploadpack.allowAnySHA1InWant', 'true')
    subprocess.run(['git', 'fetch', '-q', 'origin', commit], cwd=shallow.root, check=True)
    untouched(shallow, 'continue', 't1')


@pytest.mark.parametrize('what', ['the results', 'the repository'])
def test_on_a_file_system_that_cannot_be_written_each_refuses_in_a_sentence(project, what):
    folder = project.root / ('.git' if what == 'the repository' else '__result__')
    for words in (('run', 't9'), ('rerun', 't2'), ('run', 't9', '-f')):
        done = read_only(project, folder, *words)
        assert (
            done.returncode == 1 and done.stderr.count('\n') <= 2 and 'Traceback' not in done.stderr
        ), done.stderr
        assert 'Read-only' in done.stderr or 'cannot be written' in done.stderr
    assert project.git('tag').split() == ['t1', 't2'] and not project.folder('t9').exists()


def read_only(project, folder, *words):
    """Run a command where `folder` is mounted read-only; root may write anywhere else."""
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; shift; exec "$@"'
    done = subprocess.run(
        ['unshare', '-m', 'sh', '-c', script, 'sh', folder, *project.command(*words)],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
    )
    if done.returncode == 99 or 'unshare' in done.stderr:
        pytest.skip('no right to mount here')
    return done


def test_a_folder_that_another_user_owns_is_refused_with_gits_own_remedy(project):
    if os.geteuid() != 0:
        pytest.skip('only root can give a folder away')
    for path in [project.root, *project.root.rglob('*')]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for words in (('run', 't9'), ('continue', 't1'), ('rerun', 't2'), ('doctor',)):
        done = subprocess.run(
            project.command(*words),
            cwd=project.root,
            capture_output=True,
            text=True,
            env={
                **project.env,
                'GIT_CONFIG_GLOBAL': '/dev/null',
                'GIT_CONFIG_SYSTEM': '/dev/null',
                'SUDO_UID': '1',
            },
        )
        assert (
            done.returncode == 1
            and 'git config --global --add safe.directory' in done.stderr
            and 'Traceback' not in done.stderr
        )


def test_a_linked_work_tree_works_and_so_it_does_when_it_was_moved_and_repaired(project, tmp_path):
    project.git('worktree', 'add', '-q', '-b', 'other', str(tmp_path / 'linked'))
    linked = Project(tmp_path / 'linked')
    untouched(linked, 'run', 't9')
    assert project.git('tag').split() == ['t1', 't2', 't9'], 'one repository, one set of tags'
    moved = Project(project.root.rename(tmp_path / 'moved away'))
    output = linked.tagrun('rerun', 't9', code=1).stderr
    assert 'git worktree repair' in output and 'git init' not in output
    moved.git('worktree', 'repair', str(linked.root))
    untouched(linked, 'rerun', 't9')


def test_a_project_whose_name_has_a_line_break_is_refused_in_a_sentence(project, tmp_path):
    odd = Project(project.root.rename(tmp_path / 'a\nb'))
    assert 'line break' in odd.tagrun('run', 't9', code=1).stderr


@pytest.mark.parametrize('clock', ['-2h', '-40y', '+20y'])
def test_a_clock_that_is_wrong_changes_no_id_and_no_order(project, clock):
    library = shutil.which('faketime')
    if not library:
        pytest.skip('no faketime here')
    for words, code in ((('rerun', 't2'), 0), (('run', 't9'), 0), (('continue', 't1'), 0)):
        done = subprocess.run(
            ['faketime', '-f', clock, *project.command(*words)],
            cwd=project.root,
            env=project.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code and 'Traceback' not in done.stderr, done.stderr
    project.tagrun('rerun', 't2')
    assert sorted(path.name for path in project.folder('t2').iterdir()) == ['0', '1', '2']
    for words in (('expls', '-r'), ('table',), ('doctor',)):
        project.tagrun(*words)


@pytest.mark.parametrize('form', ['--object-format=sha256', '--ref-format=reftable'])
def test_a_repository_of_another_format_works(project, form):
    shutil.rmtree(project.root / '.git')
    if subprocess.run(
        ['git', 'init', '-q', form], cwd=project.root, capture_output=True
    ).returncode:
        pytest.skip('this git does not know it')
    for name in ('__result__', '__statistic__'):
        shutil.rmtree(project.root / name)
    project.git('add', '-A')
    project.git(*IDENTITY, 'commit', '-qm', 'start')
    untouched(project, 'run', 't1', '--set', 'how=interrupted', code=75)
    untouched(project, 'continue', 't1')
    untouched(project, 'rerun', 't1', '-f', code=75)
    assert project.tagrun('doctor').returncode == 0


@pytest.mark.slow
def test_among_twenty_thousand_files_a_run_is_recorded_in_seconds(project):
    for number in range(20_000):
        path = project.root / 'many' / str(number % 100) / f'{number}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    # else git packs so many in the background, and that is a change of .git too
    project.git('config', 'gc.auto', '0')
    project.commit('many')
    project.edit('model.py', 'none', 'one')
    start = time.monotonic()
    untouched(project, 'run', 't9')
    assert time.monotonic() - start < 10
    assert len(list((project.folder('t9/0') / 'code').rglob('*'))) < 200, 'only code/ is frozen'


def test_a_file_that_git_lfs_keeps_is_reported_before_a_run_stumbles_on_it(project):
    lfs_pointer(project)
    assert 'code/weights.bin is kept by git LFS' in project.tagrun('run', 't9').stderr


def test_a_bare_repository_is_refused_with_what_to_do(project):
    project.git('config', 'core.bare', 'true')
    assert 'clone it' in project.tagrun('run', 't9', code=1).stderr


def test_an_object_that_is_damaged_is_named_and_nothing_is_recorded(project):
    blob = project.git('rev-parse', 'HEAD:code/model.py').strip()
    path = project.root / '.git' / 'objects' / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b'damaged')
    output = project.tagrun('run', 't9', '-f', code=1).stderr
    assert 'git fsck' in output or 'is not in this repository' in output
    assert project.git('tag').split() == ['t1', 't2']
