"""`run`, `continue` and `rerun` in every state that a repository can be in: they work or refuse in a sentence, and touch nothing.

The states are G1 to G25 of RELIABILITY. test_run.py trains in ten of them; here a stub stands for training, so that each of the three
verbs meets each state. Afterwards HEAD, index, branches, stash and every file are byte for byte as before.
"""
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import stub
from conftest import Project
from test_run import desk, dirty

IDENTITY = ('-c', 'user.name=A', '-c', 'user.email=a@example.org')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A project with t1/0, which was interrupted, and t2/0, which is finished."""
    project = stub.make(tmp_path_factory.mktemp('states') / 'project')
    project.tagrun('run', 't1', '--set', 'how=interrupted', code=75)
    project.tagrun('run', 't2')
    return project.root


@pytest.fixture
def project(made, tmp_path):
    return Project(shutil.copytree(made, tmp_path / "a 'b; c", symlinks=True))


def conflict(project, *operation):
    """Two branches that differ in a line, and an operation that stumbles on it."""
    project.git('checkout', '-qb', 'other')
    project.edit('model.py', 'none', 'one')
    project.commit('one')
    project.git('checkout', '-q', 'main')
    project.edit('model.py', 'none', 'two')
    project.commit('two')
    project.git(*operation, check=False)


def stash_conflict(project):
    project.edit('model.py', 'none', 'one')
    project.git('stash', '-q')
    project.edit('model.py', 'none', 'two')
    project.commit('two')
    project.git('stash', 'pop', check=False)


def revert(project):
    for old, new in (('none', 'one'), ('one', 'two')):
        project.edit('model.py', old, new)
        project.commit(new)
    project.git('revert', '--no-edit', 'HEAD~1', check=False)


def bisect(project):
    for number in range(4):
        project.git('commit', '-q', '--allow-empty', '-m', str(number))
    project.git('bisect', 'start', 'HEAD', 'HEAD~3')


def moved_tag(project):
    project.git('commit', '-q', '--allow-empty', '-m', 'another')
    project.git('tag', '-f', 't1', 'HEAD')


def submodule(project, place='lib', dirtied=False):
    """A submodule below the project."""
    library = project.root.parent / 'library'
    subprocess.run(['git', 'init', '-q', library], check=True)
    subprocess.run(['git', '-C', library, *IDENTITY, 'commit', '-q', '--allow-empty', '-m', 'x'], check=True)
    project.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', str(library), place)
    project.commit('with a submodule')
    if dirtied:
        (project.root / place / 'new.py').write_text('x\n')


def sparse(project):
    (project.root / 'papers').mkdir()
    (project.root / 'papers' / 'a.txt').write_text('a\n')
    project.commit('papers')
    project.git('sparse-checkout', 'set', '--cone', 'code')
    assert not (project.root / 'papers').exists()


def hostile_names(project):
    for name in ('a\nb', 'tab\tquote"', '-rf', ' lead', 'ü', b'\xff\xfe.txt', '*', ':(exclude)x', 'a\\b'):
        path = os.path.join(os.fsencode(project.root), b'notes', os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_text('x\n')


def lfs_pointer(project):
    (project.root / 'code' / 'weights.bin').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:' + 'a' * 64 + '\nsize 12345\n')
    project.commit('a pointer')


def required_filter(project):
    project.git('config', 'filter.lfs.clean', 'no-such-git-lfs clean -- %f')
    project.git('config', 'filter.lfs.required', 'true')
    (project.root / '.gitattributes').write_text('*.bin filter=lfs\n')
    (project.root / 'code' / 'weights.bin').write_bytes(b'12345')


def same_name_branch(project):
    project.git('branch', 't1')
    project.git('branch', 't2')
    project.git('branch', 't9')


def hooks(project):
    for name in ('pre-commit', 'commit-msg', 'reference-transaction', 'post-checkout', 'post-index-change'):
        path = project.root / '.git' / 'hooks' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\ntouch HOOKED\nexit 1\n')
        path.chmod(0o755)
    project.git('config', 'commit.gpgSign', 'true')
    project.git('config', 'tag.gpgSign', 'true')


def index_of(version):
    def change(project):
        project.git('update-index', '--index-version', version)
        project.git('update-index', *(['--split-index'] if version == '3' else ['--untracked-cache']))
    return change


WORK = {    # where all three go
    'a clean tree': lambda project: None, 'a dirty tree': dirty, 'a detached HEAD': lambda project: project.git('checkout', '-q', '--detach'),
    'a bisect': bisect, 'hooks that fail and signing': hooks, 'a branch of the same name': same_name_branch, 'a submodule': submodule,
    'a sparse checkout': sparse,
    'file names that hurt': hostile_names, 'a pointer of git LFS': lfs_pointer, 'a split index': index_of('3'), 'index version 4': index_of('4'),
    'an unborn branch': lambda project: project.git('checkout', '-q', '--orphan', 'fresh'),
    'packed refs': lambda project: project.git('pack-refs', '--all', '--prune'), 'gc': lambda project: project.git('gc', '-q', '--prune=now'),
    'a repacked repository': lambda project: project.git('repack', '-adq'), 'autocrlf': lambda project: project.git('config', 'core.autocrlf', 'true'),
    'a stash': lambda project: (project.edit('model.py', 'none', 'one'), project.git('stash', '-q')),
    'an unset identity': lambda project: [project.git('config', '--unset', f'user.{key}') for key in ('name', 'email')],
    'an invalid identity': lambda project: project.git('config', 'user.name', '<>'),
    'a commit that is replaced': lambda project: project.git('replace', '-f', 'HEAD', project.git('commit-tree', 'HEAD^{tree}', '-m', 'another').strip()),
    'intent to add': lambda project: ((project.root / 'new.txt').write_text('x\n'), project.git('add', '-N', 'new.txt')),
    'files assumed unchanged': lambda project: project.git('update-index', '--assume-unchanged', 'code/model.py'),
}
REFUSE = {  # where `run` refuses, with what it says, and the others go on with the tag's own code
    'a merge': (lambda project: conflict(project, 'merge', 'other'), 'a merge is under way'),
    'a rebase': (lambda project: conflict(project, 'rebase', 'other'), 'a rebase is under way'),
    'a cherry-pick': (lambda project: conflict(project, 'cherry-pick', 'other'), 'a cherry-pick is under way'),
    'a revert': (revert, 'a revert is under way'),
    'a stash that did not fit': (stash_conflict, 'code/model.py is unmerged'),
    'a dirty submodule': (lambda project: submodule(project, dirtied=True), 'the submodule lib has uncommitted changes'),
    'a submodule in code/': (lambda project: submodule(project, place='code/lib'), 'code/lib is a submodule'),
    'a filter that is missing': (required_filter, 'git lfs install'),
    'a tag of the name': (lambda project: project.git('tag', 't9'), "the tag 't9' exists"),
    'a tag of the name in capitals': (lambda project: project.git('tag', 'T9'), "there is a tag 'T9'"),
    'no code/main.py': (lambda project: (project.git('rm', '-q', 'code/main.py'), project.commit('gone')), 'no code/main.py'),
    'no code/config.py': (lambda project: (project.git('rm', '-q', 'code/config.py'), project.commit('gone')), 'code/config.py'),
    'a config.py that is no UTF-8': (lambda project: (project.root / 'code' / 'config.py').write_bytes(b'lr = "\xff"\n'), 'no UTF-8'),
}


def untouched(project, *words, **more):
    """Run a verb; the desk is as it was, and no hook ran. What it told."""
    before = desk(project)
    told = project.tagrun(*words, **more).stderr
    assert desk(project) == before
    assert not (project.root / 'HOOKED').exists()
    return told


@pytest.mark.parametrize('state', WORK)
def test_run_continue_and_rerun_work_and_touch_nothing_in(project, state):
    WORK[state](project)
    tag = 't8' if state == 'a branch of the same name' else 't9'
    untouched(project, 'run', tag)
    untouched(project, 'continue', 't1')
    untouched(project, 'rerun', 't2', '-f')
    untouched(project, 'rerun', 't2')
    untouched(project, 'doctor', '--fix')
    assert [project.statistic(name)['status'] for name in (f'{tag}/0', 't1/0', 't2/1', 't2/2')] == ['finished'] * 4
    assert len(project.git('for-each-ref', 'refs/tagrun/result').splitlines()) == 5
    if state not in ('an unborn branch', 'a commit that is replaced'):
        subprocess.run(['git', 'fsck', '--strict'], cwd=project.root, check=True, capture_output=True)


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
    told = untouched(project, 'continue', 't1')
    assert "git has no tag 't1' any more" in told and 'brings the name back' in told
    assert 'rerun t1/0` takes' in untouched(project, 'rerun', 't1', code=1)
    untouched(project, 'rerun', 't1/0', code=75)


def test_a_tag_that_was_moved_is_told_and_the_run_goes_on_with_its_own_code(project):
    commit = json.loads((project.folder('t1/0') / 'run.json').read_text())['commit']
    moved_tag(project)
    told = untouched(project, 'continue', 't1')
    assert "the tag 't1' names commit" in told and f'goes on with that of t1/0, commit {commit[:10]}' in told
    assert 'which no run of it here ran' in untouched(project, 'rerun', 't1')
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['commit'] != commit
    assert project.git('rev-parse', 'refs/tagrun/code/t1/1^').strip() == project.git('rev-parse', 'HEAD').strip()


def test_of_a_rerun_with_another_seed_the_tag_is_not_moved(project):
    project.tagrun('rerun', 't1', code=75)
    project.tagrun('rerun', 't1/1', code=75)
    for name in ('t1/0', 't1/1', 't1/2'):
        assert 'names commit' not in untouched(project, 'continue', name)


def test_after_git_clean_the_runs_are_made_again_from_git(project):
    project.git('clean', '-fdxq')
    told = project.tagrun('continue', 't1', code=1).stderr
    assert 'the files of t1 are not here any more' in told and '`rerun t1`' in told
    assert 'statistic.json' in told and project.git('show', 'refs/tagrun/result/t1/0:statistic.json')
    project.tagrun('rerun', 't1/0', code=75)
    project.tagrun('rerun', 't2')
    assert project.statistic('t2/1')['status'] == 'finished', 'an id of which git has the code is not given again'


def test_in_a_shallow_clone_what_is_absent_is_named_with_the_command_that_fetches_it(project, tmp_path):
    project.git('commit', '-q', '--allow-empty', '-m', 'one more')
    subprocess.run(['git', 'clone', '-q', '--depth', '1', f'file://{project.root}', tmp_path / 'shallow'], check=True)
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
    place = project.root / ('.git' if what == 'the repository' else '__result__')
    for words in (('run', 't9'), ('rerun', 't2'), ('run', 't9', '-f')):
        done = read_only(project, place, *words)
        assert done.returncode == 1 and done.stderr.count('\n') <= 2 and 'Traceback' not in done.stderr, done.stderr
        assert 'Read-only' in done.stderr or 'cannot be written' in done.stderr
    assert project.git('tag').split() == ['t1', 't2'] and not project.folder('t9').exists()


def read_only(project, place, *words):
    """A verb, run where `place` is mounted read-only; root may write anywhere else."""
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; shift; exec "$@"'
    done = subprocess.run(['unshare', '-m', 'sh', '-c', script, 'sh', place, *project.command(*words)], cwd=project.root, env=project.env,
                          capture_output=True, text=True)
    if done.returncode == 99 or 'unshare' in done.stderr:
        pytest.skip('no right to mount here')
    return done


def test_a_folder_that_another_user_owns_is_refused_with_gits_own_cure(project):
    if os.geteuid() != 0:
        pytest.skip('only root can give a folder away')
    for path in [project.root, *project.root.rglob('*')]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for words in (('run', 't9'), ('continue', 't1'), ('rerun', 't2'), ('doctor',)):
        done = subprocess.run(project.command(*words), cwd=project.root, capture_output=True, text=True,
                              env={**project.env, 'GIT_CONFIG_GLOBAL': '/dev/null', 'GIT_CONFIG_SYSTEM': '/dev/null', 'SUDO_UID': '1'})
        assert done.returncode == 1 and 'git config --global --add safe.directory' in done.stderr and 'Traceback' not in done.stderr


def test_a_linked_work_tree_works_and_so_it_does_when_it_was_moved_and_mended(project, tmp_path):
    project.git('worktree', 'add', '-q', '-b', 'other', str(tmp_path / 'linked'))
    linked = Project(tmp_path / 'linked')
    untouched(linked, 'run', 't9')
    assert project.git('tag').split() == ['t1', 't2', 't9'], 'one repository, one set of tags'
    moved = Project(project.root.rename(tmp_path / 'moved away'))
    told = linked.tagrun('rerun', 't9', code=1).stderr
    assert 'git worktree repair' in told and 'git init' not in told
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
        done = subprocess.run(['faketime', '-f', clock, *project.command(*words)], cwd=project.root, env=project.env, capture_output=True, text=True)
        assert done.returncode == code and 'Traceback' not in done.stderr, done.stderr
    project.tagrun('rerun', 't2')
    assert sorted(path.name for path in project.folder('t2').iterdir()) == ['0', '1', '2']
    for verb in (('expls', '-r'), ('table',), ('doctor',)):
        project.tagrun(*verb)


@pytest.mark.parametrize('form', ['--object-format=sha256', '--ref-format=reftable'])
def test_a_repository_of_another_format_works(project, form):
    shutil.rmtree(project.root / '.git')
    if subprocess.run(['git', 'init', '-q', form], cwd=project.root, capture_output=True).returncode:
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
    project.git('config', 'gc.auto', '0')       # else git packs so many in the background, and that is a change of .git too
    project.commit('many')
    project.edit('model.py', 'none', 'one')
    began = time.monotonic()
    untouched(project, 'run', 't9')
    assert time.monotonic() - began < 10
    assert len(list((project.folder('t9/0') / 'code').rglob('*'))) < 200, 'only code/ is frozen'


def test_a_file_that_git_lfs_keeps_is_told_before_a_run_stumbles_on_it(project):
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
    told = project.tagrun('run', 't9', '-f', code=1).stderr
    assert 'git fsck' in told or 'is not in this repository' in told
    assert project.git('tag').split() == ['t1', 't2']
