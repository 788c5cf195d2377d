"""surroundings.py: what a run's code finds, and what is put back."""

import os
import random

import numpy as np
import pytest
import torch

from tagrun.extra.loading.surroundings import as_in_training


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_the_folder_and_the_generators_are_put_back(tmp_path, monkeypatch):
    (tmp_path / 'project').mkdir()
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(7)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    expected = draw()
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    with pytest.raises(KeyError), as_in_training(tmp_path / 'project', 2**40):
        assert os.getcwd() == str(tmp_path / 'project')
        inside = draw()
        raise KeyError
    assert os.getcwd() == str(tmp_path) and torch.initial_seed() == 7
    assert draw() == expected != inside


def test_random_numbers_inside_follow_from_the_seed(tmp_path):
    drawn = []
    for seed in (1, 1, 2):
        with as_in_training(tmp_path, seed):
            drawn.append(draw())
    assert drawn[0] == drawn[1] != drawn[2]
