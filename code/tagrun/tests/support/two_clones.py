"""Two people who share runs: their clones of one bare repository.

pair = make_pair(root, stub_project.make(root / 'al ice'))
pair.alice.tagrun('share', '--all'); pair.bob.tagrun('fetch')
"""

import os
import subprocess

from project_factory import Project


class Pair:
    """Alice's and Bob's clones of one bare repository."""

    def __init__(self, root):
        self.root, self.hub = root, root / 'hub.git'
        self.alice, self.bob = (Project(root / name) for name in ("al ice", "b 'ob; c"))

    def refs(self):
        """{ref: id} of the hub, branches left out."""
        rows = self.alice.git(
            '-C', self.hub, 'for-each-ref', '--format=%(refname) %(objectname)'
        ).split('\n')
        return {row.split(' ')[0]: row.split(' ')[1] for row in rows if row and 'heads' not in row}

    def plant(self, ref, files, parent=None, modes=()):
        """Put a commit of {path: bytes} into the hub under a ref; its id."""

        def git(*words, data=None, env=None):
            return (
                subprocess.run(
                    ['git', *words],
                    cwd=self.hub,
                    input=data,
                    capture_output=True,
                    check=True,
                    env={**os.environ, **(env or {})},
                )
                .stdout.decode()
                .strip()
            )

        index = {'GIT_INDEX_FILE': str(self.root / 'planted')}
        git('read-tree', '--empty', env=index)
        for path, content in files.items():
            blob = git('hash-object', '-w', '--stdin', data=content)
            git(
                'update-index',
                '--add',
                '--cacheinfo',
                f'{dict(modes).get(path, "100644")},{blob},{path}',
                env=index,
            )
        words = [
            '-c',
            'user.name=Eve',
            '-c',
            'user.email=eve@example.org',
            'commit-tree',
            git('write-tree', env=index),
            '-m',
            'result of it',
        ]
        commit = git(*words, *(['-p', parent] if parent else []))
        git('update-ref', ref, commit)
        return commit


def make_pair(root, made):
    """Two clones of what Alice made, which is not shared yet."""
    subprocess.run(['git', 'init', '-q', '--bare', '-b', 'main', root / 'hub.git'], check=True)
    made.git('config', 'user.name', 'Alice')
    made.git('remote', 'add', 'origin', '../hub.git')
    made.git('push', '-q', 'origin', 'main')
    pair = Pair(root)
    made.git('clone', '-q', str(pair.hub), str(pair.bob.root))
    for key, value in {
        'user.name': 'Bob B.',
        'user.email': 'bob@example.org',
        'remote.origin.url': '../hub.git',
    }.items():
        pair.bob.git('config', key, value)
    return pair
