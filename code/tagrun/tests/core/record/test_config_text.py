"""The values of config.py, read and changed as text."""

import ast

import pytest
from project_factory import CODE

from tagrun.core.cli.messages import UserError
from tagrun.core.record import config_text

SOURCE = '''"""Grüße."""
import math
lr = 0.01               # learning rate: größer is faster
model = 'cnn'           # the network
deep: bool = False      # typed
steps = 6000 // 40
phases = ('train',
          'val')        # over two lines
nothing = None
_private = 1
'''


@pytest.mark.parametrize(
    'name, text, line',
    [
        ('lr', '0.5', 'lr = 0.5               # learning rate: größer is faster'),
        ('lr', '1', 'lr = 1.0 '),
        ('lr', '1e-3', 'lr = 0.001 '),
        ('model', 'mlp', "model = 'mlp' "),
        ('model', '7', "model = '7' "),
        ('model', "'a b'", "model = 'a b' "),
        ('deep', 'true', 'deep: bool = True '),
        ('steps', '9', 'steps = 9'),
        ('phases', "['test']", "phases = ('test',)        # over"),
        ('nothing', '3', 'nothing = 3'),
        ('lr', '-0.5', 'lr = -0.5 '),
    ],
)
def test_a_value_is_changed_and_all_else_stays(name, text, line):
    changed = config_text.changed(SOURCE, {name: text})
    assert line in changed
    compile(changed, 'config.py', 'exec')
    kept = [row for row in changed.splitlines() if not row.startswith((name, " ' "))]
    assert set(kept) <= set(SOURCE.splitlines()) | {line}


def test_many_values_are_changed_at_once():
    changed = config_text.changed(SOURCE, {'phases': "('a',)", 'lr': '2', 'nothing': '"x"'})
    assert config_text.read(changed) == {
        **config_text.read(SOURCE),
        'phases': "('a',)",
        'lr': '2.0',
        'nothing': "'x'",
    }
    assert config_text.differences(SOURCE, changed) == [
        'lr = 2.0 (was 0.01)',
        "phases = ('a',) (was ('train',\n          'val'))",
        "nothing = 'x' (was None)",
    ]


@pytest.mark.parametrize(
    'name, text, reason',
    [
        ('lrr', '1', "Did you mean 'lr'"),
        ('lr', 'fast', 'a float there'),
        ('deep', '3', 'a bool there'),
        ('_private', '2', 'no argument'),
        ('math', '2', 'no argument'),
        ('phases', '3', 'a tuple there'),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, text, reason):
    with pytest.raises(UserError, match=reason):
        config_text.changed(SOURCE, {name: text})


def test_every_argument_of_the_template_is_a_literal_with_its_sentence():
    source = (CODE / 'config.py').read_text()
    for name, text in config_text.read(source).items():
        ast.literal_eval(text)
        line = next(line for line in source.splitlines() if line.startswith(f'{name} = '))
        assert '  # ' in line and len(line) < 150, name


@pytest.mark.parametrize(
    'content, reason',
    [
        (b'\xef\xbb\xbflr = 1\n', r'config.py begins with a byte order mark \(BOM\): save it as'),
        ('lr = 1\n'.encode('utf-16'), 'config.py is UTF-16: save it as UTF-8'),
        (b'lr = 1\nmodel = "\xe9"\n', 'config.py, line 2, is not UTF-8 .invalid continuation byte'),
        (b'lr = 1\nx = 1\0\n', 'config.py, line 2: there is a NUL byte, which Python refuses'),
        (b'if x:\n\ta = 1\n        b = 2\n', 'config.py, line 3: inconsistent use of tabs'),
        (b'lr = = 3\n', 'config.py, line 1: invalid syntax\n  lr = = 3'),
    ],
)
def test_a_file_that_python_would_not_read_is_described_in_an_editors_words(content, reason):
    with pytest.raises(UserError, match=reason):
        config_text.check_syntax(config_text.decoded(content, 'config.py'), 'config.py')
    assert config_text.decoded('lr = 1  # ü\n'.encode(), 'config.py') == 'lr = 1  # ü\n'
