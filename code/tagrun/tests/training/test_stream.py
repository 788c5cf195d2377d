"""training/stream.py: another loader's batches are the same from wherever a run goes on."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from tagrun.training.seeding import seed_everything
from tagrun.training.stream import Stream

COUNT = 9  # batches of each kind of loader


def draw():
    return [random.random(), float(np.random.randn()), float(torch.rand(()))]


class Shuffled(IterableDataset):
    """A shuffle buffer: which sample comes depends on all numbers drawn before."""

    def __iter__(self):
        buffer = list(range(5))
        for sample in range(5, 5 + COUNT):
            at = random.randrange(len(buffer))
            yield torch.tensor([buffer[at], *draw()])
            buffer[at] = sample


class Lazy:
    """A sampler that draws each index when it is asked for."""

    def __iter__(self):
        for _ in range(COUNT):
            yield int(np.random.randint(100))

    def __len__(self):
        return COUNT


DATA = TensorDataset(torch.arange(100))
FIRST = TensorDataset(torch.arange(COUNT))
LOADERS = {
    'a list': lambda: list(range(COUNT)),
    'range': lambda: range(COUNT),
    'shuffled': lambda: DataLoader(FIRST, shuffle=True),
    'a generator of its own': lambda: DataLoader(
        FIRST, shuffle=True, generator=torch.Generator().manual_seed(3)
    ),
    'weighted': lambda: DataLoader(
        DATA, sampler=WeightedRandomSampler(torch.ones(100), COUNT), batch_size=1
    ),
    'its own batch sampler': lambda: DataLoader(
        FIRST, batch_sampler=BatchSampler(RandomSampler(FIRST), 1, False)
    ),
    'a lazy sampler': lambda: DataLoader(DATA, sampler=Lazy(), batch_size=1),
    'a shuffle buffer': lambda: DataLoader(Shuffled(), batch_size=1),
    'two workers': lambda: DataLoader(Shuffled(), batch_size=1, num_workers=2),
    'an object': Shuffled,
}


def trained(batches):
    """Return the batches of a phase whose model draws numbers at each step."""
    read = []
    for batch in batches:
        read.append(repr(batch))
        draw()
    return read


@pytest.mark.parametrize('kind', LOADERS)
def test_an_epoch_can_begin_anywhere_whatever_the_model_draws(kind):
    whole = {}
    stream = Stream(LOADERS[kind](), seed=7, phase='train')
    for epoch in range(3):
        seed_everything(epoch)
        whole[epoch] = trained(stream.batches(epoch, 0))
        assert len(whole[epoch]) >= COUNT
    for epoch, first in ((2, 4), (1, 1)):
        resumed = Stream(LOADERS[kind](), seed=7, phase='train')
        seed_everything(123)
        assert trained(resumed.batches(epoch, first)) == whole[epoch][first:]
    assert stream.read == 0


@pytest.mark.parametrize('kind', ['a lazy sampler', 'a shuffle buffer', 'an object'])
def test_what_a_loader_draws_leaves_the_models_numbers_alone(kind):
    seed_everything(5)
    state = torch.get_rng_state()
    expected = random.random(), float(torch.rand(()))
    seed_everything(5)
    list(Stream(LOADERS[kind](), seed=7, phase='train').batches(0, 0))
    assert torch.equal(torch.get_rng_state(), state)
    assert (random.random(), float(torch.rand(()))) == expected


def endless():
    position = 0
    while True:
        position += random.randrange(1, 5)
        yield [position, *draw()]


def test_an_iterator_goes_on_from_epoch_to_epoch_and_is_read_again_after_a_resume():
    def epochs(stream, lengths):
        for epoch, length in enumerate(lengths):
            read = []
            for batch in stream.batches(epoch, 0):
                read.append(batch)
                draw()
                if len(read) == length:
                    break
            yield read

    stream = Stream(endless(), seed=7, phase='train')
    first, second, third = epochs(stream, [3, 2, 4])
    assert stream.read == 9 and first[0] != second[0]
    resumed = Stream(endless(), seed=7, phase='train', read=5)
    seed_everything(99)
    assert list(epochs(resumed, [4])) == [third]


def test_an_iterator_that_has_ended_is_named_instead_of_an_epoch_without_a_step():
    stream = Stream(iter([1, 2]), seed=7, phase='train')
    assert list(stream.batches(0, 0)) == [1, 2]
    with pytest.raises(ValueError, match="loader of 'train' is a list_iterator that has ended"):
        list(stream.batches(1, 0))
    # a resumed epoch may have no batch left
    resumed = Stream(iter([1, 2]), seed=7, phase='train', read=2)
    assert list(resumed.batches(0, 2)) == []
