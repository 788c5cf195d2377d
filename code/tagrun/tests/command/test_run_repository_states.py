"""`run` in every state of a repository: it works, or refuses, and touches nothing of yours."""

import shutil
import subprocess

import pytest
from project_factory import Project
from worktree import desk

ONE = ('--set', 'steps=1')  # a value of the stub's; its runs end at once anyway


@pytest.mark.parametrize(
    'state',
    [
        'a detached HEAD',
        'an unborn HEAD',
        'a linked worktree',
        'a shallow clone',
        'below a repository',
        'a folder below',
        'no identity',
        'signing and hooks',
        'GIT_DIR set',
        'a sha256 repository',
    ],
)
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
        subprocess.run(
            [
                'git',
                'clone',
                '-q',
                '--depth',
                '1',
                f'file://{stubbed.root}',
                str(tmp_path / 'shallow'),
            ],
            check=True,
        )
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
        env = {
            'GIT_CONFIG_GLOBAL': '/dev/null',
            'GIT_CONFIG_SYSTEM': '/dev/null',
            'HOME': str(tmp_path),
        }
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
        env = {
            'GIT_DIR': '/nonexistent',
            'GIT_INDEX_FILE': '/nonexistent/index',
            'GIT_WORK_TREE': '/nonexistent',
        }
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
    assert (
        f'a {operation} is under way' in told
        and desk(stubbed) == before
        and stubbed.git('tag') == ''
    )
