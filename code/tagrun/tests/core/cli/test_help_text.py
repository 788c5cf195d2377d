"""core/cli/help_text.py: the help of a command, at every width."""

import argparse
import os
import re
import shlex
import subprocess

import pytest

from tagrun.core import finder
from tagrun.core.cli import help_text
from tagrun.core.cli.parser import argument_parser

DOC = """Show it.

More about it, and `git config tagrun.x` in a sentence that is longer than forty columns.

A list:
    one=1         the first
    'two=(1,2)'   the second, whose words go on and on until the line is full
    1. a step, whose words go on and on until the line is full, and further
After it.
"""
EXAMPLES = (
    'show x   one',
    "show 'a b' --seeds 3 --name 'one two three' --priority -5 more words here    many",
    'show',
)


@pytest.fixture
def parser():
    parser = argument_parser('show', DOC, EXAMPLES)
    parser.add_argument('run', nargs='*', help='a run')
    parser.add_argument('--seeds', metavar='COUNT', type=int, default=4, help='%(default)s runs')
    parser.add_argument('--phase', nargs='+', choices=('train', 'val'), help='phases')
    parser.add_argument('--secret', help=argparse.SUPPRESS)
    group = parser.add_argument_group('Slurm')
    group.add_argument('-j', '--jobs-at-once-and-more', metavar='N', help='many')
    parser.add_argument_group('empty')
    return parser


def rendered(parser, width):
    return help_text.render(parser, parser.text, width)


def test_examples_come_first_then_the_prose_then_the_options_in_groups(parser):
    text = rendered(parser, 80)
    parts = ('usage:', 'examples:', 'Show it.', 'More', 'arguments:', 'options:', 'Slurm:')
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.startswith('usage: tagrun show [options] [run …]\n\nexamples:\n  show x   one\n')
    assert 'secret' not in text and 'empty' not in text
    assert re.search(r'--seeds COUNT +4 runs\n', text)
    assert re.search(r'--phase train[|]val … +phases\n  -h, --help +show this help\n\nSlurm:', text)


def test_a_list_of_the_docstring_has_columns_too(parser):
    text = rendered(parser, 80)
    assert "A list:\n  one=1        the first\n  'two=(1,2)'  the second" in text
    assert '\n  1.           a step' in text and '\nAfter it.\n' in text


@pytest.mark.parametrize('width', range(help_text.NARROWEST, help_text.WIDEST + 1))
def test_every_line_fits_and_short_code_is_not_parted(width, parser):
    text = rendered(parser, width)
    assert max(map(len, text.splitlines())) <= width
    assert '`git config tagrun.x`' in text


@pytest.mark.parametrize('width', (40, 57, 80, 100))
def test_every_line_of_every_command_fits(width):
    for name in finder.command_files():
        parser = finder.command(name).build_parser()
        for line in rendered(parser, width).splitlines():
            assert len(line) <= width, f'{name}: {line}'


@pytest.mark.parametrize('width', (40, 50, 80))
def test_an_example_that_is_parted_is_the_same_to_a_shell(width, parser):
    text = rendered(parser, width)
    block = text.partition('examples:\n')[2].partition('\n\n')[0]
    start = block.index("  show 'a b'")
    words = shlex.split(help_text.columns(EXAMPLES[1])[0])[1:]
    script = 'show() { printf "%s\\n" "$@"; exit; }\n' + block[start:]
    done = subprocess.run(['bash', '-c', script], capture_output=True, text=True)
    shown = done.stdout.splitlines()
    # where there is room, what it does stands behind it
    assert shown[: len(words)] == words and shown[len(words) :] in ([], ['many'])


@pytest.mark.parametrize(
    'columns, width',
    [('', 80), ('0', 80), ('x', 80), ('-3', 80), ('10', 40), ('72', 72), ('300', 100)],
)
def test_the_width_is_that_of_the_terminal_within_bounds(columns, width, monkeypatch):
    def no_terminal(descriptor):
        raise OSError

    monkeypatch.setattr(os, 'get_terminal_size', no_terminal)
    monkeypatch.setenv('COLUMNS', columns)
    assert help_text.terminal_width() == width


def test_a_docstring_that_is_missing_or_begins_on_its_second_line_does():
    assert help_text.summary_and_prose('') == ('', '')
    assert help_text.summary_and_prose('\n    One.\n\n    Two.\n') == ('One.', 'Two.')
    assert argument_parser('show', None, ()).format_help().startswith('usage: tagrun show\n')
