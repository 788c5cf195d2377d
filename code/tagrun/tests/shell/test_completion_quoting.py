"""Tab and Enter with names that somebody else chose: the program gets them, and nothing runs."""

import json
import os
import shutil

import pexpect
import pytest
from project_factory import CODE

SHELLS = {'bash': ['--norc', '--noprofile', '-i'], 'zsh': ['-f', '-i']}
# what a metric of a fetched run may be called, after the phase
NAMES = [
    'zz;touch${IFS}PWNED;#',
    '$(touch PWNED)',
    '`touch PWNED`',
    '${IFS}',
    '$HOME',
    '$PATH x',
    '$((1+1))',
    "$'\\n'",
    'a;touch PWNED',
    'a&touch PWNED',
    'a&&touch PWNED',
    'a|touch PWNED',
    'a||touch PWNED',
    'a>PWNED',
    'a>>PWNED',
    'a<PWNED',
    '<(touch PWNED)',
    '>(touch PWNED)',
    '(touch PWNED)',
    '{touch,PWNED}',
    '{a..c}',
    'a b',
    ' a',
    'a ',
    'a  b',
    "it's",
    "'a'",
    "'",
    '"a"',
    '"',
    '\'"',
    '"; touch PWNED; "',
    "'; touch PWNED; '",
    '\\',
    'a\\',
    'a\\ b',
    '\\$HOME',
    '*',
    '?',
    '[a-z]',
    '**/*',
    '!!',
    '!x',
    'a!b',
    '!$',
    '^a^b',
    '#a',
    'a#b',
    '~',
    '~root',
    'a~',
    '=ls',
    'a=~',
    'a=b',
    'a:~',
    'a:b',
    'a@b',
    '-rf',
    '--help',
    '%s%n',
    'é',
    '学习率',
    '😀 x',
    'e\u0301',
    'a,b',
    '(N)',
    '(e:touch PWNED:)',
]
# what no command could get
HIDDEN = ['a\nb', 'a\tb', '\x1b[2Jb', 'a\rtouch PWNED', 'a\x07', 'a\x7fb', 'a\x9bb', 'a\0b']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A project with a finished run whose metrics have these names."""
    root = tmp_path_factory.mktemp('quoting') / "a 'b; c"
    shutil.copytree(CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__', 'tests'))
    folder = root / '__result__' / 'mlp' / '0'
    folder.mkdir(parents=True)
    lists = root / '__statistic__' / 'exper-list'
    lists.mkdir(parents=True)
    (lists / 'finished.txt').write_text('mlp/0\n')
    for name in ("x'; touch PWNED;'", 'x$(touch PWNED)', '-x', 'x\ny'):
        (lists / f'{name}.txt').write_text('')
        (root / '__result__' / name / '0').mkdir(parents=True)
    metrics = {metric(name): 0.5 for name in NAMES + HIDDEN}
    text = json.dumps({'metric': metrics}, indent=2, ensure_ascii=False)
    (folder / 'statistic.json').write_text(text + '\n')
    return root


def metric(name):
    """Return the whole name of a metric, and so that two characters tell it from the others."""
    return f'm{(NAMES + HIDDEN).index(name):02d}/{name}'


class Shell:
    """A shell at a terminal, where `table` prints what it is given."""

    def __init__(self, name, root):
        path = shutil.which(name) or pytest.skip(f'{name} is not installed')
        self.name, self.root = name, root
        env = {'PATH': os.environ['PATH'], 'HOME': str(root), 'TERM': 'dumb', 'LANG': 'C.UTF-8'}
        self.terminal = pexpect.spawn(
            path,
            SHELLS[name],
            cwd=str(root),
            env={**env, 'CI': 'true'},
            encoding='utf-8',
            dimensions=(50, 300),
            timeout=60,
        )
        self.terminal.delaybeforesend = None
        setting = 'bind "set enable-bracketed-paste off"'
        if name == 'zsh':
            setting = 'unsetopt zle_bracketed_paste prompt_sp; autoload -U compinit; compinit -D'
        for line in (
            f'PS1="> "; PS2=""; {setting}',
            '. code/source.sh',
            '. code/tagrun/completion.sh',
            "table() { printf 'GOT<%s>END\\n' \"${@: -1}\"; }",
        ):
            self.terminal.sendline(f"{line}\necho 'RE''ADY'")
            self.terminal.expect('READY\r?\n')

    def given(self, typed):
        """Return the last word that the program gets after a Tab and Enter."""
        self.terminal.send(f'table --sort-by {typed}\t\r')
        if self.terminal.expect(['GOT<(.*?)>END\r?\n', pexpect.TIMEOUT], timeout=10):
            # a quote that is open still: the line goes on
            self.terminal.sendintr()
            self.terminal.expect('> ')
            return None
        return self.terminal.match[1]


@pytest.fixture(scope='module', params=SHELLS)
def shell(request, root):
    shell = Shell(request.param, root)
    yield shell
    assert not list(root.rglob('PWNED*'))
    shell.terminal.close(force=True)


@pytest.mark.parametrize('name', NAMES)
def test_what_tab_inserts_is_the_name_and_runs_nothing(shell, name):
    whole = metric(name)
    assert shell.given(whole[:4]) == whole
    assert not (shell.root / 'PWNED').exists()


@pytest.mark.slow
@pytest.mark.parametrize('quote', ["'", '"'])
@pytest.mark.parametrize('name', NAMES)
def test_within_a_quote_that_was_typed_it_is_the_name_too(shell, name, quote):
    whole = metric(name)
    assert shell.given(quote + whole[:4]) == whole
    assert not (shell.root / 'PWNED').exists()


@pytest.mark.parametrize('quote', ["'", '"'])
@pytest.mark.parametrize('name', NAMES[:1] + ["it's", '"', 'a!b', 'a b', '\\'])
def test_quotes_of_both_kinds_are_closed(shell, name, quote):
    assert shell.given(quote + metric(name)[:4]) == metric(name)


@pytest.mark.parametrize('name', HIDDEN)
def test_a_name_with_a_control_character_is_not_offered(shell, name):
    assert shell.given(metric(name)[:4]) == metric(name)[:4]


# the shell waits for more: each takes its time
WAITING = ["'x", '-', 'm01/$(touch PWNED', 'm01/`', 'm08/"a;']


@pytest.mark.parametrize(
    'typed', ['x', '@x', *(pytest.param(word, marks=pytest.mark.slow) for word in WAITING)]
)
def test_what_no_run_or_set_can_be_called_is_not_offered(shell, typed):
    shell.given(f'a {typed}')
    shell.given(typed)
    assert not (shell.root / 'PWNED').exists()


@pytest.mark.parametrize('typed', ['m21/a\\ ', 'm33/\\', 'm00/zz\\;to', 'm25/it\\'])
def test_a_word_that_was_quoted_by_hand_is_completed(shell, typed):
    number = int(typed[1:3])
    assert shell.given(typed) == metric(NAMES[number])
