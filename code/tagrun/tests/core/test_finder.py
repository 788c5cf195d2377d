"""core/finder.py: commands and parts of extra/ are found by their files' names."""

import os
import subprocess
import sys

import pytest
from project_factory import CODE

from tagrun.core import finder


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A tool with two commands, of which one is in an extra, and a hook."""
    files = {
        'command/show.py': '\ndef main(argv):\n    return 0\n',
        'command/__init__.py': '',
        'extra/x/other.py': '\ndef main(argv):\n    return 0\n',
        'extra/x/part.py': 'def main_part():\n    return 0\n',
        'extra/x/on_x.py': '',
        'extra/y/on_a.py': '',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(finder, 'TOOL', tmp_path)
    monkeypatch.setattr(finder, 'EXTRA', tmp_path / 'extra')
    return tmp_path


def test_a_command_is_a_file_with_a_main_and_no_other(tool):
    assert list(finder.command_files()) == ['other', 'show']
    assert finder.command_files()['other'] == tool / 'extra' / 'x' / 'other.py'


def test_parts_of_extra_are_sorted_by_name_and_a_deleted_folder_is_not_missed(tool):
    assert [path.name for path in finder.modules('on_*.py')] == ['on_a.py', 'on_x.py']
    (tool / 'extra' / 'y' / 'on_a.py').unlink()
    assert [path.name for path in finder.modules('on_*.py')] == ['on_x.py']


def test_a_command_is_imported_by_its_name():
    table = finder.command('table')
    assert table.__name__ == 'tagrun.command.table' and callable(table.main)
    assert finder.command('sweep').__name__ == 'tagrun.extra.sweep.sweep'


@pytest.mark.parametrize('name', ['no_such', '../x', 'a.b', '', '__init__', 'scheduler'])
def test_any_other_name_is_no_command(name):
    assert finder.command(name) is None


def test_every_command_has_a_first_sentence():
    for name, path in finder.command_files().items():
        assert path.read_text().startswith('"""'), name


def test_no_light_command_pays_for_torch():
    code = (
        f"import sys; sys.argv = ['x']; sys.path.insert(0, {str(CODE)!r})\n"
        'from tagrun.core import finder\n'
        "for name in ('run', 'table', 'title', 'record', 'expls', 'why', 'diff'):\n"
        '    finder.command(name)\n'
        "print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    words = [sys.executable, '-c', code]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ)
    assert done.stdout == 'False False\n', done.stderr
