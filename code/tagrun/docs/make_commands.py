"""Write commands.md, the help of all commands, from their parsers.

python code/tagrun/docs/make_commands.py
"""

import sys
from itertools import groupby
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name('commands.md')
WIDTH = 80
HEAD = """\
# Commands

This page has the help of each command, as `-h` prints it. [Commands by
task](commands-by-task.md) is shorter.

`python code/tagrun/docs/make_commands.py` writes this page.
"""


def main() -> None:
    """Write the page."""
    sys.path.append(str(CODE))
    PAGE.write_text(page(), encoding='utf-8')


def page() -> str:
    """Return the page: a list of the commands in their groups, then the help of each."""
    from tagrun.core.cli import root_help

    lines = root_help.command_lines()
    parts = [HEAD]
    for group, members in groupby(lines, lambda line: line.group):
        rows = [f'| [`{line.name}`](#{line.name}) | {line.sentence} |\n' for line in members]
        parts += [f'\n| {group} | |\n|---|---|\n', *rows]
    parts += [f'\n## {line.name}\n\n```\n{help_of(line.name)}\n```\n' for line in lines]
    return ''.join(parts)


def help_of(command: str) -> str:
    """Return the help of a command, 80 columns wide."""
    from tagrun.core import finder
    from tagrun.core.cli import help_text

    module = finder.command(command)
    assert module is not None
    parser = module.build_parser()
    return help_text.render(parser, parser.text, WIDTH).strip()


if __name__ == '__main__':
    main()
