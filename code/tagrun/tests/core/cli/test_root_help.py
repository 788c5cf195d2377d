"""core/cli/root_help.py: every command has a group and a line, out of its file alone."""

import sys

import pytest

from tagrun.core import finder
from tagrun.core.cli import help_text, root_help
from tagrun.core.cli.root_help import CommandLine

LONGEST = 80


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that makes a tool with one command, of this text, and returns its line."""
    monkeypatch.setattr(finder, 'TOOL', tmp_path)
    monkeypatch.setattr(finder, 'EXTRA', tmp_path / 'extra')
    (tmp_path / 'command').mkdir()

    def make(text):
        (tmp_path / 'command' / 'mine.py').write_text(text + '\ndef main(argv):\n    return 0\n')
        (line,) = root_help.command_lines()
        return line

    return make


def test_every_command_of_ours_has_a_group_a_place_and_a_line_that_fits():
    lines = root_help.command_lines()
    assert {'run', 'table', 'sweep', 'plot'} <= {line.name for line in lines}
    for line in lines:
        assert line.group in root_help.GROUPS, f'{line.name}: GROUP = …, see root_help.py'
        assert line.sentence.endswith('.') and line.sentence[0].isupper(), line
        assert len(f'  continue  {line.sentence}') <= LONGEST, line.sentence
    places = [(line.group, line.place) for line in lines]
    assert len({*places}) == len(places), 'two commands have one place'
    # a program of the engine's own, whose main takes other words
    assert 'guard' not in {line.name for line in lines}


def test_the_groups_come_in_order_each_once():
    titles = [line[:-1] for line in root_help.text(80).splitlines() if line.endswith(':')]
    assert titles == list(root_help.GROUPS)


@pytest.mark.parametrize('width', range(help_text.NARROWEST, help_text.WIDEST + 1, 5))
def test_every_line_fits(width):
    assert max(map(len, root_help.text(width).splitlines())) <= width


@pytest.mark.parametrize(
    'text, line',
    [
        ('"""Mine."""', ('Other', 1000, 'Mine.')),
        ("'''Mine.\n\nMore.\n'''\nGROUP = 'Look', 7\n", ('Look', 7, 'Mine.')),
        ('# © me\n\n"""\nMine.\n"""\nGROUP = "Look"\n', ('Look', 1000, 'Mine.')),
        ('"Mine."\nGROUP = get()', ('Other', 1000, 'Mine.')),
        ('import nothing_such', ('Other', 1000, '')),
        ('GROUP = (', ('Other', 1000, '')),
        ('r"""A \\d."""\nGROUP = \'Games\', 1', ('Games', 1, 'A \\d.')),
    ],
)
def test_a_command_of_the_researchers_own_is_read_as_text(text, line, own):
    assert own(text) == CommandLine('mine', *line)
    assert line[0] + ':\n  mine' in root_help.text(80)


def test_commands_without_a_group_come_last_and_unknown_groups_before_them():
    lines = [CommandLine('a', group, 1, '') for group in ('Other', 'Games', 'Care', 'Run')]
    ordered = sorted(lines, key=lambda line: line.order)
    assert [line.group for line in ordered] == ['Run', 'Care', 'Games', 'Other']


def test_no_command_is_imported():
    names = {f'tagrun.command.{line.name}' for line in root_help.command_lines()}
    before = names & set(sys.modules)
    root_help.text(80)
    assert names & set(sys.modules) == before
