"""The form in which runs of other tools come."""

import os

import pytest

from tagrun.extra.importing import (
    foreign,
    foreign_csv,
    foreign_mlflow,
    foreign_tensorboard,
    foreign_wandb,
)


def test_values_that_a_text_writes():
    assert [
        foreign.parse_value(text)
        for text in ('0.1', '1e-3', 'True', 'None', '[1]', 'x', '', '-', '1' * 39, '(' * 30)
    ] == [0.1, 0.001, True, None, '[1]', 'x', '', '-', int('1' * 39), '(' * 30]


def test_every_kind_says_what_lies_there(tmp_path):
    for kind in (foreign_csv, foreign_mlflow, foreign_tensorboard, foreign_wandb):
        assert kind.find_runs(str(tmp_path)) == {}


def test_regular_files_alone_are_found(tmp_path):
    (tmp_path / 'a').mkdir()
    for name in ('b.x', 'a/c.x', 'd.y'):
        (tmp_path / name).write_text('')
    os.symlink(tmp_path / 'b.x', tmp_path / 'link.x')
    os.symlink(tmp_path / 'a', tmp_path / 'again')
    os.mkfifo(tmp_path / 'fifo.x')

    def accepts(name):
        return name.endswith('.x')

    assert foreign.find_files(tmp_path, accepts) == [
        str(tmp_path / 'a' / 'c.x'),
        str(tmp_path / 'b.x'),
    ]
    assert foreign.find_files(tmp_path / 'b.x', accepts) == [str(tmp_path / 'b.x')]
    assert foreign.find_files(tmp_path / 'd.y', accepts) == []


def test_nested_arguments_are_flattened():
    nested = {'net': {'depth': 2, 'act': {'name': 'relu'}, 'sizes': [1, 2]}, 'empty': {}}
    assert foreign.flatten(nested) == {
        'net.depth': 2,
        'net.act.name': 'relu',
        'net.sizes': [1, 2],
        'empty': {},
    }
    assert list(foreign.flatten({'x' * 999: 1})) == ['x' * foreign.MAX_NAME]


@pytest.mark.parametrize(
    'records, points, x',
    [
        ([], {}, 'epoch'),
        ([{'a': 1.0}, {'a': 2.0}], {'a': [(1, 1.0), (2, 2.0)]}, 'epoch'),
        ([{'Epoch': 3.0, 'a': 1.0, 'time': 9.0}], {'a': [(3.0, 1.0)]}, 'epoch'),
        ([{'epoch': 0.5, 'a': 1.0}], {'a': [(1, 1.0)]}, 'epoch'),
        # two values of an epoch: the steps count
        (
            [{'epoch': 1.0, 'step': 1.0, 'a': 1.0}, {'epoch': 1.0, 'step': 2.0, 'a': 2.0}],
            {'a': [(1.0, 1.0), (2.0, 2.0)]},
            'step',
        ),
        ([{'step': float('nan'), 'a': 1.0}], {'a': [(1, 1.0)]}, 'epoch'),
        ([{'epoch': 1e300, 'a': 1.0}], {'a': [(1, 1.0)]}, 'epoch'),
    ],
)
def test_records_count_epochs_or_steps(records, points, x):
    assert foreign.to_points(records) == (points, x)


def test_a_missing_package_is_named_with_what_installs_it():
    text = str(foreign.missing_package('wandb'))
    assert 'needs the package wandb' in text and 'requirements-import.txt' in text
