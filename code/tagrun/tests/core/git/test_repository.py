"""core/git/repository.py: commits, trees, refs and settings of a real repository; the user's
branch, index and files stay as they are.
"""

import subprocess

import pytest
import small_repository

from tagrun.core.cli.messages import UserError
from tagrun.core.git.index import TEMPORARY
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Entry, Repository

MAIN = small_repository.FILES['code/main.py'].encode()


@pytest.fixture
def root(tmp_path):
    return small_repository.make(tmp_path)


@pytest.fixture
def repository(root):
    return Repository.at(root)


@pytest.fixture
def below(tmp_path):
    """A repository whose project lies below its top."""
    return Repository.at(small_repository.make(tmp_path, 'research/one'))


def test_refs_are_created_all_or_none(project):
    repository = Repository.at(project.root)
    head = repository.resolve('HEAD')
    repository.create_refs({'refs/tagrun/code/a/0': head})
    with pytest.raises(GitError):
        repository.create_refs({'refs/tagrun/code/b/0': head, 'refs/tagrun/code/a/0': head})
    assert repository.resolve('refs/tagrun/code/b/0') is None


def test_changes_are_named_by_kind_with_every_path_whole(project):
    (project.root / 'new "file"\n2').write_text('x')
    (project.root / 'code' / 'seed').unlink()
    project.git('mv', 'code/model.py', 'code/modell.py')
    project.edit('epoch.py', 'One phase', 'A phase')
    found = {(change.what, change.path) for change in Repository.at(project.root).changes()}
    assert found == {
        ('new', 'new "file"\n2'),
        ('deleted', 'code/seed'),
        ('deleted', 'code/model.py'),
        ('new', 'code/modell.py'),
        ('modified', 'code/epoch.py'),
    }


def test_where_git_cannot_work_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(UserError, match='git init'):
        Repository.at(tmp_path)
    subprocess.run(['git', 'init', '-q', '--bare', tmp_path / 'bare'], check=True)
    with pytest.raises(UserError, match='bare repository'):
        Repository.at(tmp_path / 'bare')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(UserError, match='git is not installed'):
        Repository.at(tmp_path)


def test_a_folder_with_a_line_break_is_refused(tmp_path):
    folder = tmp_path / 'a\nb'
    folder.mkdir()
    with pytest.raises(UserError, match='line break'):
        Repository.at(folder)


def test_a_repository_whose_work_tree_is_elsewhere_is_refused(root, tmp_path):
    small_repository.git(root, 'config', 'core.worktree', str(tmp_path / 'elsewhere'))
    with pytest.raises(UserError, match='elsewhere from here: git config --unset core.worktree'):
        Repository.at(root)


def test_variables_of_another_commands_repository_do_not_count(root, monkeypatch, tmp_path):
    monkeypatch.setenv('GIT_DIR', str(tmp_path / 'elsewhere'))
    monkeypatch.setenv('GIT_INDEX_FILE', str(tmp_path / 'index'))
    assert Repository.at(root).top == root.resolve()


def test_a_project_may_lie_below_the_top(below):
    assert below.prefix == 'research/one/' and below.root == below.top / 'research' / 'one'
    head = below.resolve('HEAD')
    assert below.file(head, 'code/main.py') == MAIN
    assert [entry.path for entry in below.tree(head, 'code')] == ['config.py', 'main.py']
    tree = below.write_tree(head, {'code/new.py': b'x'})
    assert below.git('ls-tree', '-r', '--name-only', tree, 'research/one/code/new.py')


def test_a_linked_work_tree_shares_the_git_folder(root, tmp_path):
    small_repository.git(root, 'worktree', 'add', '-q', str(tmp_path / 'linked'))
    linked = Repository.at(tmp_path / 'linked')
    assert linked.common == Repository.at(root).directory and linked.directory != linked.common


def test_settings_are_those_of_tagrun_in_any_case_and_the_last_value_counts(root):
    for name, value in (
        ('tagrun.Remote', 'backup'),
        ('tagrun.slurm.mem', '32G'),
        ('tagrun.slurm.partition', 'a\nb'),
        ('tagrun.curves', 'off'),
    ):
        small_repository.git(root, 'config', name, value)
    small_repository.git(root, 'config', '--add', 'tagrun.Remote', 'second')
    repository = Repository.at(root)
    assert repository.config('remote') == 'second' and repository.config('none') is None
    assert repository.settings('slurm') == {'mem': '32G', 'partition': 'a\nb'}
    assert repository.flag('curves', True) is False and repository.flag('none', True) is True
    assert repository.git_config('user.name') == 'A Tester'


def test_a_name_without_a_value_is_true(root):
    with open(root / '.git' / 'config', 'a') as file:
        file.write('[tagrun]\n\tshare\n')
    assert Repository.at(root).flag('share') is True


def test_who_the_user_is_or_a_stand_in(root, monkeypatch):
    assert Repository.at(root).author() == 'A Tester'
    for name in ('user.name', 'user.email'):
        small_repository.git(root, 'config', '--unset', name)
    small_repository.git(root, 'config', 'user.useConfigOnly', 'true')
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', '/dev/null')
    monkeypatch.setenv('GIT_CONFIG_SYSTEM', '/dev/null')
    repository = Repository.at(root)
    assert repository.author() == 'Tagrun'
    tree = repository.make_tree({'a': b'x'})
    commit = repository.commit_tree(tree, None, 'one')
    assert 'committer Tagrun <tagrun@localhost>' in repository.git('cat-file', 'commit', commit)


def test_only_a_commit_is_resolved(repository):
    head = repository.resolve('HEAD')
    assert head and repository.resolve('refs/heads/main') == head == repository.resolve(head)
    assert repository.resolve(f'{head}:code') is None
    assert repository.resolve('--all') is None and repository.resolve('none') is None


def test_an_ancestor_is_one_only_if_both_are_here(root, repository):
    first = repository.resolve('HEAD')
    (root / 'README.md').write_text('more\n')
    second = small_repository.commit(root, 'second')
    assert repository.is_ancestor(first, second) and not repository.is_ancestor(second, first)
    assert not repository.is_ancestor('1' * 40, second)


def test_files_of_a_commit_are_listed_and_read(repository):
    head = repository.resolve('HEAD')
    entries = repository.tree(head, 'code')
    assert [entry.path for entry in entries] == ['config.py', 'main.py']
    assert entries[1] == Entry('100644', 'blob', repository.store(MAIN), 'main.py')
    assert repository.file(head, 'code/main.py') == MAIN
    assert repository.file(head, 'code/none.py') is None


def test_many_objects_are_read_at_once(repository):
    ids = [repository.store(content) for content in (b'', b'a\nb', b'\0\xff missing\n')]
    assert list(repository.blobs([*ids, ids[0]]).values()) == [b'', b'a\nb', b'\0\xff missing\n']
    assert repository.blobs([]) == {}
    with pytest.raises(GitError, match='is missing'):
        repository.blobs([ids[0], '1' * 40])
    assert repository.blobs(['1' * 40, ids[1]], missing=None) == {'1' * 40: None, ids[1]: b'a\nb'}


def test_the_ids_and_kinds_of_what_is_here(repository):
    head = repository.resolve('HEAD')
    names = [f'{head}:code', f'{head}:none', head]
    assert list(repository.ids(names)) == [f'{head}:code', head] and repository.ids([]) == {}
    kinds = repository.kinds([*names, f'{head}:code/main.py'])
    assert {name: kind for name, (kind, _) in kinds.items()} == {
        f'{head}:code': 'tree',
        head: 'commit',
        f'{head}:code/main.py': 'blob',
    }
    assert kinds[f'{head}:code/main.py'][1] == len(MAIN) and repository.kinds([]) == {}


def test_a_tree_is_written_and_the_users_index_stays(root, repository):
    (root / 'staged.py').write_text('x')
    small_repository.git(root, 'add', 'staged.py')
    (root / 'new.py').write_text('y')
    before = (root / '.git' / 'index').read_bytes()
    head = repository.resolve('HEAD')
    of_commit = repository.write_tree(head, {'code/seed': b'7\n'})
    of_all = repository.write_tree(head, {'code/seed': b'7\n'}, everything=True)
    names = ['README.md', 'code/config.py', 'code/main.py', 'code/seed']
    listing = repository.git('ls-tree', '-r', '--name-only', of_commit)
    assert listing.split() == names
    listing = repository.git('ls-tree', '-r', '--name-only', of_all)
    assert listing.split() == [*names, 'new.py', 'staged.py']
    assert (root / '.git' / 'index').read_bytes() == before
    assert not list(repository.directory.glob(TEMPORARY + '*'))


def test_a_git_folder_that_cannot_be_written_is_one_sentence(repository, tmp_path):
    repository.directory = tmp_path / 'none'
    with pytest.raises(GitError, match='none cannot be written'), repository.temporary_index():
        pass


def test_a_patch_is_applied_to_a_commits_tree_or_refused(root, repository):
    head = repository.resolve('HEAD')
    (root / 'code' / 'config.py').write_text('lr = 0.5\n')
    patch = small_repository.git(root, 'diff').encode()
    tree = repository.patched_tree(head, patch)
    assert repository.file(tree, 'code/config.py') == b'lr = 0.5\n'
    with pytest.raises(GitError):
        repository.patched_tree(head, patch.replace(b'lr = 0.1', b'lr = 0.2'))


def test_commits_and_tags_are_made_on_no_branch(repository):
    head = repository.resolve('HEAD')
    tree = repository.make_tree({'b': b'2', 'a': b'1'})
    assert repository.git('ls-tree', '--name-only', tree).split() == ['a', 'b']
    first = repository.commit_tree(tree, None, 'a\0b \udcff')
    merge = repository.commit_tree(tree, head, 'merge', first)
    assert repository.git('log', '-1', '--format=%P', merge).split() == [head, first]
    assert repository.git('log', '-1', '--format=%P%B', first).strip() == 'ab \\udcff'
    tag = repository.make_tag('t1', head, 'first words\n\nmore\n\n')
    assert repository.git('cat-file', 'tag', tag).endswith('\n\nfirst words\n\nmore\n')
    assert repository.resolve(tag) == head and repository.resolve('HEAD') == head


def test_refs_are_listed_updated_and_packed(repository):
    head = repository.resolve('HEAD')
    other = repository.commit_tree(repository.make_tree({}), head, 'other')
    one, two = 'refs/tagrun/code/t1/0', 'refs/tagrun/result/t1/0'
    repository.update_refs({one: (head, None), two: (head, None)})
    with pytest.raises(GitError):
        repository.update_refs({one: (other, head), two: (other, other)})
    assert repository.refs('refs/tagrun/', ('refname', 'objectname')) == [[one, head], [two, head]]
    repository.set_ref(one, other, head)
    with pytest.raises(GitError):
        repository.set_ref(one, head, head)
    with pytest.raises(GitError):
        repository.set_ref(one, head)  # it is not new
    rows = repository.refs('refs/tagrun/code', ('refname', 'parent'), ['refs/heads'])
    assert sorted(rows) == [['refs/heads/main', ''], [one, head]]
    repository.pack_refs()
    assert repository.resolve(one) == other and not (repository.common / one).exists()


def test_a_ref_is_found_whatever_the_case_of_its_letters(repository):
    head = repository.resolve('HEAD')
    repository.create_refs({'refs/tagrun/code/Tag/0': head})
    assert repository.alike('refs/tagrun/code/tAG/0') == ['refs/tagrun/code/Tag/0']
    assert repository.alike('refs/tagrun/code/ta/0') == []


def test_differences_leave_paths_out_and_no_program_of_the_users_makes_them(root, capfd):
    (root / 'code' / 'config.py').write_text('lr = 0.5\n')
    (root / 'code' / 'main.py').write_text('print(2)\n')
    small_repository.commit(root, 'second')
    small_repository.git(root, 'config', 'diff.external', 'false')
    repository = Repository.at(root)
    second = repository.resolve('HEAD')
    first = repository.git('rev-parse', 'HEAD^').strip()
    text = repository.diff(first, second, 'code', '!code/main.py')
    assert '+lr = 0.5' in text and 'print' not in text
    assert repository.show_diff([first, second], ['code'], '--no-ext-diff', '--stat') == 0
    assert 'main.py' in capfd.readouterr().out


def test_a_diff_with_the_work_tree_shows_a_file_that_a_flag_hides(root, repository, capfd):
    small_repository.git(root, 'update-index', '--skip-worktree', 'code/config.py')
    (root / 'code' / 'config.py').write_text('lr = 0.25\n')
    assert repository.show_diff([repository.resolve('HEAD')], ['code']) == 0
    assert '+lr = 0.25' in capfd.readouterr().out


def test_patches_of_many_pairs_of_trees_come_from_one_process(root, repository):
    first = repository.resolve('HEAD')
    (root / 'code' / 'config.py').write_text('lr = 0.5\n')
    second = small_repository.commit(root, 'second')
    one, two = repository.ids([f'{first}:code', f'{second}:code']).values()
    patches = repository.patches([(one, two), (two, one), (one, one)])
    assert b'+lr = 0.5' in patches[one, two] and b'-lr = 0.5' in patches[two, one]
    assert patches.get((one, one), b'') == b'' and repository.patches([]) == {}
