"""core/git/remotes.py: two clones of one bare repository; nothing at the remote is overwritten."""

import shutil
import subprocess

import pytest
import small_repository

from tagrun.core.git import remotes
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository

CODE, OTHER = 'refs/tagrun/code/t1/0', 'refs/tagrun/code/t1/1'


@pytest.fixture
def root(tmp_path):
    root = small_repository.make(tmp_path)
    small_repository.git(tmp_path, 'init', '-q', '--bare', 'hub')
    small_repository.git(root, 'remote', 'add', 'origin', str(tmp_path / 'hub'))
    return root


@pytest.fixture
def repository(root):
    return Repository.at(root)


def test_remotes_are_named_and_their_urls_show_no_login(root, repository):
    url = 'https://bob:secret@host.org/x.git'
    small_repository.git(root, 'remote', 'add', 'backup', url)
    assert remotes.names(repository) == ['backup', 'origin']
    assert remotes.url(repository, 'backup') == 'https://host.org/x.git'
    with pytest.raises(GitError):
        remotes.url(repository, 'none')


def test_what_is_pushed_is_there_and_never_overwritten(root, repository):
    head = repository.resolve('HEAD')
    remotes.push(repository, 'origin', {CODE: head}, {})
    assert remotes.advertised(repository, 'origin') == {CODE: head}
    other = repository.commit_tree(repository.make_tree({}), None, 'unrelated')
    for created, updated in (({CODE: other}, {}), ({OTHER: head}, {CODE: other})):
        with pytest.raises(GitError):
            remotes.push(repository, 'origin', created, updated)
    assert remotes.advertised(repository, 'origin') == {CODE: head}


def test_a_ref_goes_on_to_a_child(repository):
    head = repository.resolve('HEAD')
    remotes.push(repository, 'origin', {CODE: head}, {})
    child = repository.commit_tree(repository.make_tree({}), head, 'child')
    remotes.push(repository, 'origin', {OTHER: head}, {CODE: child}, patience_s=30)
    pattern = 'refs/tagrun/*/1'
    assert remotes.advertised(repository, 'origin', pattern, patience_s=30) == {OTHER: head}
    assert remotes.advertised(repository, 'origin')[CODE] == child


def test_only_the_refs_asked_for_are_fetched(root, repository, tmp_path):
    head = repository.resolve('HEAD')
    remotes.push(repository, 'origin', {CODE: head, 'refs/tags/t1': head}, {})
    small_repository.git(tmp_path, 'clone', '-q', '--no-tags', str(tmp_path / 'hub'), 'clone')
    clone = Repository.at(tmp_path / 'clone')
    place = 'refs/tagrun/remote/origin/code/'
    remotes.fetch(clone, 'origin', [f'+refs/tagrun/code/*:{place}*'])
    assert clone.refs('refs/', ('refname', 'objectname')) == [[f'{place}t1/0', head]]
    assert not (clone.directory / 'FETCH_HEAD').exists()


def test_what_the_remote_lacks_is_weighed(root, repository):
    first = repository.resolve('HEAD')
    (root / 'README.md').write_text('more\n')
    second = small_repository.commit(root, 'second')
    commits, size = remotes.weight(repository, [second], [first, '1' * 40])
    assert commits == 1 and 0 < size < 1000
    assert remotes.weight(repository, [second], [second]) == (0, 0)


def test_a_value_is_added_to_the_settings_it_has(root, repository):
    for value in ('one', 'two'):
        remotes.add_config(repository, 'remote.origin.fetch', value)
    output = small_repository.git(root, 'config', '--get-all', 'remote.origin.fetch')
    assert output.split()[-2:] == ['one', 'two']


def test_a_git_that_nobody_watches_asks_nothing_and_does_not_wait_for_ever(
    root, monkeypatch, tmp_path
):
    monkeypatch.delenv('GIT_SSH_COMMAND', raising=False)
    ssh = tmp_path / 'ssh'
    ssh.write_text(f'#!/bin/sh\necho "$@ $GIT_TERMINAL_PROMPT" > "{tmp_path}/asked"\nexit 1\n')
    ssh.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    small_repository.git(root, 'remote', 'add', 'far', 'ssh://host.invalid/x')
    with pytest.raises(GitError):
        remotes.advertised(Repository.at(root), 'far', patience_s=7)
    words = (tmp_path / 'asked').read_text()
    assert 'BatchMode=yes' in words and 'ConnectTimeout=7' in words and words.endswith(' 0\n')
    # the user's own way of reaching it is left alone
    small_repository.git(root, 'config', 'core.sshCommand', 'ssh -p 2222')
    with pytest.raises(GitError):
        remotes.advertised(Repository.at(root), 'far', patience_s=7)
    words = (tmp_path / 'asked').read_text()
    assert '-p 2222' in words and 'BatchMode' not in words


@pytest.mark.parametrize('before, after', [('v1', 'v1/x'), ('v1/x', 'v1')])
def test_a_name_that_became_a_folder_of_names_and_the_reverse_are_fetched(
    root, repository, before, after
):
    remote = root.parent / 'other.git'
    for name in (before, after):
        subprocess.run(['git', 'init', '-q', '--bare', remote], check=True)
        subprocess.run(['git', 'remote', 'add', 'other', remote], cwd=root, check=False)
        commit = repository.resolve('HEAD')
        remotes.push(repository, 'other', {f'refs/tags/{name}': commit}, {})
        remotes.fetch(repository, 'other', ['+refs/tags/*:refs/tagrun/remote/other/tag/*'])
        rows = repository.refs('refs/tagrun/remote/other')
        assert [row[0] for row in rows] == [f'refs/tagrun/remote/other/tag/{name}']
        shutil.rmtree(remote)
