"""What the tests of hostile inputs share: the project, the common words, the counts.

    @inputs('X5 list lines', 'line', LINES)
    def test_…(scratched, command, line): …

COUNTS has the number of inputs of each class; the classes X1 to X22 are those of RELIABILITY.

Each hostile thing is refused in a sentence or made harmless. After each: no exception but a
UserError, a message without a control character, the CANARY outside the project as it was, nothing
called PWNED anywhere, no file beside the project. Most inputs meet the functions and commands in
this process; `by hand` ones meet the real command line. conftest.py makes the fixtures known to
every test file.
"""

import os
import shutil
from pathlib import Path

import pytest
import stub_project
from run_factory import listed, run

from tagrun.core import finder
from tagrun.core.cli.messages import UserError, printable

COUNTS = {}  # {class: inputs of it}
CONTROL = [chr(number) for number in (*range(9), *range(11, 32), *range(127, 160))]


def inputs(kind, argument, values):
    """Make a test for each of `values`; they count as inputs of the class `kind`."""
    COUNTS[kind] = COUNTS.get(kind, 0) + len(values)
    name = kind.partition(' ')[0]
    ids = [f'{name}-{number}' for number in range(len(values))]
    return pytest.mark.parametrize(argument, values, ids=ids)


class Sandbox:
    """A project with a canary beside it.

    Its runs t1/0, t1/1 and base/0 are made by hand, real/0 was run.
    """

    def __init__(self, base):
        self.base, self.canary = base, base / 'outside' / 'CANARY'
        self.canary.parent.mkdir(parents=True)
        self.canary.write_text('sings\n')
        self.project = stub_project.make(base / "a 'b; c")
        self.root = self.project.root
        self.project.tagrun('run', 'real', '--set', 'how=interrupted', code=75)
        for name in ('t1/0', 't1/1', 'base/0'):
            run(self.root, name)
        listed(self.root, 'record', 't1/0', 'base/0')
        self._copy = base.parent / f'{base.name}-kept'
        shutil.copytree(base, self._copy, symlinks=True)

    def restore(self):
        """Put back the project's results and lists."""
        for name in ('__result__', '__statistic__'):
            shutil.rmtree(self.root / name)
            shutil.copytree(self._copy / self.root.name / name, self.root / name, symlinks=True)

    def check(self):
        """Check that nothing came out of the project, and nothing was run."""
        assert self.canary.read_text() == 'sings\n', 'the canary was touched'
        assert sorted(os.listdir(self.base)) == sorted(['outside', self.root.name])
        assert os.listdir(self.base / 'outside') == ['CANARY']
        assert not list(self.base.rglob('PWNED*')) and not Path('PWNED').exists()


@pytest.fixture(scope='session')
def shared(tmp_path_factory):
    return Sandbox(tmp_path_factory.mktemp('bad') / 'base')


@pytest.fixture
def sandbox(shared):
    """The shared project; what a test leaves there stays for the next, so it must be nothing."""
    yield shared
    shared.check()


@pytest.fixture
def scratched(shared):
    """The shared project, its results made again after the test."""
    yield shared
    shared.check()
    shared.restore()


@pytest.fixture
def command(monkeypatch, capsys, shared):
    """A function that runs a command in this process and returns (exit code, stdout, stderr).

    An exception other than UserError fails the test.
    """

    def call(name, *words):
        module = finder.command(name)
        monkeypatch.setattr(module, 'ROOT', shared.root)
        monkeypatch.chdir(shared.root)
        capsys.readouterr()
        try:
            code, refused = module.main([*words]) or 0, ''
        except UserError as refusal:
            code, refused = refusal.code, printable(refusal)
        except SystemExit as usage:
            code, refused = usage.code, ''
        out, err = capsys.readouterr()
        assert not any(character in out + err + refused for character in CONTROL), (
            'a control character reached the terminal'
        )
        return code, out, err + refused

    return call


# ---- words that name nothing, X1 to X4 ----

INJECTIONS = [
    '$(touch PWNED)',
    '`touch PWNED`',
    'a;touch PWNED',
    'a|touch PWNED',
    'a||b',
    'a&&touch PWNED',
    'a&',
    'a>PWNED',
    'a<b',
    "a'b",
    'a"b',
    '$IFS',
    '${IFS}',
    '$HOME',
    '%s',
    '%n%n',
    '!x',
    '!!',
    'a b',
    'a\tb',
    'a\nb',
    'a\rb',
    'a\0b',
    'a\x1b[2Jb',
    'a\x1b]52;c;eA==\x07',
    'a\x7fb',
    'a\x9bb',
    '*',
    '?',
    '[a]',
    '{a,b}',
    '#a',
    '~',
    'a\\b',
    '(a)',
    'a:b',
    'a,b',
    '^a',
    'a\u2028b',
    '\ufeffa',
    'a\u200bb',
    '\udcff',
    'a\ufe0f',
    '\u3164',
    '',
    ' ',
]
OPTIONS = [
    '-',
    '--',
    '-rf',
    '--exec=touch PWNED',
    '--upload-pack=touch PWNED',
    '--output=PWNED',
    '-oPWNED',
    '--git-dir=/tmp',
    '--end-of-options',
    '-c',
    '-@',
]
PATHS = [
    '..',
    '.',
    '../x',
    '../../../tmp/PWNED',
    'a/../../x',
    'a/b',
    '/etc/passwd',
    '/',
    '//',
    '~root',
    '.git',
    '.hidden',
    'a/',
    'a//0',
    'x.lock',
    'a..b',
    'a.',
    'CON',
    'con.txt',
    'NUL',
    'COM1',
    'lpt9.x',
    'x' * 101,
    'é' * 51,
    'x' * 300,
    'x' * 5000,
    'a/0/0',
    'a/0/../1',
    'file:///etc/passwd',
    'C:\\x',
    '\\\\host\\share',
    '..%2f..%2fx',
    'a\u2215b',
    't1/-1',
    't1/00',
    't1/1e3',
    't1/٣',
    't1/99999999999999999999',
    't1/0x0',
    't1/0 ',
    't1/0/../../..',
    't1/7',
]
REFS = [
    'HEAD',
    '@',
    'FETCH_HEAD',
    'ORIG_HEAD',
    'MERGE_HEAD',
    '@{u}',
    '@{-1}',
    'HEAD~1',
    'HEAD^',
    'main:code',
    'a' * 40,
    '0' * 64,
    'refs/tags/a',
    'refs/heads/main',
    'e\u0301',
    'a\u202eb',
    'a@{0}',
    '@nosuchset',
    '@../record',
    '@/etc/passwd',
]


# ---- what stands for a file ----


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch PWNED',)


def plant(path, content):
    """Put bytes, or what is no file, under a file's name."""
    if path.is_symlink() or path.exists():
        path.unlink()
    if content == 'FIFO':
        os.mkfifo(path)
    elif content == 'FOLDER':
        path.mkdir()
    elif content == 'LOOP':
        path.symlink_to(path.name)
    elif content == 'DEVICE':
        path.symlink_to('/dev/zero')
    else:
        path.write_bytes(content)
