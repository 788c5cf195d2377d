"""The laws of the house, as far as an ast can see them: CONTRIBUTING.md lists them."""

import ast
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1]
CODE = TOOL.parent
TESTS = TOOL / 'tests'
ROOMS = {
    'store': {'store'},
    'core': {'store', 'core'},
    'command': {'store', 'core', 'command'},
    'training': {'store', 'training'},
    'extra': {'store', 'core', 'extra'},
}
RESEARCHERS = {'config', 'model', 'dataloader', 'epoch', 'state', 'main', 'mnist1d_data', 'predict'}
LIGHT = {'store', 'core', 'command'}  # rooms that never pay for torch
FINDER = TOOL / 'core' / 'finder.py'
LONGEST_FILE = 400
LONGEST_LINE = 120

PRODUCT = sorted(path for room in ROOMS for path in (TOOL / room).rglob('*.py'))
SOURCES = [path for path in PRODUCT if path.name != '__init__.py']
ALL = sorted([*TOOL.rglob('*.py'), *CODE.glob('*.py')])


def tree_of(path):
    return ast.parse(path.read_bytes())


def module_name(path):
    parts = path.relative_to(CODE).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_name(path): path for path in PRODUCT}


def imports(path):
    """The absolute names of all modules that a file imports, at whatever depth."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def imported_modules(path):
    """The names of Tagrun's own modules that a file imports."""
    for name in imports(path):
        if name in MODULES:
            yield name
        elif name.rpartition('.')[0] in MODULES:
            yield name.rpartition('.')[0]


def shown(path):
    return str(path.relative_to(CODE))


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_imports_only_what_the_law_allows(room):
    for path in (TOOL / room).rglob('*.py'):
        for name in imports(path):
            parts = name.split('.')
            assert parts[0] not in RESEARCHERS, f'{shown(path)} imports the researcher\'s {name}'
            if parts[0] == 'tagrun':
                assert parts[1] in ROOMS[room], f'{shown(path)} imports {name}'
            if room in LIGHT:
                assert parts[0] != 'torch', f'{shown(path)} imports torch'


def test_an_extra_imports_no_other_extra():
    for path in (TOOL / 'extra').glob('*/*.py'):
        for name in imports(path):
            if name.startswith('tagrun.extra.'):
                assert name.split('.')[2] == path.parent.name, f'{shown(path)} imports {name}'


def test_no_command_is_imported_by_anything_but_the_finder():
    commands = {module_name(path) for path in PRODUCT if b'\ndef main(argv' in path.read_bytes()}
    assert len(commands) > 20
    for path in PRODUCT:
        assert not commands & set(imported_modules(path)), shown(path)


def test_modules_import_each_other_in_no_circle():
    graph = {name: set(imported_modules(path)) - {name} for name, path in MODULES.items()}
    while leaves := [name for name, needed in graph.items() if not needed & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f'in a circle, or above one: {sorted(graph)}'


def test_no_module_uses_a_private_name_of_another():
    for path in [*PRODUCT, TOOL / '__main__.py']:
        aliases = set()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith('tagrun'):
                for alias in node.names:
                    assert not alias.name.startswith('_'), f'{shown(path)} imports {alias.name}'
                    if f'{node.module}.{alias.name}' in MODULES:
                        aliases.add(alias.asname or alias.name)
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                private = node.attr.startswith('_') and not node.attr.startswith('__')
                where = f'{shown(path)}, line {node.lineno}: {node.value.id}.{node.attr}'
                assert not (private and node.value.id in aliases), where


def test_only_one_room_talks_to_git():
    for path in PRODUCT:
        if path.parent != TOOL / 'core' / 'git':
            assert 'git' not in set(imports(path)) and "'git'," not in path.read_text(), path


def test_the_names_of_refs_stand_in_one_file():
    for path in PRODUCT:
        if path != TOOL / 'store' / 'run_ref.py':
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = node.value
                    is_ref = text.startswith(('refs/tags', 'refs/tagrun', 'refs/heads'))
                    assert not is_ref, f'{shown(path)}, line {node.lineno}: {text}'


def test_nothing_in_code_hides_a_module_of_pythons_own():
    hides = "code/__init__.py would hide the standard library's code"
    assert not (CODE / '__init__.py').exists(), hides
    for path in CODE.glob('*.py'):
        assert path.stem not in sys.stdlib_module_names, path


def test_every_file_says_at_its_head_what_it_is_for():
    for path in ALL:
        if path.name != '__init__.py' or path.parent == TOOL:
            assert ast.get_docstring(tree_of(path)), path


@pytest.mark.parametrize('path', ALL, ids=shown)
def test_a_file_has_at_most_so_many_lines_and_none_too_wide(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= LONGEST_FILE, f'{shown(path)} has {len(lines)} lines'
    wide = [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE]
    assert not wide, f'{shown(path)}: lines {wide} are wider than {LONGEST_LINE}'


def test_hardly_a_line_is_wider_than_a_hundred_columns():
    lines = [line for path in ALL for line in path.read_text().splitlines()]
    assert sum(len(line) > 100 for line in lines) < len(lines) / 100


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def is_nested(node):
    """Whether a comprehension has another one in it, or several `for`."""
    inner = [child for child in ast.walk(node) if isinstance(child, COMPREHENSIONS)]
    return len(node.generators) > 1 or len(inner) > 1


def test_comprehensions_are_hardly_ever_nested():
    lines = sum(len(path.read_text().splitlines()) for path in PRODUCT)
    nested = [
        f'{shown(path)}:{node.lineno}'
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, COMPREHENSIONS) and is_nested(node)
    ]
    assert len(nested) < lines / 1000, nested


def public_functions(path):
    """The public functions of a file, and the public methods of its public classes."""
    for node in tree_of(path).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        if isinstance(node, ast.ClassDef) and node.name.startswith('_'):
            continue
        for member in members:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith('_'):
                yield member


@pytest.mark.parametrize('room', ['store', 'core'])
def test_public_functions_have_types(room):
    for path in (TOOL / room).rglob('*.py'):
        for function in public_functions(path):
            where = f'{shown(path)}: {function.name}'
            arguments = function.args
            for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                typed = argument.annotation or argument.arg in ('self', 'cls')
                assert typed, f'{where}: {argument.arg}'
            for argument in filter(None, [arguments.vararg, arguments.kwarg]):
                assert argument.annotation, f'{where}: {argument.arg}'
            assert function.returns, f'{where}: its result'


@pytest.mark.parametrize('path', SOURCES, ids=shown)
def test_a_source_file_has_a_test_file_of_its_own_name_that_calls_it(path):
    test = TESTS / path.relative_to(TOOL).with_name(f'test_{path.name}')
    assert test.is_file(), f'{shown(test)} is missing'
    text = test.read_text()
    fixtures = test.with_name('conftest.py')
    if fixtures.is_file():
        text += fixtures.read_text()
    if b'\ndef main(argv' in path.read_bytes():
        assert f"'{path.stem}'" in text, f'{shown(test)} never runs {path.stem}'
    else:
        assert module_name(path) in set(imported_modules(test)), f'{shown(test)} does not import it'
    assert 'def test_' in text, f'{shown(test)} tests nothing'


def test_no_test_cannot_fail():
    for path in TESTS.rglob('test_*.py'):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith('test_'):
                text = ast.unparse(node)
                can_fail = 'assert' in text or 'raises' in text or '.tagrun(' in text
                assert can_fail, f'{shown(path)}: {node.name}'
