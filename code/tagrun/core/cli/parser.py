"""The parser of each command: short usage, help that fits the terminal, errors of two lines.

    parser = argument_parser('show', __doc__, ('show first   its runs', 'show   all runs'))
    engine = parser.add_argument_group('Slurm')       # options of its own, after the daily ones
    args = parser.parse_args(argv)

argparse does the parsing. Its own texts differ between versions of Python, and are not shown.
"""

import argparse
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from tagrun.core.cli import help_text
from tagrun.core.cli.help_text import Text
from tagrun.core.cli.messages import echo, styled

# what argparse says of an argument, and what is said instead
CHOICE = r"""invalid choice: ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)"""
SENTENCES = (
    (r'invalid int value: (.*)', '{name} takes a whole number, not {0}'),
    (r'invalid float value: (.*)', '{name} takes a number, not {0}'),
    (r'expected (?:at least )?one argument', '{name} needs a value: {name} {value}'),
    (r'ignored explicit argument (.*)', '{name} takes no value: leave out {0}'),
    (r'not allowed with argument (.*)', '{name} and {0} do not go together'),
)


def argument_parser(command: str, doc: str | None, examples: Iterable[str]) -> 'Parser':
    """Return a parser whose help shows the examples first. Wrong usage exits with 2.

    doc: the docstring of the command's file; None under `python -OO`.
    examples: each a line to type; two blanks or more part it from what it does.
    """
    return Parser(command, doc or '', examples)


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations. It also refuses --seeds=--, of which argparse makes []."""

    def __init__(self, command: str, doc: str, examples: Iterable[str]) -> None:
        super().__init__(f'tagrun {command}', allow_abbrev=False, add_help=False)
        self.command = command
        summary, prose = help_text.summary_and_prose(doc)
        self.text = Text(summary, prose, tuple(map(help_text.columns, examples)))
        self._positionals.title = 'arguments'
        self._optionals.title = 'options'
        self.add_argument('-h', '--help', action='help', help='show this help')

    def format_usage(self) -> str:
        """Return the usage in one line, the options unnamed."""
        return f'usage: {self.usage or help_text.usage(self)}\n'

    def format_help(self) -> str:
        """Return the help, as wide as the terminal."""
        return help_text.render(self, self.text, help_text.terminal_width())

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        self._refuse_dashes(list(args or []))
        return super().parse_known_args(args, namespace)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        parsed, rest = self.parse_known_args(args, namespace)
        self.refuse_rest(rest)
        return parsed

    def parse_intermixed_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        # argparse changes the positional arguments while it parses
        self.usage = help_text.usage(self)
        self._refuse_dashes(list(args or []))
        parsed, rest = self.parse_known_intermixed_args(args, namespace)
        self.refuse_rest(rest)
        return parsed

    def _refuse_dashes(self, words: list[str]) -> None:
        """End with a usage error for --seeds=--."""
        options = words[: words.index('--')] if '--' in words else words
        for word in options:
            if word.startswith('--') and word.endswith('=--'):
                self.error(f'{word}: -- is not a value')

    def refuse_rest(self, words: Sequence[str]) -> None:
        """End with a usage error if words are left over, which `parse_known_args` returned."""
        words = [word for word in words if word != '--']
        if not words:
            return
        unknown = next((word for word in words if word.startswith('-')), None)
        if unknown is None:
            self.error(f'{words[0]!r} is one word too many')
        option = unknown.partition('=')[0]
        # the dashes would make all options alike
        names = {name.strip('-'): name for name in help_text.option_strings(self)}
        near = difflib.get_close_matches(option.strip('-'), names, n=1)
        hint = f'; did you mean {names[near[0]]}?' if near else ''
        self.error(f'{option} is not an option{hint}')

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, the usage, and what to type for more; exit with 2."""
        echo(styled(f'{self.command}:', 'bold'), f' {self._sentence(message)}')
        echo(f'{self.format_usage().strip()}; more: tagrun {self.command} -h')
        self.exit(2)

    def _sentence(self, message: str) -> str:
        """Return what argparse or a command says, as a sentence of ours."""
        required = re.fullmatch('the following arguments are required: (.*)', message)
        if required:
            return self._missing(required[1].split(', '))
        of_argument = re.fullmatch('argument ([^:]+): (.*)', message, re.S)
        if not of_argument:
            return message
        action = self._action(of_argument[1])
        if action is None:
            return f'{of_argument[1]}: {of_argument[2]}'
        return _sentence_of(action, of_argument[2])

    def _missing(self, names: Sequence[str]) -> str:
        """Return which arguments are missing, and an example. argparse names optional ones, too."""
        actions = {name: self._action(name) for name in names}
        names = [name for name, action in actions.items() if not action or action.nargs != '*']
        verb = 'is' if len(names) == 1 else 'are'
        example = f': {self.text.examples[0][0]}' if self.text.examples else ''
        return f'{" and ".join(names)} {verb} missing{example}'

    def _action(self, name: str) -> argparse.Action | None:
        """Return the action that argparse calls '-j/--jobs', or 'run'."""
        names = {
            '/'.join(action.option_strings) or action.metavar or action.dest: action
            for action in self._actions
        }
        return names.get(name)


def _sentence_of(action: argparse.Action, problem: str) -> str:
    """Return what is wrong with the value of an argument."""
    name = action.option_strings[-1] if action.option_strings else help_text.value_name(action)
    choice = re.match(CHOICE, problem)
    if choice and action.choices:
        return _choice(name, choice[1], [str(known) for known in action.choices])
    for pattern, sentence in SENTENCES:
        match = re.fullmatch(pattern, problem, re.S)
        if match:
            return sentence.format(*match.groups(), name=name, value=help_text.value_name(action))
    return f'{name}: {problem}'


def _choice(name: str, given: str, known: Sequence[str]) -> str:
    word, near = given.strip('\'"'), []
    if word.isdecimal():
        # newer versions of argparse quote it
        given = word
    else:
        near = difflib.get_close_matches(word, known, n=1)
    hint = f'; did you mean {near[0]}?' if near else ''
    *others, last = known
    listed = f'{", ".join(others)} or {last}' if others else last
    return f'{name} takes {listed}, not {given}{hint}'
