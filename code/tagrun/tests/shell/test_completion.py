"""Tab in real shells on real terminals: what is typed, and the line after Tab."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time

import pexpect
import pytest
from project_factory import CODE

from tagrun.core import finder

SHELLS = {'bash': ['--norc', '--noprofile', '-i'], 'zsh': ['-f', '-i']}
COMPLETION = '. code/tagrun/completion.sh'
LIMIT_S = 1  # loosely, for a busy machine: the aim is 0.05


@pytest.fixture
def root(tmp_path):
    """A project with some runs, of which nothing but the names and one statistic.json matter."""
    root = tmp_path / "a 'b; c"
    shutil.copytree(CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__', 'tests'))
    for name in ('mlp/0', 'mlp/1', 'mlp/10', 'first/0', 'lr=0.1@x/0', 'scratch/0'):
        (root / '__result__' / name).mkdir(parents=True)
    (root / '__result__' / 'README.md').write_text('what lies here\n')
    lists = root / '__statistic__' / 'exper-list'
    lists.mkdir(parents=True)
    (lists / 'record.txt').write_text('mlp\n')
    (lists / 'finished.txt').write_text('first/0\nmlp/0\n')
    (root / '__result__' / 'mlp' / '0' / 'statistic.json').write_text(
        '{\n  "seed": 1,\n  "metric": {\n    "val/top1": 0.9\n  },\n  "hparam": {\n    '
        '"width_mult": 2,\n    "phases": [\n      "train"\n    ]\n  }\n}\n'
    )
    return root


class Shell:
    """A shell at a terminal, in the project, with the short names and completion."""

    def __init__(self, name, root, before=':'):
        path = shutil.which(name) or pytest.skip(f'{name} is not installed')
        self.name = name
        env = {
            'PATH': os.environ['PATH'],
            'HOME': str(root),
            'TERM': 'dumb',
            'LANG': 'C.UTF-8',
            'CI': 'true',
        }
        self.terminal = pexpect.spawn(
            path,
            SHELLS[name],
            cwd=str(root),
            env=env,
            encoding='utf-8',
            dimensions=(50, 200),
            timeout=20,
        )
        self.terminal.delaybeforesend = None
        self.say(
            'PS1="> "; PS2=""'
            + (
                '; bind "set enable-bracketed-paste off"'
                if name == 'bash'
                else '; unsetopt zle_bracketed_paste prompt_sp; autoload -U compinit; compinit -D'
            )
        )
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
        # zsh takes its own blank back when the line is edited
        return self.terminal.match[1].rstrip()

    def listed(self, typed):
        """The words that Tab, twice, offers."""
        self.terminal.send(typed + '\t\t\t')
        time.sleep(0.3)
        self.terminal.send("\x15echo 'EN''D'\r")
        self.terminal.expect('END\r?\n')
        return set(re.split(r'\s+', self.terminal.before))


@pytest.fixture(params=SHELLS)
def shell(request, root):
    return Shell(request.param, root)


@pytest.mark.parametrize(
    'typed, line',
    [
        ('tagrun exp', 'tagrun expls'),
        ('continue fir', 'continue first'),
        ('con fir', 'con first'),
        ('rerun mlp/10', 'rerun mlp/10'),
        ('tagrun continue fir', 'tagrun continue first'),
        ('itb first @rec', 'itb first @record'),
        ('itb @las', 'itb @last'),
        ('table rec', 'table record'),
        ('itb lr=0', 'itb lr=0.1@x'),
        ('itb lr=0.1@', 'itb lr=0.1@x'),
        ('record --to fin', 'record --to finished'),
        ('run wide --from fir', 'run wide --from first'),
        ('run wide --weights-from fir', 'run wide --weights-from first'),
        ('continue first --from la', 'continue first --from last'),
        ('run wide --see', 'run wide --seeds'),
        ('run wide --set hid', 'run wide --set hidden='),
        ('run wide --set lr=1 hid', 'run wide --set lr=1 hidden='),
        ('table --sort-by val', 'table --sort-by val/top1'),
        ('table --keep wid', 'table --keep width_mult'),
        ('expls nothing-such', 'expls nothing-such'),
    ],
)
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


@pytest.mark.parametrize(
    'name, options',
    [
        ('bash', 'set -u; shopt -s failglob nullglob; set -f; IFS=,'),
        ('zsh', 'setopt nounset nullglob shwordsplit ksharrays'),
        ('zsh', 'setopt nounset noglob globsubst'),
    ],
)
def test_it_works_with_options_of_the_users_own(name, options, root):
    shell = Shell(name, root)
    shell.say(options)
    assert shell.tab('continue fir') == 'continue first'
    assert shell.tab('run wide --set hid') == 'run wide --set hidden='


@pytest.mark.parametrize(
    'name, question', [('bash', 'shopt -p; set -o; compgen -v'), ('zsh', 'setopt; typeset +')]
)
def test_it_leaves_options_and_variables_as_they_were(name, question, root):
    def settled(text):
        return {
            line
            for line in text.splitlines()
            if not re.match(
                r'_tagrun|_$|RANDOM|SECONDS|BASH|EPOCH|LINENO|COMP|_comp|.*_comp|compstate', line
            )
        }

    shell = Shell(name, root)
    shell.say(COMPLETION), shell.tab('continue fir')
    before = settled(shell.say(question))
    assert shell.tab('continue fir') == 'continue first'
    assert settled(shell.say(question)) == before


def test_a_name_that_is_the_users_own_keeps_its_completion(root):
    shell = Shell('bash', root, before='title() { :; }')
    assert 'no completion' in shell.say('complete -p title') and '_tagrun_bash' in shell.say(
        'complete -p table'
    )


def test_zsh_without_compinit_is_left_in_peace(root):
    zsh = shutil.which('zsh') or pytest.skip('zsh is not installed')
    done = subprocess.run(
        [zsh, '-f', '-i', '-c', f'. code/source.sh; {COMPLETION}; echo well'],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.stdout == 'well\n' and 'compdef' not in done.stderr


@pytest.mark.parametrize('name', SHELLS)
def test_ten_thousand_tags_are_completed_at_once(name, root):
    for number in range(10_000):
        (root / '__result__' / f'e{number:05}').mkdir()
    shell, best_s = Shell(name, root), 9
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


# ---- The options of each command, and of commands that were deleted ----

# itb: they are TensorBoard's, after a --
NOT_IN_HELP = {'itb': {'--host', '--bind_all', '--logdir', '--port', '--path_prefix'}}


def ask(shell, root, script):
    """Run a script with completion.sh in a shell that is not interactive; what it printed."""
    program = shutil.which(shell) or pytest.skip(f'{shell} is not installed')
    bare = ['-f'] if shell == 'zsh' else ['--norc']
    begin = '_tagrun_taken() { return 0; }; _tagrun_home=$PWD; ' + COMPLETION
    done = subprocess.run(
        [program, *bare, '-c', f'{begin}; {script}'],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not done.stderr
    return done.stdout.split()


def options_in_help(command, capsys):
    """The options that `<command> -h` lists."""
    if command == 'proof':  # it gives its process away
        words = [sys.executable, CODE / 'tagrun' / 'bench' / 'proof.py', '-h']
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    else:
        with contextlib.suppress(SystemExit):
            finder.command(command).main(['-h'])
        text = capsys.readouterr().out
    assert text
    heads = re.findall(r'^  (-.*?)(?:   ?|$)', text, re.MULTILINE)
    return set(re.findall(r'(?:^|(?<=, ))--?[A-Za-z][\w-]*', '\n'.join(heads), re.MULTILINE))


@pytest.mark.parametrize('command', sorted(finder.command_files()))
def test_the_options_offered_are_those_of_the_commands_help(command, root, capsys):
    offered = set(ask('bash', root, f'_tagrun_options "$PWD" {command}'))
    expected = options_in_help(command, capsys) | NOT_IN_HELP.get(command, set())
    assert offered == expected | {'-h', '--help'}


def test_both_shells_offer_the_same_options_and_commands(root):
    names = ' '.join(finder.command_files())
    script = f'_tagrun_commands "$PWD"; for n in {names}; do _tagrun_options "$PWD" $n; done'
    bash, zsh = ask('bash', root, script), ask('zsh', root, script)
    assert bash == zsh and set(finder.command_files()) <= set(bash)


@pytest.mark.parametrize('folder', ['sweep', 'sharing', ''])
def test_a_command_that_was_deleted_is_not_offered_and_the_others_are(shell, root, folder):
    shutil.rmtree(root / 'code' / 'tagrun' / 'extra' / folder)
    assert shell.tab('tagrun swe') == ('tagrun sweep' if folder == 'sharing' else 'tagrun swe')
    assert shell.tab('tagrun exp') == 'tagrun expls'
    assert shell.tab('run wide --see') == 'run wide --seeds'
    assert shell.tab('run wide --npr') == 'run wide --nproc'
    assert shell.tab('continue fir') == 'continue first'


def test_the_options_of_an_engine_go_with_its_folder(root):
    assert '--slurm' in ask('bash', root, '_tagrun_options "$PWD" run')
    shutil.rmtree(root / 'code' / 'tagrun' / 'extra' / 'slurm')
    offered = ask('zsh', root, '_tagrun_options "$PWD" run')
    assert '--slurm' not in offered and {'--on', '--priority', '--detach'} <= set(offered)


def test_an_option_of_a_call_over_several_lines_is_found_and_a_hidden_one_is_not(root):
    (root / 'code' / 'tagrun' / 'command' / 'odd.py').write_text(
        'def main(argv):\n'
        "    parser.add_argument('name', help='--not-me')\n"
        '    parser.add_argument(\n'
        "        '-a', '--all', metavar='X',\n"
        "        help='not --this',\n"
        '    )\n'
        '    parser.add_argument(\n'
        '        "-z",\n'
        '        "--zulu-time",\n'
        "        choices=['--nor-this'],\n"
        '    )\n'
        "    parser.add_argument('--hidden', help=argparse.SUPPRESS)\n"
        '    add = parser.add_argument\n'
        "    add('--short', help='--nor-that')\n"
        "    names.add('--never')\n"
    )
    offered = ask('bash', root, '_tagrun_options "$PWD" odd')
    assert offered == ['-a', '--all', '-z', '--zulu-time', '--short', '-h', '--help']


def test_a_word_with_a_backslash_is_compared_as_it_is(root):
    words = r"printf '%s\n' 'a\tb' 'a\nb' ab | _tagrun_matching 'a\t'"
    assert ask('bash', root, words) == [r'a\tb']
