"""training/phase_batches.py: the batches of a phase, from where the run stands."""

import types
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from tagrun.training import loader, seeding
from tagrun.training.phase_batches import PhaseBatches
from tagrun.training.short_run import ShortRun


def source(fast=None, **args):
    args = types.SimpleNamespace(seed=1, epochs=9, **args)
    return PhaseBatches(args, ShortRun({'fast': fast}, args, Path()), ())


def read(source, loader, batch=0, phase='train'):
    state = types.SimpleNamespace(epoch=3, batch=batch)
    return [batch[0].tolist() for batch in source.remaining(state, loader, phase)]


def test_every_kind_of_loader_goes_on_where_the_run_stood_with_the_numbers_of_then():
    data = TensorDataset(torch.arange(10))
    for make in (
        lambda: DataLoader(data, batch_size=2, shuffle=True),
        lambda: loader.Loader(data, 2, seed=1, shuffle=True),
    ):
        whole = read(source(), make())
        torch.manual_seed(77)
        saved, expected = {'random': seeding.random_state()}, torch.rand(1)
        resumed = source()
        resumed.restore(saved)
        assert read(resumed, make(), 3) == whole[3:] and torch.equal(torch.rand(1), expected)
        # only the phase that was interrupted goes on with those numbers
        assert read(resumed, make()) == whole and not torch.equal(torch.rand(1), expected)


def test_a_training_phase_has_steps_per_epoch_batches_at_most_and_others_have_all():
    batches = [torch.full((1,), number) for number in range(6)]
    short = source(steps_per_epoch=4)
    assert len(read(short, batches)) == 4 and len(read(short, batches, phase='val')) == 6
    assert len(read(short, batches, 3)) == 1 and short.count(batches, 'train') == 4
    assert len(read(source(fast=2, steps_per_epoch=4), batches)) == 2
    assert len(read(source(steps_per_epoch=99), batches)) == 6


def test_how_far_an_iterator_was_read_goes_into_a_checkpoint():
    def batches():
        yield from (torch.full((1,), number) for number in range(100))

    first = source(steps_per_epoch=4)
    generator = batches()
    assert read(first, generator) == [0, 1, 2, 3] and read(first, generator) == [4, 5, 6, 7]
    saved = {'read': first.read()}
    assert saved == {'read': {'train': 8}}
    resumed = source(steps_per_epoch=4)
    resumed.restore(saved)
    assert resumed.read() == saved['read'] and read(resumed, batches()) == [8, 9, 10, 11]
