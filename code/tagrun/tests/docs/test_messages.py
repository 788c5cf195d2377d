"""The English of what commands print: their messages, and the help that their docstrings are."""

import ast
from pathlib import Path

import pytest
from plain_english import wrong_words

TOOL = Path(__file__).resolve().parents[2]
ROOMS = ('store', 'core', 'command', 'training', 'extra')
SOURCES = [TOOL / '__main__.py', *(path for room in ROOMS for path in (TOOL / room).rglob('*.py'))]


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_command(tree):
    return any(isinstance(node, ast.FunctionDef) and node.name == 'main' for node in tree.body)


def shown_texts(source):
    """Yield each text of a file that a user may see, and its line."""
    tree = ast.parse(source)
    inner = {node.value for node in ast.walk(tree) if is_docstring(node)}
    if is_command(tree) and is_docstring(tree.body[0]):
        inner.remove(tree.body[0].value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.lineno, node.value


@pytest.mark.parametrize('path', sorted(SOURCES), ids=lambda path: str(path.relative_to(TOOL)))
def test_no_message_has_a_word_that_may_not_come_back(path):
    found = {
        line: words
        for line, text in shown_texts(path.read_text(encoding='utf-8'))
        if (words := wrong_words(text))
    }
    assert found == {}


@pytest.mark.parametrize(
    'source',
    [
        'def main(argv):\n    echo("t1 is no tag")',
        '"""Say what a file says."""\ndef main(argv):\n    pass',
        'echo(f"{name}: nobody has it")',
        'raise UserError("a cure for one")',
        'help("runs in line")',
    ],
)
def test_such_words_are_found_in_messages_and_help(source):
    assert any(wrong_words(text) for _, text in shown_texts(source))


@pytest.mark.parametrize(
    'source',
    [
        '"""Return what nobody has."""',
        'def name():\n    """Whoever calls it."""\n    echo("there is no run of t1")',
        'sys.exit(run("x is None"))',
        'help("for one GPU each")',
    ],
)
def test_docstrings_of_parts_and_plain_words_are_left_alone(source):
    assert not any(wrong_words(text) for _, text in shown_texts(source))
