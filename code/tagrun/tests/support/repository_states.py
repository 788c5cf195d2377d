"""States that a repository can be in: G1 to G25 of RELIABILITY.

    WORK['a detached HEAD'](project)
    prepare, reason = REFUSE['a merge']; prepare(project)

Each function takes a stub project with the tags t1 and t2, and brings its repository there.
"""

import os
import subprocess
from pathlib import Path

from worktree import dirty

IDENTITY = ('-c', 'user.name=A', '-c', 'user.email=a@example.org')


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


def submodule(project, path='lib', dirtied=False):
    """A submodule below the project."""
    library = project.root.parent / 'library'
    subprocess.run(['git', 'init', '-q', library], check=True)
    subprocess.run(
        ['git', '-C', library, *IDENTITY, 'commit', '-q', '--allow-empty', '-m', 'x'], check=True
    )
    project.git(
        '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', str(library), path
    )
    project.commit('with a submodule')
    if dirtied:
        (project.root / path / 'new.py').write_text('x\n')


def sparse(project):
    (project.root / 'papers').mkdir()
    (project.root / 'papers' / 'a.txt').write_text('a\n')
    project.commit('papers')
    project.git('sparse-checkout', 'set', '--cone', 'code')
    assert not (project.root / 'papers').exists()


def hostile_names(project):
    for name in (
        'a\nb',
        'tab\tquote"',
        '-rf',
        ' lead',
        'ü',
        b'\xff\xfe.txt',
        '*',
        ':(exclude)x',
        'a\\b',
    ):
        path = os.path.join(os.fsencode(project.root), b'notes', os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_text('x\n')


def lfs_pointer(project):
    (project.root / 'code' / 'weights.bin').write_text(
        'version https://git-lfs.github.com/spec/v1\noid sha256:' + 'a' * 64 + '\nsize 12345\n'
    )
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
    for name in (
        'pre-commit',
        'commit-msg',
        'reference-transaction',
        'post-checkout',
        'post-index-change',
    ):
        path = project.root / '.git' / 'hooks' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\ntouch HOOKED\nexit 1\n')
        path.chmod(0o755)
    project.git('config', 'commit.gpgSign', 'true')
    project.git('config', 'tag.gpgSign', 'true')


def index_of(version):
    def change(project):
        project.git('update-index', '--index-version', version)
        project.git(
            'update-index', *(['--split-index'] if version == '3' else ['--untracked-cache'])
        )

    return change


# run, continue and rerun work
WORK = {
    'a clean tree': lambda project: None,
    'a dirty tree': dirty,
    'a detached HEAD': lambda project: project.git('checkout', '-q', '--detach'),
    'a bisect': bisect,
    'hooks that fail and signing': hooks,
    'a branch of the same name': same_name_branch,
    'a submodule': submodule,
    'a sparse checkout': sparse,
    'file names that hurt': hostile_names,
    'a pointer of git LFS': lfs_pointer,
    'a split index': index_of('3'),
    'index version 4': index_of('4'),
    'an unborn branch': lambda project: project.git('checkout', '-q', '--orphan', 'fresh'),
    'packed refs': lambda project: project.git('pack-refs', '--all', '--prune'),
    'gc': lambda project: project.git('gc', '-q', '--prune=now'),
    'a repacked repository': lambda project: project.git('repack', '-adq'),
    'autocrlf': lambda project: project.git('config', 'core.autocrlf', 'true'),
    'a stash': lambda project: (
        project.edit('model.py', 'none', 'one'),
        project.git('stash', '-q'),
    ),
    'an unset identity': lambda project: [
        project.git('config', '--unset', f'user.{key}') for key in ('name', 'email')
    ],
    'an invalid identity': lambda project: project.git('config', 'user.name', '<>'),
    'a commit that is replaced': lambda project: project.git(
        'replace', '-f', 'HEAD', project.git('commit-tree', 'HEAD^{tree}', '-m', 'another').strip()
    ),
    'intent to add': lambda project: (
        (project.root / 'new.txt').write_text('x\n'),
        project.git('add', '-N', 'new.txt'),
    ),
    'files assumed unchanged': lambda project: project.git(
        'update-index', '--assume-unchanged', 'code/model.py'
    ),
}
# `run` refuses, with this reason; the others go on with the tag's own code
REFUSE = {
    'a merge': (lambda project: conflict(project, 'merge', 'other'), 'a merge is under way'),
    'a rebase': (lambda project: conflict(project, 'rebase', 'other'), 'a rebase is under way'),
    'a cherry-pick': (
        lambda project: conflict(project, 'cherry-pick', 'other'),
        'a cherry-pick is under way',
    ),
    'a revert': (revert, 'a revert is under way'),
    'a stash that did not fit': (stash_conflict, 'code/model.py is unmerged'),
    'a dirty submodule': (
        lambda project: submodule(project, dirtied=True),
        'the submodule lib has uncommitted changes',
    ),
    'a submodule in code/': (
        lambda project: submodule(project, path='code/lib'),
        'code/lib is a submodule',
    ),
    'a filter that is missing': (required_filter, 'git lfs install'),
    'a tag of the name': (lambda project: project.git('tag', 't9'), "the tag 't9' exists"),
    'a tag of the name in capitals': (
        lambda project: project.git('tag', 'T9'),
        "there is a tag 'T9'",
    ),
    'no code/main.py': (
        lambda project: (project.git('rm', '-q', 'code/main.py'), project.commit('gone')),
        'code/main.py is missing',
    ),
    'no code/config.py': (
        lambda project: (project.git('rm', '-q', 'code/config.py'), project.commit('gone')),
        'code/config.py',
    ),
    'a config.py that is not UTF-8': (
        lambda project: (project.root / 'code' / 'config.py').write_bytes(b'lr = "\xff"\n'),
        'not UTF-8',
    ),
}
