"""run_arguments.py: the arguments as they were trained."""

import math

import pytest

from tagrun.extra.loading import run_arguments
from tagrun.extra.loading.frozen_import import FrozenCode

CONFIG = '''
import os
lr = 0.1
phases = ('train', 'val')
limit = float('inf')
name = 'nan'
host = os.environ.get('HOST_OF_TEST', 'here')
nothing = None
'''


@pytest.fixture
def code(tmp_path):
    (tmp_path / 'code').mkdir()
    (tmp_path / 'code' / 'config.py').write_text(CONFIG)
    return FrozenCode('t1/0', tmp_path / 'code')


RECORDED = {
    'lr': 0.1,
    'phases': ['train', 'val'],
    'limit': 'inf',
    'name': 'nan',
    'host': 'here',
    'nothing': None,
}


def of(code, **changes):
    return run_arguments.of_run(
        code, code.folder.parent, {'hparam': {**RECORDED, **changes}, 'seed': 42}
    )


def test_they_are_the_values_of_config_with_the_seed(code):
    args = of(code)
    assert (args.phases, args.limit, args.name) == (('train', 'val'), math.inf, 'nan')
    assert (args.seed, args.nothing) == (42, None)
    assert list(vars(args)) == [*RECORDED, 'seed']


def test_what_trained_counts_where_config_has_another_value_now(code, monkeypatch):
    monkeypatch.setenv('HOST_OF_TEST', 'elsewhere')
    args = of(code, lr='-inf', gone=3)
    assert (args.host, args.lr, args.gone) == ('here', -math.inf, 3)


@pytest.mark.parametrize(
    'text, error', [('1 / 0\n', 'ZeroDivisionError'), ('import sys\nsys.exit(2)\n', 'SystemExit')]
)
def test_a_config_that_fails_here_leaves_what_was_recorded(code, text, error):
    (code.folder / 'config.py').write_text(text)
    with pytest.warns(UserWarning, match=f't1/0: its config.py fails here .{error}'):
        args = of(code)
    assert args.phases == ['train', 'val'] and args.seed == 42


def test_a_run_that_recorded_no_arguments_has_those_of_config(code):
    args = run_arguments.of_run(code, code.folder.parent, {'hparam': {}, 'seed': 1})
    assert args.lr == 0.1 and args.phases == ('train', 'val')
