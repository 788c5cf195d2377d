"""core/tables/row_filter.py: conditions say which runs, and never run as Python."""

import math
import os

import pytest
from run_factory import run
from table_rows import rows_of

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import row_filter
from tagrun.store.table import Column


@pytest.fixture
def two(root):
    run(
        root,
        'a/0',
        hparam={'note': 'x/y', 'n': None},
        metric={'val/acc': 0.5, 'val/top-5': 0.9, 'test/f1': 1.0, 'val/f1': 0.1},
    )
    run(
        root,
        'b/0',
        hparam={'model': 'mlp', 'bias': True},
        metric={'val/acc': 0.9, 'val/loss': math.nan},
        seed=7,
    )
    return rows_of(root, 'a/0', 'b/0')


@pytest.mark.parametrize(
    'text, names',
    [
        ('acc > 0.6', 'b'),
        ('0.4 < acc <= 0.5', 'a'),
        ('val/acc > 0.6', 'b'),
        ('`val/acc` > 0.6', 'b'),
        ("'val/acc' > 0.6", 'b'),
        ('`val/top-5` > 0', 'a'),
        ("model == 'cnn'", 'a'),
        ("'cnn' == model", 'a'),
        ("model in ('cnn', 'gru')", 'a'),
        ("model not in ['cnn']", 'b'),
        ("'ml' in model", 'b'),
        ("not (model == 'cnn' or acc < 0)", 'b'),
        ("acc > 0 and lr == 1e-2", 'ab'),
        ('bias', 'b'),
        ('not bias', 'a'),
        ('torch_compile == False', 'ab'),
        ('n is None', 'a'),
        ('grad_clip == None', 'ab'),
        ('n != 3', 'a'),
        ('bias != 3', 'b'),
        ('model > 3', ''),
        ('val/loss > 0 or val/loss <= 0', 'a'),
        ('seed == 7', 'b'),
        ("status == 'finished'", 'ab'),
        ("tag == 'a'", 'a'),
        ('f1 < 0.5', 'a'),
        ('acc > -1', 'ab'),
        ("note == 'x/y'", 'a'),
        ("model == 'a`b`c'", ''),
        ("watch_ is None or True", None),
    ],
)
def test_a_condition_says_which_runs(two, text, names):
    if names is None:
        with pytest.raises(UserError):
            row_filter.condition(text, two)
    else:
        holds = row_filter.condition(text, two)
        assert ''.join(found.name[0] for found in two if holds(found)) == names


@pytest.mark.parametrize(
    'text',
    [
        "__import__('os').system('touch PWNED')",
        'acc.__class__',
        '(lambda: 1)()',
        '[x for x in y]',
        'acc + 1 > 2',
        'f"{acc}"',
        'acc = 3',
        'acc >',
        '',
        '(' * 300,
        'x' * 5000,
        'not ' * 400 + 'acc',
        'acc > \x00',
        'open',
        'acc := 3',
        '9 ** 9 ** 9',
        'acc > 0; 1',
        'acc if acc else 1',
        '*acc',
    ],
)
def test_what_is_no_condition_is_refused_and_never_run(two, text):
    try:
        row_filter.condition(text, two)(two[0])
    except UserError as refusal:
        assert refusal.code == 2 and len(str(refusal)) < 300
    else:
        assert text.startswith('not ')
    assert not os.path.exists('PWNED')


def test_an_end_of_a_name_that_fits_several_is_refused_with_them(two):
    with pytest.raises(UserError, match="could be train/loss, test/loss"):
        row_filter.column(
            'loss', two, [Column('metric', 'train/loss'), Column('metric', 'test/loss')]
        )
    with pytest.raises(UserError, match="Did you mean 'acc'"):
        row_filter.column('aac', two)


def test_a_number_beside_a_word_is_no_error_and_a_missing_value_is_false(two):
    assert not any(map(row_filter.condition('0 < model', two), two))
    assert [row.name for row in two if row_filter.condition('not n > 0', two)(row)] == [
        'a/0',
        'b/0',
    ]
