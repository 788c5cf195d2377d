"""core/cli/parser.py: wrong usage is a sentence and a usage line, whatever argparse says."""

import argparse

import pytest

from tagrun.core.cli.parser import argument_parser


@pytest.fixture
def parser():
    parser = argument_parser('show', 'Show it.', ('show x   one',))
    add = parser.add_argument
    add('run')
    add('more', nargs='*')
    add('--seeds', metavar='COUNT', type=int)
    add('--rate', type=float)
    add('--format', choices=('csv', 'md'))
    add('-n', '--number', choices=(1, 2), type=int)
    add('--set', nargs='+')
    add('--hidden', help=argparse.SUPPRESS)
    either = parser.add_mutually_exclusive_group()
    either.add_argument('--diff', action='store_true')
    either.add_argument('--apply', action='store_true')
    return parser


UNKNOWN = [
    (['a', '--seed', '3'], '--seed is not an option; did you mean --seeds?'),
    (['a', '--epochs=3'], '--epochs is not an option\n'),
    (['a', '--hiddn'], '--hiddn is not an option\n'),
    (['a', '-x', 'b'], '-x is not an option\n'),
]
WRONG = [
    (['a', '--seeds'], '--seeds needs a value: --seeds COUNT\n'),
    (['a', '--set'], '--set needs a value: --set SET\n'),
    (['a', '--seeds', 'many'], "--seeds takes a whole number, not 'many'\n"),
    (['a', '--seeds', 'argument x: y'], "--seeds takes a whole number, not 'argument x: y'\n"),
    (['a', '--rate', 'x'], "--rate takes a number, not 'x'\n"),
    (['a', '--format', 'csvv'], "--format takes csv or md, not 'csvv'; did you mean csv?\n"),
    (
        ['a', '--format', "it's (choose from"],
        '--format takes csv or md, not "it\'s (choose from"\n',
    ),
    (['a', '-n', '3'], '--number takes 1 or 2, not 3\n'),
    (['a', '--diff=1'], "--diff takes no value: leave out '1'\n"),
    (['a', '--apply', '--diff'], '--diff and --apply do not go together\n'),
    (['a', '--seeds=--'], '--seeds=--: -- is not a value\n'),
    ([], 'run is missing: show x\n'),
]


def said_of(parse, words, capsys):
    """What is printed of wrong usage."""
    with pytest.raises(SystemExit) as exit:
        parse(words)
    assert exit.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize('words, sentence', [*UNKNOWN, *WRONG])
def test_wrong_usage_is_one_sentence_and_the_usage(words, sentence, parser, capsys):
    said = said_of(parser.parse_args, words, capsys)
    usage = 'usage: tagrun show [options] run [more …]; more: tagrun show -h\n'
    assert said.startswith(f'show: {sentence}') and said.endswith(f'\n{usage}')
    assert said.count('\n') == 2
    if (words, sentence) in WRONG:
        assert said_of(parser.parse_known_args, words, capsys) == said


@pytest.mark.parametrize(
    'words, part',
    [
        (['a', '--seds', '1'], 'mean --seeds?'),
        (['a', '--seeds', 'x'], 'whole'),
        (['a', '--seeds=--'], '-- is not a value'),
    ],
)
def test_words_between_options_are_refused_alike(words, part, capsys):
    parser = argument_parser('show', 'Show it.', ())
    parser.add_argument('tag')
    parser.add_argument('values', nargs='*')
    parser.add_argument('--seeds', type=int)
    assert parser.parse_intermixed_args(['a', '--seeds', '3', 'b']).values == ['b']
    first, second = said_of(parser.parse_intermixed_args, words, capsys).splitlines()
    assert part in first
    assert second == 'usage: tagrun show [options] tag [values …]; more: tagrun show -h'


def test_a_word_too_many_is_named_and_drives_no_terminal(capsys):
    parser = argument_parser('show', 'Show it.', ())
    said = said_of(parser.parse_args, ['a\x1b]0;x'], capsys)
    assert said.startswith("show: 'a") and 'is one word too many\n' in said
    assert '\x1b' not in said


def test_a_sentence_of_the_commands_own_is_printed_as_it_is(parser, capsys):
    said = said_of(parser.error, 'a tag is missing: run first', capsys)
    assert said.startswith('show: a tag is missing: run first\nusage: ')


def test_what_follows_two_dashes_is_not_looked_at(parser):
    assert parser.parse_args(['a', '--', '--seeds=--']).more == ['--seeds=--']
