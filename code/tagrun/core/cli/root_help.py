"""What `tagrun -h` shows: the commands in groups, one line each, out of their files.

    print(text(terminal_width()))

The first line of a command's docstring is its line, and `GROUP = 'Look', 2` its group and the place
in it. Both are read as text: no command is imported.
"""

import re
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tagrun.core import finder
from tagrun.core.cli.help_text import summary_and_prose, two_columns, wrapped

GROUPS = ('Run', 'Look', 'Compare', 'Many runs', 'Share', 'Care')
OTHERS = 'Other'  # the last group: commands whose file names none
LAST = 1000
DOCSTRING = re.compile(r'(?:\s|#[^\n]*\n)*[rR]?("""|\'\'\'|"|\')(.*?)\1', re.S)
GROUP = re.compile(r'^GROUP = [\'"]([^\'"\n]+)[\'"](?:, (\d+))?', re.M)
HEAD = """\
Every run is tagged in git with its code, config and seed, and trains in a frozen copy of it."""
FIRST = (
    ('run first', 'record the code and train it under the tag `first`'),
    ('continue first', 'go on where it stopped'),
    ('rerun first -f', 'run it again and say whether it is the same, bit for bit'),
)
FIRST_COLUMN = 18
USAGE = 'usage: tagrun <command> …; more: tagrun <command> -h'


class CommandLine(NamedTuple):
    """What a command's file says of it."""

    name: str
    group: str
    place: int  # in the group
    sentence: str

    @property
    def order(self) -> tuple[int, str, int, str]:
        """Return the key by which commands are sorted."""
        known = GROUPS.index(self.group) if self.group in GROUPS else len(GROUPS)
        # a group that nobody knows comes before the commands without any
        last = self.group == OTHERS
        return known + last, self.group, self.place, self.name


def command_lines() -> list[CommandLine]:
    """Return the commands, sorted by group and place."""
    found = [read(path) for path in finder.command_files().values()]
    return sorted(found, key=lambda line: line.order)


def read(path: Path) -> CommandLine:
    """Return what a command's file says of it, without importing it."""
    text = path.read_bytes().decode('utf-8', 'replace')
    docstring, group = DOCSTRING.match(text), GROUP.search(text)
    sentence = summary_and_prose(docstring[2])[0] if docstring else ''
    if group is None:
        return CommandLine(path.stem, OTHERS, LAST, sentence)
    return CommandLine(path.stem, group[1], int(group[2] or LAST), sentence)


def text(width: int) -> str:
    """Return the help of `tagrun` itself, no line of it longer than `width`."""
    commands = command_lines()
    lines = [*wrapped(HEAD, width), '', *two_columns(FIRST, FIRST_COLUMN, width)]
    lines += ['', *wrapped(USAGE, width)]
    column = max(len(line.name) for line in commands) + 4
    for group, members in groupby(commands, lambda line: line.group):
        rows = [(line.name, line.sentence) for line in members]
        lines += ['', f'{group}:', *two_columns(rows, column, width)]
    return '\n'.join(lines)
