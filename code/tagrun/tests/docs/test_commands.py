"""Each command and option that README.md and docs/ show exists."""

import functools
import re
import runpy

import pytest
from pages import DOCS, FIRST

from tagrun import __main__ as entry
from tagrun.core import finder

SHELL = ('tagrun', 'bash code/source.sh')


@functools.cache
def help_of(command):
    """Return the help of a command, '' if it is not a command of Tagrun."""
    module = finder.command(entry.ALIASES.get(command, command))
    if module is None:
        return ''
    return module.build_parser().format_help()


def command_lines(text):
    """Yield the lines after a prompt, and each piece of code in a sentence or a table."""
    yield from re.findall(r'^\$ (.*)$', text, flags=re.MULTILINE)
    yield from re.findall(r'^ {4}((?:tagrun|bash code/source\.sh|run|continue) .*)$', text, re.M)
    yield from re.findall(r'`([^`]+)`', re.sub(r'^ *```.*?^ *```$', '', text, flags=re.M | re.S))


def commands(text):
    """Yield (command, its options, the line) of what a page shows of Tagrun."""
    for line in command_lines(text):
        for part in re.sub(r'\s+#.*', '', line.replace('\n', ' ')).split(';'):
            words = part.replace('\\', '').split()
            prefix = next((each for each in SHELL if part.strip().startswith(f'{each} ')), '')
            words = words[len(prefix.split()) :]
            is_command = words and re.fullmatch(r'[a-z]+', words[0])
            if is_command and (prefix or help_of(words[0])):
                yield words[0], options(words[1:]), line


def options(words):
    return [word.partition('=')[0] for word in words if re.match(r'--?[a-zA-Z][\w-]*', word)]


def unknown(text):
    """Return what a page shows and Tagrun does not have."""
    wrong = []
    for command, used, line in commands(text):
        known = set(re.findall(r'(?<![\w-])--?[a-zA-Z][\w-]*', help_of(command)))
        if not known or set(used) - known:
            wrong.append(line)
    return wrong


def test_the_page_of_all_commands_is_what_their_parsers_print():
    made = runpy.run_path(str(DOCS / 'make_commands.py'))['page']()
    on_disk = (DOCS / 'commands.md').read_text(encoding='utf-8')
    assert on_disk == made, 'python code/tagrun/docs/make_commands.py'


@pytest.mark.parametrize('page', FIRST, ids=lambda page: page.parent.name + '/' + page.name)
def test_each_command_and_option_of_a_page_exists(page):
    assert unknown(page.read_text(encoding='utf-8')) == []


def test_each_option_that_stands_alone_is_one_of_some_command():
    every = ''.join(help_of(command) for command in finder.command_files())
    for page in FIRST:
        for option in re.findall(r'`(--[a-z-]+)[^`]*`', page.read_text(encoding='utf-8')):
            assert re.search(rf'(?<![\w-]){option}(?![\w-])', every), f'{page.name}: {option}'


@pytest.mark.parametrize(
    'text',
    [
        '$ tagrun nothing t1',
        'type `tagrun plt t1` to see',
        '`run t1 --sed 5`',
        '    tagrun sweep t1 lr=0.1 --seed 3',
        '| `tagrun share`, `fetch --allways` | bring |',
        '$ record t1; table --gruop',
    ],
)
def test_a_wrong_command_or_option_is_found(text):
    assert unknown(text)
