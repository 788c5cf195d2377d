"""The text of a command's help: wrapped to the terminal, examples first, one layout for all.

    print(render(parser, Text('Show it.', '', ()), terminal_width()))

It reads the parser's own arguments. What argparse would print differs between versions of Python.
"""

import argparse
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

NARROWEST, WIDEST = 40, 100
NARROW = 60  # below it, what an option does stands on a line of its own
LEFT = 27  # columns at most for options and arguments
RIGHT = 30  # columns at least for what an example does
Row = tuple[str, str]


class Text(NamedTuple):
    """What a help has beside the arguments."""

    summary: str  # one line
    prose: str
    examples: tuple[Row, ...]  # ('show first', 'its runs')


class Group(NamedTuple):
    """Arguments that stand together in a help."""

    title: str
    rows: list[Row]  # ('-m, --message WHY', 'why, for the tag')


def terminal_width() -> int:
    """Return how many columns a help may have: those of the terminal, from 40 to 100; else 80."""
    columns = os.environ.get('COLUMNS', '')
    width = int(columns) if columns.isdecimal() else 0
    if width <= 0:
        try:
            width = os.get_terminal_size(sys.stdout.fileno()).columns
        except (OSError, ValueError, AttributeError):
            width = 0
    return min(max(width or 80, NARROWEST), WIDEST)


def summary_and_prose(doc: str) -> tuple[str, str]:
    """Return the first line of a docstring, and the rest."""
    summary, _, prose = textwrap.dedent(doc).strip().partition('\n')
    return summary, textwrap.dedent(prose).strip('\n')


def columns(line: str) -> Row:
    """Return (left, right) of a line that two blanks or more part in two."""
    left, _, right = re.sub(r'(?<=\S) {2,}', '\0', line.strip(), count=1).partition('\0')
    return left, right


# --- what a parser has -------------------------------------------------------------------------


def usage(parser: argparse.ArgumentParser) -> str:
    """Return 'tagrun run [options] [tag]'."""
    actions = parser._actions
    has_options = any(_is_shown(a) and a.option_strings and a.dest != 'help' for a in actions)
    words = [parser.prog] + ['[options]'] * has_options
    return ' '.join([*words, *(_positional(a) for a in actions if not a.option_strings)])


def option_strings(parser: argparse.ArgumentParser) -> list[str]:
    """Return all names of the options that the help shows."""
    shown = [action for action in parser._actions if _is_shown(action)]
    return [name for action in shown for name in action.option_strings]


def groups(parser: argparse.ArgumentParser) -> list[Group]:
    """Return the arguments in groups, without those that the help hides; --help comes last."""
    found = []
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if _is_shown(action)]
        actions.sort(key=lambda action: action.dest == 'help')
        if actions:
            rows = [(_invocation(action), _explanation(action)) for action in actions]
            found.append(Group(group.title or '', rows))
    return found


def value_name(action: argparse.Action) -> str:
    """Return what stands for the value of an argument: 'WHY', 'asc|desc', 'run'."""
    if isinstance(action.metavar, str):
        return action.metavar
    if action.option_strings and action.choices:
        return '|'.join(map(str, action.choices))
    return action.dest.upper() if action.option_strings else action.dest


def _is_shown(action: argparse.Action) -> bool:
    return action.help is not argparse.SUPPRESS


def _positional(action: argparse.Action) -> str:
    name = value_name(action)
    shapes = {'?': '[{}]', '*': '[{} …]', '+': '{} …'}
    return shapes.get(str(action.nargs), '{}').format(name)


def _invocation(action: argparse.Action) -> str:
    """Return '-m, --message WHY', or 'run' of a positional argument."""
    if not action.option_strings:
        return value_name(action)
    names = ', '.join(action.option_strings)
    if action.nargs == 0:
        return names
    more = ' …' if action.nargs in ('*', '+') else ''
    return f'{names} {value_name(action)}{more}'


def _explanation(action: argparse.Action) -> str:
    values = {key: value for key, value in vars(action).items() if isinstance(key, str)}
    return (action.help or '') % values


# --- the layout --------------------------------------------------------------------------------


def render(parser: argparse.ArgumentParser, text: Text, width: int) -> str:
    """Return the help of a command, no line of it longer than `width`."""
    lines = wrapped(parser.format_usage(), width, hanging='    ')
    if text.examples:
        lines += ['', 'examples:', *_example_lines(text.examples, width)]
    lines += ['', *wrapped(text.summary, width), *_prose_lines(text.prose, width)]
    shown = groups(parser)
    column = _column([row for group in shown for row in group.rows], width)
    for group in shown:
        lines += ['', f'{group.title}:', *two_columns(group.rows, column, width)]
    return '\n'.join(lines) + '\n'


def wrapped(text: str, width: int, indent: str = '', hanging: str | None = None) -> list[str]:
    """Return the lines of a paragraph. What stands in backquotes is not parted, if it is short."""
    text = re.sub('`[^`]{1,30}`', _glued, ' '.join(text.split()))
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else indent + hanging,
        break_on_hyphens=False,
    )
    return [line.replace('\xa0', ' ') for line in lines]


def two_columns(rows: Iterable[Row], column: int, width: int) -> list[str]:
    """Return rows with the right part from `column` on, below the left one if that is longer."""
    lines = []
    for left, right in rows:
        text = wrapped(right, width, ' ' * column)
        above = [f'  {line}' for line in _command_lines(left, width - 2)]
        if text and len(above) == 1 and len(above[0]) + 2 <= column:
            above = [above[0] + text.pop(0)[len(above[0]) :]]
        lines += [*above, *text]
    return lines


def _glued(match: re.Match[str]) -> str:
    return match[0].replace(' ', '\xa0')


def _column(rows: Sequence[Row], width: int) -> int:
    """Return where the right column of options begins."""
    if width < NARROW:
        return 8
    return min(max(len(left) for left, _ in rows) + 4, LEFT)


def _example_lines(rows: Sequence[Row], width: int) -> list[str]:
    lefts = [len(left) for left, right in rows if right and len(left) + 5 + RIGHT <= width]
    if width < NARROW or not lefts:
        return two_columns(rows, 6, width)
    return two_columns(rows, max(lefts) + 5, width)


def _command_lines(command: str, width: int) -> list[str]:
    """Return a command that can be typed as it stands: a line that is parted ends with a \\."""
    if len(command) <= width:
        return [command]
    # not within quotes, nor between an option and its value
    text = re.sub(r"'[^']*'|\"[^\"]*\"|--?[a-z-]+ (?=[^-])", _glued, command)
    lines = textwrap.wrap(text, width - 2, subsequent_indent='    ', break_on_hyphens=False)
    return [line.replace('\xa0', ' ') for line in [*(f'{x} \\' for x in lines[:-1]), lines[-1]]]


def _prose_lines(prose: str, width: int) -> Iterator[str]:
    """Yield the lines of a docstring's rest: paragraphs, and lists of indented lines."""
    for block in filter(None, re.split(r'\n[ \t]*\n', prose)):
        yield ''
        yield from _block_lines(block.splitlines(), width)


def _block_lines(lines: Sequence[str], width: int) -> Iterator[str]:
    for is_list, part in itertools.groupby(lines, lambda line: line.startswith(' ')):
        if is_list:
            yield from _list_lines([_list_row(line) for line in part], width)
        else:
            yield from wrapped(' '.join(part), width)


def _list_row(line: str) -> Row:
    number = re.match(r' *(\d+\.|-) +(.*)', line)
    return (number[1], number[2]) if number else columns(line)


def _list_lines(rows: Sequence[Row], width: int) -> list[str]:
    return two_columns(rows, min(max(len(left) for left, _ in rows) + 4, width // 2), width)
