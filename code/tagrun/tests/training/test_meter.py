"""training/meter.py: running means and sums, the same to the bit wherever a run was interrupted."""

import math

import numpy as np
import pytest
import torch
from saved_checkpoints import reloaded

from tagrun.training.meter import EVERY, Meter, fetch


def test_a_meter_gives_the_same_bits_wherever_it_was_interrupted():
    generator = torch.Generator().manual_seed(0)
    steps = [
        (torch.rand((), generator=generator), int(torch.randint(1, 9, (), generator=generator)))
        for _ in range(251)
    ]
    flags = [torch.rand(5, generator=generator) < 0.3 for _ in steps]
    whole = Meter()
    for (loss, weight), flag in zip(steps, flags, strict=True):
        whole.mean(weight, loss=loss)
        whole.accuracy(acc=flag)
        whole.sum(confusion=flag.long())
    part = Meter()
    for index, ((loss, weight), flag) in enumerate(zip(steps, flags, strict=True)):
        if index in (3, 77, 200):
            state, part = part.state_dict(), Meter()
            part.load_state_dict(reloaded(state))
        part.mean(weight, loss=loss)
        part.accuracy(acc=flag)
        part.sum(confusion=flag.long())
    one, other = whole.result(), part.result()
    assert one['loss'] == other['loss'] and torch.equal(one['confusion'], other['confusion'])
    assert one['acc'] == other['acc'] == sum(int(flag.sum()) for flag in flags) / (5 * 251)
    exact = math.fsum(float(loss) * weight for loss, weight in steps) / sum(
        weight for _, weight in steps
    )
    assert one['loss'] == pytest.approx(exact, rel=1e-12)


def test_a_sample_that_only_keeps_step_is_not_counted():
    meter = Meter()
    meter.mean(2, loss=torch.tensor(1.0))
    meter.sum(confusion=torch.eye(2))
    meter.counts = False
    meter.mean(1, loss=torch.tensor(9.0))
    meter.accuracy(acc=torch.tensor([True]))
    meter.sum(confusion=torch.eye(2))
    result = meter.result()
    assert result['loss'] == 1 and 'acc' not in result
    assert torch.equal(result['confusion'], torch.eye(2))


def test_a_phase_begins_with_nothing():
    meter = Meter()
    meter.mean(1, loss=3.0)
    assert meter.last == {'loss': 3.0} and meter.means() == {'loss': 3.0}
    meter.reset()
    assert meter.last == meter.means() == meter.result() == {}


def test_values_wait_on_their_device_until_there_are_many():
    meter = Meter()
    for _ in range(EVERY - 1):
        meter.mean(1, loss=torch.tensor(1.0))
    assert len(meter._pending) == EVERY - 1
    meter.mean(1, loss=torch.tensor(1.0))
    assert meter._pending == [] and meter.means() == {'loss': 1.0}


def test_numbers_and_tensors_of_all_types_are_fetched_in_their_order():
    values = [torch.tensor(0.5), 2, torch.tensor(3), torch.tensor(1.5), 0.25]
    assert fetch(values) == [0.5, 2.0, 3.0, 1.5, 0.25] and fetch([]) == []


def test_what_was_given_may_be_changed_afterwards_whatever_it_is():
    meter = Meter()
    loss, array, weight = torch.tensor(1.0), np.array(2.0), torch.tensor(4)
    meter.mean(weight, loss=loss, array=array, number=np.float32(0.5))
    for value in (loss, array, weight):
        value += 10
    meter.mean(4, loss=loss, array=array, number=0.5)
    assert meter.result() == {'loss': 6.0, 'array': 7.0, 'number': 0.5}
    assert meter.last == {'loss': loss, 'array': 12.0, 'number': 0.5}


def test_what_is_not_a_number_is_refused_where_it_is_given():
    with pytest.raises((TypeError, ValueError)):
        Meter().mean(1, loss='high')
