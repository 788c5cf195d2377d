"""The rules of the house that an ast can see."""
import ast
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1]
ROOMS = {'store': {'store'}, 'command': {'store', 'command'}, 'training': {'store', 'training'}, 'extra': {'store', 'command', 'extra'}}
RESEARCHERS = {'config', 'model', 'dataloader', 'epoch', 'state', 'main'}
LIGHT = {'store', 'command'}    # rooms that never pay for torch


def imports(path):
    """The absolute names of all modules that a file imports, at whatever depth."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_imports_only_what_the_law_allows(room):
    for path in (TOOL / room).glob('*.py'):
        for name in imports(path):
            parts = name.split('.')
            assert parts[0] not in RESEARCHERS, f'{path.name} imports the researcher\'s {name}'
            if parts[0] == 'tagrun':
                assert parts[1] in ROOMS[room], f'{path.name} imports {name}'
            if room in LIGHT:
                assert parts[0] != 'torch', f'{path.name} imports torch'


def test_only_one_file_talks_to_git():
    for path in TOOL.glob('*/*.py'):
        if path.parent.name not in ('tests', 'bench') and path != TOOL / 'command' / 'git.py':
            assert 'git' not in set(imports(path)) and "'git'," not in path.read_text(), path


def test_nothing_in_code_hides_a_module_of_pythons_own():
    assert not (TOOL.parent / '__init__.py').exists(), 'code/__init__.py would hide the standard library\'s code'
    for path in TOOL.parent.glob('*.py'):
        assert path.stem not in sys.stdlib_module_names, path


def test_every_file_says_at_its_head_what_it_is_for():
    for path in [*TOOL.rglob('*.py'), *TOOL.parent.glob('*.py')]:
        if path.name != '__init__.py' or path.parent == TOOL:
            assert ast.get_docstring(ast.parse(path.read_bytes())), path


def test_every_test_file_has_what_it_tests_and_no_test_cannot_fail():
    for path in Path(__file__).parent.glob('test_*.py'):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith('test_'):
                text = ast.unparse(node)
                assert 'assert' in text or 'raises' in text or '.tagrun(' in text, f'{path.name}: {node.name}'
