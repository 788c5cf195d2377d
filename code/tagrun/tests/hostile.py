"""What the tests of hostile inputs share: the place they are tried in, the words they have in common, how they are counted.

    @inputs('X5 list lines', 'line', LINES)
    def test_…(scratched, verb, line): …         # COUNTS says how many inputs of each class; X1 to X22 are those of RELIABILITY

Each hostile thing is refused in a sentence or made harmless. After each: no exception but a Refusal, a message without a control
character, the CANARY outside the project as it was, nothing called PWNED anywhere, no file beside the project. Most inputs meet the
functions and verbs in this process; `by hand` ones the real command line. conftest.py makes the fixtures known to every test file.
"""
import importlib
import os
import shutil
from pathlib import Path

import pytest
import stub
from made import listed, run

from tagrun.command.say import Refusal, printable

COUNTS = {}     # {class: inputs of it}
CONTROL = [chr(number) for number in (*range(9), *range(11, 32), *range(127, 160))]


def inputs(kind, argument, values):
    """A test for each of `values`; they count as inputs of the class `kind`."""
    COUNTS[kind] = COUNTS.get(kind, 0) + len(values)
    return pytest.mark.parametrize(argument, values, ids=[f'{kind.partition(" ")[0]}-{number}' for number in range(len(values))])


class Place:
    """A project with runs t1/0, t1/1, base/0 that were made by hand and real/0 that was run, a canary beside it."""

    def __init__(self, base):
        self.base, self.canary = base, base / 'outside' / 'CANARY'
        self.canary.parent.mkdir(parents=True)
        self.canary.write_text('sings\n')
        self.project = stub.make(base / "a 'b; c")
        self.root = self.project.root
        self.project.tagrun('run', 'real', '--set', 'how=interrupted', code=75)
        for name in ('t1/0', 't1/1', 'base/0'):
            run(self.root, name)
        listed(self.root, 'record', 't1/0', 'base/0')
        self.kept = base.parent / f'{base.name}-kept'
        shutil.copytree(base, self.kept, symlinks=True)

    def restore(self):
        """The project's results and lists as they were."""
        for name in ('__result__', '__statistic__'):
            shutil.rmtree(self.root / name)
            shutil.copytree(self.kept / self.root.name / name, self.root / name, symlinks=True)

    def check(self):
        """Nothing came out of the project, and nothing was run."""
        assert self.canary.read_text() == 'sings\n', 'the canary was touched'
        assert sorted(os.listdir(self.base)) == sorted(['outside', self.root.name]) and os.listdir(self.base / 'outside') == ['CANARY']
        assert not list(self.base.rglob('PWNED*')) and not Path('PWNED').exists()


@pytest.fixture(scope='session')
def shared(tmp_path_factory):
    return Place(tmp_path_factory.mktemp('bad') / 'base')


@pytest.fixture
def place(shared):
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
def verb(monkeypatch, capsys, shared):
    """A function that runs a verb in this process: (exit code, stdout, stderr); an exception but Refusal is a failure of the test."""
    def call(name, *words):
        module = importlib.import_module(f'tagrun.command.{name}')
        monkeypatch.setattr(module, 'ROOT', shared.root)
        monkeypatch.chdir(shared.root)
        capsys.readouterr()
        try:
            code, told = module.main([*words]) or 0, ''
        except Refusal as refusal:
            code, told = refusal.code, printable(refusal)
        except SystemExit as usage:
            code, told = usage.code, ''
        out, err = capsys.readouterr()
        assert not any(letter in out + err + told for letter in CONTROL), 'a control character reached the terminal'
        return code, out, err + told
    return call


# --- words that name nothing, X1 to X4 ---------------------------------------------------------------------------------

INJECTIONS = ['$(touch PWNED)', '`touch PWNED`', 'a;touch PWNED', 'a|touch PWNED', 'a||b', 'a&&touch PWNED', 'a&', 'a>PWNED', 'a<b', "a'b", 'a"b', '$IFS',
              '${IFS}', '$HOME', '%s', '%n%n', '!x', '!!', 'a b', 'a\tb', 'a\nb', 'a\rb', 'a\0b', 'a\x1b[2Jb', 'a\x1b]52;c;eA==\x07', 'a\x7fb', 'a\x9bb', '*',
              '?',
              '[a]', '{a,b}', '#a', '~', 'a\\b', '(a)', 'a:b', 'a,b', '^a', 'a\u2028b', '\ufeffa', 'a\u200bb', '\udcff', 'a\ufe0f', '\u3164', '', ' ']
OPTIONS = ['-', '--', '-rf', '--exec=touch PWNED', '--upload-pack=touch PWNED', '--output=PWNED', '-oPWNED', '--git-dir=/tmp', '--end-of-options', '-c', '-@']
PATHS = ['..', '.', '../x', '../../../tmp/PWNED', 'a/../../x', 'a/b', '/etc/passwd', '/', '//', '~root', '.git', '.hidden', 'a/', 'a//0', 'x.lock', 'a..b',
         'a.', 'CON',
         'con.txt', 'NUL', 'COM1', 'lpt9.x', 'x' * 101, 'é' * 51, 'x' * 300, 'x' * 5000, 'a/0/0', 'a/0/../1', 'file:///etc/passwd', 'C:\\x', '\\\\host\\share',
         '..%2f..%2fx', 'a\u2215b', 't1/-1', 't1/00', 't1/1e3', 't1/٣', 't1/99999999999999999999', 't1/0x0', 't1/0 ', 't1/0/../../..', 't1/7']
REFS = ['HEAD', '@', 'FETCH_HEAD', 'ORIG_HEAD', 'MERGE_HEAD', '@{u}', '@{-1}', 'HEAD~1', 'HEAD^', 'main:code', 'a' * 40, '0' * 64, 'refs/tags/a',
        'refs/heads/main',
        'e\u0301', 'a\u202eb', 'a@{0}', '@nosuchset', '@../record', '@/etc/passwd']


# --- what stands for a file ---------------------------------------------------------------------------------------------

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
