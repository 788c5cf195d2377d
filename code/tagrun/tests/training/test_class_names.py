"""training/class_names.py: the names of the classes, whatever wraps the data set."""

import os

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from tagrun.training.class_names import class_names, phase_of
from tagrun.training.loader import Loader


class Data(Dataset):
    def __init__(self, classes=None):
        self.classes = classes

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index


def names(dataset):
    return class_names({'val': Loader(dataset, 2, seed=7)})['val']


def test_the_names_of_classes_are_read_of_every_kind_and_through_wrappers():
    for classes in (['a', 'b'], ('a', 'b'), np.array(['a', 'b']), {'a': 0, 'b': 1}):
        assert names(Data(classes)) == ['a', 'b']
        assert names(Subset(Data(classes), [0])) == ['a', 'b']
    assert names(Data(torch.tensor([3, 5]))) == names(Data(np.array([3, 5]))) == ['3', '5']
    for classes in (10, np.int64(10), torch.tensor(10), None, 'digits', object()):
        assert names(Data(classes)) is None
    assert class_names({'val': [1, 2], 'test': range(3)}) == {'val': None, 'test': None}


class Computed(Dataset):
    """Its classes are code, which changes it. compute: what it does besides."""

    def __init__(self, compute):
        self.compute, self.reads = compute, 0

    def __len__(self):
        return 3

    @property
    def classes(self):
        self.reads += 1
        self.compute()
        return ['a', 'b']


class Delegating(Computed):
    """A wrapper that looks its attributes up in what it wraps."""

    classes = None

    def __getattr__(self, name):
        if name in ('classes', 'dataset'):
            raise AttributeError(name)
        return 0


def refuse():
    raise OSError('no such file')


@pytest.mark.parametrize(
    'compute, found, said',
    [
        (int, ['a', 'b'], ''),
        (refuse, None, 'cannot be read: OSError: no such file'),
        (lambda: os._exit(2), None, 'cannot be read: it ended the process with exit code 2'),
    ],
)
def test_classes_that_are_code_are_read_in_another_process(compute, found, said, capsys):
    dataset = Computed(compute)
    loaders = {'train': Loader(dataset, 2, seed=1), 'val': DataLoader(Data(['x']))}
    assert class_names(loaders) == {'train': found, 'val': ['x']}
    assert dataset.reads == 0 and said in capsys.readouterr().err


def test_a_data_set_that_finds_its_attributes_by_code_may_have_none():
    assert names(Delegating(int)) is None


def test_the_phase_of_a_metric_may_have_a_slash():
    phases = ['val', 'val/a', 'train']
    metrics = ('val/acc', 'val/a/acc', 'val/a/f1/cat', 'val/ab/acc', 'other/acc', 'train')
    assert [phase_of(metric, phases) for metric in metrics] == [
        *('val', 'val/a', 'val/a', 'val'),
        *('', ''),
    ]
