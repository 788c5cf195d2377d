"""Tab in real shells on real terminals: what is typed, Tab, and then the line as the shell has it."""
import os
import re
import shutil
import subprocess
import time

import pexpect
import pytest

from tagrun.tests.conftest import CODE

SHELLS = {'bash': ['--norc', '--noprofile', '-i'], 'zsh': ['-f', '-i']}
COMPLETION = '. code/tagrun/completion.sh'
LIMIT_S = 1     # loosely, for a busy machine: the aim is 0.05


@pytest.fixture
def place(tmp_path):
    """A project with some runs, of which nothing but the names and one statistic.json matter."""
    root = tmp_path / "a 'b; c"
    shutil.copytree(CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__', 'tests', 'bench'))
    for name in ('mlp/0', 'mlp/1', 'mlp/10', 'first/0', 'lr=0.1@x/0', 'scratch/0'):
        (root / '__result__' / name).mkdir(parents=True)
    (root / '__result__' / 'README.md').write_text('what lies here\n')
    lists = root / '__statistic__' / 'exper-list'
    lists.mkdir(parents=True)
    (lists / 'record.txt').write_text('mlp\n')
    (lists / 'finished.txt').write_text('first/0\nmlp/0\n')
    (root / '__result__' / 'mlp' / '0' / 'statistic.json').write_text(
        '{\n  "seed": 1,\n  "metric": {\n    "val/top1": 0.9\n  },\n  "hparam": {\n    "width_mult": 2,\n    "phases": [\n      "train"\n    ]\n  }\n}\n')
    return root


class Shell:
    """A shell at a terminal, in the project, with the short names and completion."""

    def __init__(self, name, root, before=':'):
        path = shutil.which(name) or pytest.skip(f'{name} is not installed')
        self.name = name
        env = {'PATH': os.environ['PATH'], 'HOME': str(root), 'TERM': 'dumb', 'LANG': 'C.UTF-8', 'CI': 'true'}
        self.terminal = pexpect.spawn(path, SHELLS[name], cwd=str(root), env=env, encoding='utf-8', dimensions=(50, 200), timeout=20)
        self.terminal.delaybeforesend = None
        self.say('PS1="> "; PS2=""' + ('; bind "set enable-bracketed-paste off"' if name == 'bash' else '; unsetopt zle_bracketed_paste prompt_sp; autoload -U compinit; compinit -D'))
        for line in (before, '. code/source.sh', COMPLETION):
            self.say(line)

    def say(self, line):
        """Run a line; what it printed."""
        self.terminal.sendline(f"{line}\necho 'EN''D'")
        self.terminal.expect('END\r?\n')
        return self.terminal.before

    def tab(self, typed):
        """The line that `typed` and a Tab make; no line is run but an echo of it."""
        self.terminal.send(typed + '\t')
        time.sleep(0.15)
        self.terminal.send('\x01echo "GOT:\x05<"\r')
        self.terminal.expect(r'\nGOT:(.*?)<\r?\n')
        return self.terminal.match[1].rstrip()      # zsh takes its own blank back when the line is edited

    def listed(self, typed):
        """The words that Tab, twice, offers."""
        self.terminal.send(typed + '\t\t\t')
        time.sleep(0.3)
        self.terminal.send("\x15echo 'EN''D'\r")
        self.terminal.expect('END\r?\n')
        return set(re.split(r'\s+', self.terminal.before))


@pytest.fixture(params=SHELLS)
def shell(request, place):
    return Shell(request.param, place)


@pytest.mark.parametrize('typed, line', [
    ('tagrun exp', 'tagrun expls'), ('continue fir', 'continue first'), ('con fir', 'con first'), ('rerun mlp/10', 'rerun mlp/10'),
    ('tagrun continue fir', 'tagrun continue first'), ('itb first @rec', 'itb first @record'), ('itb @las', 'itb @last'), ('table rec', 'table record'),
    ('itb lr=0', 'itb lr=0.1@x'), ('itb lr=0.1@', 'itb lr=0.1@x'), ('record --to fin', 'record --to finished'), ('run wide --see', 'run wide --seeds'),
    ('run wide --set hid', 'run wide --set hidden='), ('run wide --set lr=1 hid', 'run wide --set lr=1 hidden='), ('table --sort-by val', 'table --sort-by val/top1'),
    ('table --keep wid', 'table --keep width_mult'), ('expls nothing-such', 'expls nothing-such')])
def test_tab_completes(shell, typed, line):
    assert shell.tab(typed) == line


def test_a_tag_that_is_alone_offers_its_runs_too(shell):
    assert {'mlp', 'mlp/0', 'mlp/1', 'mlp/10'} <= shell.listed('itb ml')


def test_a_new_tag_is_not_completed_to_one_that_exists(shell):
    assert shell.tab('run fir') == 'run fir'


def test_only_folders_of_runs_are_offered(shell):
    offered = shell.listed('expls ')
    assert {'mlp', 'first', 'scratch'} <= offered and 'README.md' not in offered


def test_it_completes_in_a_folder_below_the_project(shell):
    shell.say('cd code/tagrun')
    assert shell.tab('continue fir') == 'continue first'


@pytest.mark.parametrize('name, options', [('bash', 'set -u; shopt -s failglob nullglob; set -f; IFS=,'), ('zsh', 'setopt nounset nullglob shwordsplit ksharrays'),
                                           ('zsh', 'setopt nounset noglob globsubst')])
def test_it_works_with_options_of_the_users_own(name, options, place):
    shell = Shell(name, place)
    shell.say(options)
    assert shell.tab('continue fir') == 'continue first'
    assert shell.tab('run wide --set hid') == 'run wide --set hidden='


@pytest.mark.parametrize('name, question', [('bash', 'shopt -p; set -o; compgen -v'), ('zsh', 'setopt; typeset +')])
def test_it_leaves_options_and_variables_as_they_were(name, question, place):
    def settled(text):
        return {line for line in text.splitlines() if not re.match(r'_tagrun|_$|RANDOM|SECONDS|BASH|EPOCH|LINENO|COMP|_comp|.*_comp|compstate', line)}
    shell = Shell(name, place)
    shell.say(COMPLETION), shell.tab('continue fir')
    before = settled(shell.say(question))
    assert shell.tab('continue fir') == 'continue first'
    assert settled(shell.say(question)) == before


def test_a_name_that_is_the_users_own_keeps_its_completion(place):
    shell = Shell('bash', place, before='title() { :; }')
    assert 'no completion' in shell.say('complete -p title') and '_tagrun_bash' in shell.say('complete -p table')


def test_zsh_without_compinit_is_left_in_peace(place):
    zsh = shutil.which('zsh') or pytest.skip('zsh is not installed')
    done = subprocess.run([zsh, '-f', '-i', '-c', f'. code/source.sh; {COMPLETION}; echo well'], cwd=place, capture_output=True, text=True)
    assert done.stdout == 'well\n' and 'compdef' not in done.stderr


@pytest.mark.parametrize('name', SHELLS)
def test_ten_thousand_tags_are_completed_at_once(name, place):
    for number in range(10_000):
        (place / '__result__' / f'e{number:05}').mkdir()
    shell, best_s = Shell(name, place), 9
    for _ in range(5):
        shell.terminal.send('continue e012')
        shell.terminal.expect_exact('e012')
        begin = time.monotonic()
        shell.terminal.send('34\t')
        shell.terminal.expect_exact('34 ')
        best_s = min(best_s, time.monotonic() - begin)
        shell.terminal.send('\x15\r')
    print(f'\n{name}: {1000 * best_s:.0f} ms a Tab with 10,000 tags')
    assert best_s < LIMIT_S
