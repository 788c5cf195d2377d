"""Real bash and zsh, in scripts and on terminals, and a project whose Python is a stand-in.

def test_…(project): run('zsh', '. "$S"; table', project).stdout
"""

import os
import shutil
import subprocess
import sys

import pexpect
import pytest
from project_factory import CODE

SOURCE = CODE / 'source.sh'
SHELLS = [
    pytest.param(
        name, marks=pytest.mark.skipif(not shutil.which(name), reason=f'{name} is not installed')
    )
    for name in ('bash', 'zsh')
]
BARE = {'bash': ['--norc', '--noprofile'], 'zsh': ['-f']}
NAMES = [
    'run',
    'con',
    'resume',
    'rerun',
    're',
    'record',
    'title',
    'table',
    'expls',
    'expels',
    'itb',
]
STAND_IN = '''
import os, sys, time
if sys.argv[1:] == ['wait']:
    print(os.getpid(), flush=True)
    time.sleep(60)
print('CALLED', __file__.split(os.sep)[-4], sys.argv[1:])
sys.exit(len(sys.argv) == 1 and 2)
'''


def make_project(root):
    """Make a project at `root` with the real shell files and a stand-in for Python's side."""
    (root / 'code' / 'tagrun').mkdir(parents=True)
    (root / 'code' / 'tagrun' / '__main__.py').write_text(STAND_IN)
    (root / 'code' / 'requirements.txt').write_text('tabulate==0.10.0\n')
    shutil.copy(SOURCE, root / 'code')
    shutil.copy(SOURCE.with_name('tagrun') / 'completion.sh', root / 'code' / 'tagrun')
    return root


def environment(**more):
    """Return ours, without what chooses a Python, but for TAGRUN_PYTHON."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if name not in ('VIRTUAL_ENV', 'CONDA_PREFIX', 'BASH_ENV', 'ENV')
    }
    return {**ours, 'TAGRUN_PYTHON': sys.executable, **more}


def run(shell, script, cwd, arguments=()):
    """Run a script in a shell that is not interactive; $S is the project's source.sh."""
    return subprocess.run(
        [shutil.which(shell), *BARE[shell], '-c', script, shell, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(S=str(cwd / 'code' / 'source.sh')),
    )


def execute(project, *words, cwd='/', env=None, shell='bash'):
    """Run source.sh itself, as a program."""
    return subprocess.run(
        [shutil.which(shell), project / 'code' / 'source.sh', *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env=env or environment(),
    )


class Terminal:
    """An interactive shell on a terminal of its own.

    A call types a line and returns what came back.
    """

    def __init__(self, shell, cwd):
        editing = (
            ['--noediting']
            if shell == 'bash'
            else ['+o', 'zle', '-o', 'no_prompt_sp', '-o', 'no_prompt_cr']
        )
        self.child = pexpect.spawn(
            shutil.which(shell),
            [*BARE[shell], *editing, '-i'],
            cwd=str(cwd),
            echo=False,
            timeout=60,
            encoding='utf-8',
            dimensions=(40, 1000),
            env=environment(S=str(cwd / 'code' / 'source.sh')),
        )
        self('PS1= PS2=')

    def __call__(self, line):
        self.child.sendline(line)
        self.child.sendline('echo end-of-$((20+22))')
        self.child.expect('end-of-42\r\n')
        return self.child.before.replace('\r\n', '\n')


in_both = pytest.mark.parametrize('shell', SHELLS)
at_both_terminals = pytest.mark.parametrize('terminal', SHELLS, indirect=True)
