"""training/args.py: config.py's arguments as a run has them."""

import math
import types

import pytest
import torch

from tagrun.store import statistic
from tagrun.training import args as arguments


def test_arguments_that_json_cannot_record_are_named():
    config = types.ModuleType('config')
    config.lr, config.phases, config._hidden, config.math, config.helper = (
        0.1,
        ('a', {'b': [None]}),
        object(),
        math,
        len.__class__,
    )
    loaded = arguments.load(config, seed=3)
    assert vars(loaded) == {'lr': 0.1, 'phases': ('a', {'b': [None]}), 'seed': 3}
    config.optimizer = torch.zeros(1)
    with pytest.raises(TypeError, match='^config.py: optimizer is a Tensor'):
        arguments.load(config, seed=3)


def test_a_value_that_was_asked_for_trains_or_nothing_does():
    config = types.ModuleType('config')
    config.lr, config.phases = 0.1, ('train', 'val')
    loaded = arguments.load(config, 3, {'lr': 0.1, 'phases': ['train', 'val']})
    assert loaded.phases == ('train', 'val')
    with pytest.raises(ValueError, match='config.py: lr is 0.1, and this run was asked for 0.5'):
        arguments.load(config, 3, {'lr': 0.5})


def test_the_text_of_the_file_says_what_an_import_is(tmp_path):
    config = types.ModuleType('config')
    config.__file__ = str(tmp_path / 'config.py')
    (tmp_path / 'config.py').write_text('from os import environ\nlr = 0.1\n')
    exec((tmp_path / 'config.py').read_text(), vars(config))
    assert vars(arguments.load(config, 3)) == {'lr': 0.1, 'seed': 3}


def test_arguments_that_had_another_value_at_an_earlier_start_are_said(tmp_path, capsys):
    args = types.SimpleNamespace(lr=0.2, clip=math.inf, phases=('a',), seed=3)
    assert arguments.former(tmp_path, args) == {}
    hparam = {'lr': 0.1, 'clip': math.inf, 'phases': ('a',), 'gone': 1}
    statistic.write(tmp_path, {'status': 'killed', 'hparam': hparam})
    assert arguments.former(tmp_path, args) == {'lr': 0.1}
    told = capsys.readouterr().err
    assert told == (
        'tagrun: lr was 0.1 when the run was begun, and is 0.2 now: '
        'config.py takes it from its surroundings\n'
    )
    earlier = {'status': 'killed', 'hparam': {'lr': 0.2}, 'hparam_before': {'lr': 0.1}}
    statistic.write(tmp_path, earlier)
    assert arguments.former(tmp_path, args) == {'lr': 0.1}
    assert capsys.readouterr().err == ''
