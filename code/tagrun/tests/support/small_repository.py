"""A git repository of a few small files, in a folder called a 'b; c': for tests of core/git that
need no template.

root = small_repository.make(tmp_path); git(root, 'log')
"""

import subprocess
from pathlib import Path

FILES = {'code/main.py': 'print(1)\n', 'code/config.py': 'lr = 0.1\n', 'README.md': 'A project.\n'}


def make(parent: Path, project: str = '') -> Path:
    """Make the repository with one commit; the folder of the project, which may lie below its
    top.
    """
    top = parent / "a 'b; c"
    root = top / project
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(top, 'init', '-q', '-b', 'main')
    git(top, 'config', 'user.name', 'A Tester')
    git(top, 'config', 'user.email', 'tester@example.org')
    commit(top, 'start')
    return root


def commit(folder: Path, message: str) -> str:
    """Commit all that differs; the commit's id."""
    git(folder, 'add', '-A')
    git(folder, 'commit', '-qm', message)
    return git(folder, 'rev-parse', 'HEAD').strip()


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(['git', *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
