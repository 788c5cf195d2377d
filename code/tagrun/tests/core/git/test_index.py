"""core/git/index.py: what git hides from itself is seen, and equal content is the equal tree."""

import os
import subprocess
import time

import pytest
import small_repository

from tagrun.core.git import index
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.git.status import Change

CONFIG = 'code/config.py'
EDITED = 'lr = 0.25\n'


@pytest.fixture
def root(tmp_path):
    root = small_repository.make(tmp_path)
    (root / 'data.csv').write_text('1\n')
    (root / 'code' / 'sub').mkdir()
    (root / 'code' / 'sub' / 'a.py').write_text('a = 1\n')
    small_repository.commit(root, 'more')
    return root


def git(root, *words):
    return small_repository.git(root, *words)


def changes(root):
    """What differs from HEAD, each as (what, path); the user's index stays as it is."""
    repository = Repository.at(root)
    before = (repository.directory / 'index').read_bytes()
    found = [tuple(change) for change in repository.changes()]
    assert (repository.directory / 'index').read_bytes() == before
    assert not list(repository.directory.glob(f'{index.TEMPORARY}*'))
    return sorted(found)


def tree(root):
    """The tree of all that a run would record."""
    repository = Repository.at(root)
    return repository.write_tree(repository.resolve('HEAD'), {}, everything=True)


def tree_of_head(root):
    return git(root, 'rev-parse', 'HEAD^{tree}').strip()


def recorded(root, path):
    return git(root, 'cat-file', 'blob', f'{tree(root)}:{path}')


@pytest.mark.parametrize('flag', ['--skip-worktree', '--assume-unchanged', 'both'])
@pytest.mark.parametrize('path', [CONFIG, 'data.csv'])
def test_a_file_that_a_flag_hides_is_looked_at_itself(root, flag, path):
    for option in ('--skip-worktree', '--assume-unchanged') if flag == 'both' else (flag,):
        git(root, 'update-index', option, path)
    assert changes(root) == [] and tree(root) == tree_of_head(root)
    (root / path).write_text(EDITED)
    assert git(root, 'status', '--porcelain') == ''
    assert changes(root) == [('modified', path)] and recorded(root, path) == EDITED


def test_a_file_that_is_assumed_unchanged_and_was_removed_is_deleted(root):
    git(root, 'update-index', '--assume-unchanged', CONFIG)
    (root / CONFIG).unlink()
    assert changes(root) == [('deleted', CONFIG)]
    assert CONFIG not in git(root, 'ls-tree', '-r', '--name-only', tree(root))


def test_a_skipped_file_that_is_not_there_is_as_in_head(root):
    git(root, 'update-index', '--skip-worktree', CONFIG)
    (root / CONFIG).unlink()
    assert changes(root) == [] and tree(root) == tree_of_head(root)


@pytest.mark.parametrize('form', ['--cone', '--no-cone', '--sparse-index'])
def test_of_a_sparse_checkout_the_rest_is_as_in_head_and_a_file_outside_it_is_seen(root, form):
    (root / 'other').mkdir()
    (root / 'other' / 'b.txt').write_text('b\n')
    small_repository.commit(root, 'other')
    git(root, 'sparse-checkout', 'init', form if form != '--no-cone' else '--no-cone')
    git(root, 'sparse-checkout', 'set', 'code')
    assert not (root / 'other').exists()
    assert changes(root) == [] and tree(root) == tree_of_head(root)
    (root / 'other').mkdir()
    (root / 'other' / 'new.txt').write_text('new\n')
    (root / 'other' / 'b.txt').write_text('edited\n')
    assert changes(root) == [('modified', 'other/b.txt'), ('new', 'other/new.txt')]
    assert recorded(root, 'other/b.txt') == 'edited\n'
    assert recorded(root, 'other/new.txt') == 'new\n'


def test_a_monitor_that_says_nothing_changed_is_not_believed(root):
    hook = root / '.git' / 'monitor'
    hook.write_text('#!/bin/sh\nprintf "token\\0"\n')
    hook.chmod(0o755)
    git(root, 'config', 'core.fsmonitor', '.git/monitor')
    git(root, 'update-index', '--fsmonitor')
    git(root, 'status')
    (root / CONFIG).write_text(EDITED)
    assert git(root, 'status', '--porcelain') == '', 'the monitor errs'
    assert changes(root) == [('modified', CONFIG)] and recorded(root, CONFIG) == EDITED


def test_an_edit_of_the_same_size_and_time_is_seen(root):
    for name, value in {'core.trustctime': 'false', 'core.checkStat': 'minimal'}.items():
        git(root, 'config', name, value)
    os.utime(root / CONFIG, (1e9, 1e9))
    git(root, 'update-index', '--refresh')
    time.sleep(1.1)  # this git looks at whole seconds of the time that no program can set
    (root / CONFIG).write_text('lr = 0.2\n')
    os.utime(root / CONFIG, (1e9, 1e9))
    assert git(root, 'status', '--porcelain') == ''
    assert changes(root) == [('modified', CONFIG)] and recorded(root, CONFIG) == 'lr = 0.2\n'


def test_a_new_file_is_seen_with_an_untracked_cache_and_where_status_shows_none(root):
    git(root, 'config', 'core.untrackedCache', 'true')
    git(root, 'config', 'status.showUntrackedFiles', 'no')
    git(root, 'update-index', '--force-untracked-cache')
    git(root, 'status')
    (root / 'code' / 'sub' / 'new.py').write_text('')
    assert changes(root) == [('new', 'code/sub/new.py')]


def test_a_split_index_is_read(root):
    git(root, 'update-index', '--split-index')
    git(root, 'update-index', '--assume-unchanged', CONFIG)
    (root / CONFIG).write_text(EDITED)
    assert changes(root) == [('modified', CONFIG)] and recorded(root, CONFIG) == EDITED


def test_a_file_that_is_only_announced_is_new(root):
    (root / 'new.py').write_text('n = 1\n')
    (root / 'gone.py').write_text('')
    git(root, 'add', '--intent-to-add', 'new.py', 'gone.py')
    (root / 'gone.py').unlink()
    assert changes(root) == [('new', 'new.py')] and recorded(root, 'new.py') == 'n = 1\n'


def test_what_was_staged_and_taken_back_is_no_change(root):
    (root / CONFIG).write_text(EDITED)
    (root / 'staged.txt').write_text('x')
    git(root, 'add', '-A')
    (root / CONFIG).write_text(small_repository.FILES[CONFIG])
    (root / 'staged.txt').unlink()
    git(root, 'rm', '-q', '--cached', 'data.csv')
    assert len(git(root, 'status', '--porcelain').splitlines()) == 4
    assert changes(root) == [] and tree(root) == tree_of_head(root)


def test_a_file_taken_out_of_the_index_and_ignored_is_deleted_and_one_forced_in_is_new(root):
    (root / '.gitignore').write_text('*.csv\n')
    small_repository.commit(root, 'ignore')
    git(root, 'rm', '-q', '--cached', 'data.csv')
    (root / 'forced.csv').write_text('2\n')
    git(root, 'add', '-f', 'forced.csv')
    assert changes(root) == [('deleted', 'data.csv'), ('new', 'forced.csv')]
    assert recorded(root, 'forced.csv') == '2\n'
    assert 'data.csv' not in git(root, 'ls-tree', '--name-only', tree(root)).split()


def test_a_touched_file_is_no_change_and_a_mode_is_one_where_git_looks_at_it(root):
    os.utime(root / CONFIG, (2e9, 2e9))
    assert changes(root) == []
    (root / CONFIG).chmod(0o755)
    assert changes(root) == [('modified', CONFIG)] and tree(root) != tree_of_head(root)
    git(root, 'config', 'core.fileMode', 'false')
    assert changes(root) == [] and tree(root) == tree_of_head(root)


def test_a_file_that_became_a_folder_or_a_link_is_told(root):
    (root / 'data.csv').unlink()
    (root / 'data.csv').mkdir()
    (root / 'data.csv' / 'a').write_text('a')
    (root / 'README.md').unlink()
    (root / 'README.md').symlink_to('code/main.py')
    assert changes(root) == [
        ('deleted', 'data.csv'),
        ('modified', 'README.md'),
        ('new', 'data.csv/a'),
    ]
    assert recorded(root, 'data.csv/a') == 'a'


@pytest.mark.parametrize(
    'content', [b'lr = 0.1\r\nb = 2\r\n', b'lr = 0.1\nb = 2\n', b'lr = 0.1\r\nb = 2\n']
)
@pytest.mark.parametrize('value', ['true', 'input'])
def test_line_endings_are_gits_own(root, value, content):
    (root / CONFIG).write_bytes(b'lr = 0.1\nb = 2\n')
    small_repository.commit(root, 'two lines')
    git(root, 'config', 'core.autocrlf', value)
    (root / CONFIG).write_bytes(content)
    assert changes(root) == [] and tree(root) == tree_of_head(root)
    (root / CONFIG).write_bytes(content.replace(b'0.1', b'0.2'))
    assert changes(root) == [('modified', CONFIG)]
    expected = b'lr = 0.2\nb = 2\n'
    assert Repository.at(root).content(CONFIG) == expected
    assert recorded(root, CONFIG).encode() == expected


def test_files_that_are_looked_at_again_leave_the_users_index_as_it_is(root):
    git(root, 'config', 'core.autocrlf', 'true')
    (root / CONFIG).write_bytes(b'lr = 0.1\r\n')
    os.utime(root / 'data.csv', (2e9, 2e9))
    assert changes(root) == []


def test_a_file_that_git_holds_with_crlf_keeps_it_under_autocrlf(root):
    (root / CONFIG).write_bytes(b'lr = 0.1\r\nb = 2\r\n')
    small_repository.commit(root, 'CRLF in git')
    git(root, 'config', 'core.autocrlf', 'true')
    (root / CONFIG).write_bytes(b'lr = 0.2\r\nb = 2\r\n')
    git(root, 'add', CONFIG)
    assert Repository.at(root).content(CONFIG) == b'lr = 0.2\r\nb = 2\r\n'
    before = git(root, 'rev-parse', f':{CONFIG}').strip()
    assert git(root, 'rev-parse', f'{tree(root)}:{CONFIG}').strip() == before


@pytest.mark.parametrize(
    'attribute, here, there',
    [
        ('text eol=crlf', b'lr = 0.2\r\n', b'lr = 0.2\n'),
        ('-text', b'lr = 0.2\r\n', b'lr = 0.2\r\n'),
        ('filter=upper', b'lr = 0.2\n', b'LR = 0.2\n'),
        ('working-tree-encoding=UTF-16', 'lr = 0.2\n'.encode('utf-16'), b'lr = 0.2\n'),
        ('ident', b'lr = 0.2  # $Id: 123 $\n', b'lr = 0.2  # $Id$\n'),
    ],
)
def test_a_file_goes_through_gits_own_filters(root, attribute, here, there):
    (root / '.gitattributes').write_text(f'code/config.py {attribute}\n')
    git(root, 'config', 'filter.upper.clean', 'tr a-z A-Z')
    git(root, 'config', 'core.autocrlf', 'true')
    (root / CONFIG).write_bytes(here)
    objects = list((root / '.git' / 'objects').rglob('*'))
    assert Repository.at(root).content(CONFIG) == there
    assert list((root / '.git' / 'objects').rglob('*')) == objects, 'nothing is left in git'
    blob = f'{tree(root)}:{CONFIG}'
    done = subprocess.run(
        ['git', 'cat-file', 'blob', blob], cwd=root, check=True, capture_output=True
    )
    assert done.stdout == there


@pytest.mark.parametrize('is_staged', [False, True])
@pytest.mark.parametrize('form', ['absolute', 'relative', 'dangling', 'committed'])
def test_folders_that_are_links_are_not_recorded(root, tmp_path, form, is_staged):
    (root / '__result__').mkdir()
    (root / '__result__' / 'README.md').write_text('results\n')
    (root / '.gitignore').write_text('/__result__/*\n!/__result__/README.md\n__data__/\n')
    small_repository.commit(root, 'folders')
    (tmp_path / 'disk').mkdir()
    target = {'relative': '../disk', 'dangling': '/nowhere'}.get(form, tmp_path / 'disk')
    (root / '__result__' / 'README.md').unlink()
    (root / '__result__').rmdir()
    for name in ('__result__', '__data__'):
        (root / name).symlink_to(target)
    if form == 'committed':
        small_repository.commit(root, 'the links')
        (root / '__result__').unlink()
        (root / '__result__').symlink_to('/another/disk')
    if is_staged:
        git(root, 'add', '-A')
    assert changes(root) == [] and tree(root) == tree_of_head(root)
    (root / CONFIG).write_text(EDITED)
    assert changes(root) == [('modified', CONFIG)]
    assert git(root, 'diff', '--name-only', 'HEAD', tree(root)).split() == [CONFIG]


def test_a_repository_inside_is_told_apart_with_and_without_a_commit(root):
    for name in ('with', 'without', 'empty'):
        subprocess.run(['git', 'init', '-q', root / 'inner' / name], check=True)
        if name != 'empty':
            (root / 'inner' / name / 'a.txt').write_text('a')
    git(root / 'inner' / 'with', 'add', '-A')
    identity = ('-c', 'user.name=x', '-c', 'user.email=x')
    git(root / 'inner' / 'with', *identity, 'commit', '-qm', 'x')
    subprocess.run(['git', 'init', '-q', '--bare', root / 'bare.git'], check=True)
    found = changes(root)
    assert [path for what, path in found if what == 'repository'] == [
        'inner/empty',
        'inner/with',
        'inner/without',
    ]
    assert ('new', 'bare.git/HEAD') in found, 'a bare one is files'


@pytest.mark.parametrize('hide', ['--skip-worktree', '--assume-unchanged', 'core.fsmonitor'])
@pytest.mark.parametrize('depth', [1, 2])
def test_a_change_that_is_hidden_in_a_submodule_is_seen(root, tmp_path, hide, depth):
    library = small_repository.make(tmp_path / 'library')
    add = ('-c', 'protocol.file.allow=always', 'submodule', '-q', 'add')
    if depth == 2:
        outer = small_repository.make(tmp_path / 'outer')
        git(outer, *add, str(library), 'inner')
        small_repository.commit(outer, 'inner')
        library = outer
    git(root, *add, str(library), 'module')
    small_repository.commit(root, 'module')
    changed = root / 'module'
    if depth == 2:
        git(changed, '-c', 'protocol.file.allow=always', 'submodule', '-q', 'update', '--init')
        changed = changed / 'inner'
    assert changes(root) == []
    if hide == 'core.fsmonitor':
        git(changed, 'config', hide, r'printf "token\0" #')
        git(changed, 'update-index', '--fsmonitor')
    else:
        git(changed, 'update-index', hide, CONFIG)
    git(changed, 'status')
    (changed / CONFIG).write_text(EDITED)
    assert changes(root) == [('submodule', 'module')]


def test_an_index_is_not_copied_where_git_hides_nothing(root):
    repository = Repository.at(root)
    with index.taken(repository.top, repository.directory, for_writing=False) as env:
        assert env == {}
    with index.taken(repository.top, repository.directory) as env:
        assert env['GIT_INDEX_FILE'] != str(repository.directory / 'index')


def test_a_copy_of_the_index_is_gone_afterwards_and_a_folder_that_is_not_there_is_named(root):
    with index.temporary(root / '.git') as env:
        assert os.path.exists(env['GIT_INDEX_FILE'])
    assert not os.path.exists(env['GIT_INDEX_FILE'])
    with pytest.raises(GitError, match='none cannot be written'), index.temporary(root / 'none'):
        pass


def test_without_a_commit_all_is_new(tmp_path):
    subprocess.run(['git', 'init', '-q', tmp_path / 'p'], check=True)
    (tmp_path / 'p' / 'a').write_text('a')
    git(tmp_path / 'p', 'add', 'a')
    git(tmp_path / 'p', 'update-index', '--assume-unchanged', 'a')
    (tmp_path / 'p' / 'a').write_text('b')
    repository = Repository.at(tmp_path / 'p')
    assert repository.changes() == [Change('new', 'a')]
    assert repository.file(repository.write_tree(None, {}, everything=True), 'a') == b'b'


@pytest.mark.parametrize('form', ['sha1', 'sha256'])
def test_blobs_are_put_into_a_copy_with_their_mode_and_paths_removed(tmp_path, form):
    subprocess.run(['git', 'init', '-q', f'--object-format={form}', tmp_path / 'p'], check=True)
    root = tmp_path / 'p'
    for name in ('a', 'b'):
        (root / name).write_text(name)
    (root / 'a').chmod(0o755)
    git(root, 'add', '-A')
    repository = Repository.at(root)
    blob = repository.store(b'new')
    with index.temporary(repository.directory) as env:
        index.put(root, env, {'a': blob, 'c': blob}, ['b'])
        entries = repository.git('ls-files', '-s', env=env)
    assert entries == f'100755 {blob} 0\ta\n100644 {blob} 0\tc\n'
    assert git(root, 'ls-files').split() == ['a', 'b']
