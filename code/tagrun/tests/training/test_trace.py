"""training/trace.py: trace.csv, and the digests of batches in it."""

import collections
import concurrent.futures

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from tagrun.store.trace import HEADER
from tagrun.training.trace import EVERY, Trace, TrainedStep, batch_digest


def test_a_long_trace_is_thinned_and_a_resumed_one_cut_back(tmp_path):
    trace = Trace(tmp_path, total_steps=2_500_000)
    trace.open(0)
    for step in range(1, 10):
        trace.step(TrainedStep(1, step, 'aa', 'bb', {'loss': torch.tensor(0.1)}, {}))
    offset = trace.show()
    trace.step(TrainedStep(1, 12, 'aa', 'bb', {}, {}))
    trace.weights(1, 'c' * 64)
    trace.close()
    text = (tmp_path / 'trace.csv').read_text()
    assert [line.split(',')[1] for line in text.splitlines()[1:]] == ['1', '3', '6', '9', '12', '']
    assert '0.10000000149011612' in text and text.endswith('1,,,,,cccccccccccccccc\n')
    again = Trace(tmp_path, total_steps=2_500_000)
    again.open(offset)
    again.close()
    assert (tmp_path / 'trace.csv').read_text() == text[:offset]


def test_a_batch_digest_sees_every_tensor_of_a_batch():
    batch = {'x': torch.arange(5000.0), 'y': [torch.tensor([1, 2]), np.arange(3)], 'name': 'a'}
    digests = {batch_digest(batch)}
    for change in (
        lambda b: b['x'].add_(1e-3),
        lambda b: b['y'][0].add_(1),
        lambda b: b['y'].__setitem__(1, np.arange(1, 4)),
    ):
        change(batch)
        digests.add(batch_digest(batch))
    assert len(digests) == 4
    assert batch_digest([torch.tensor(3.0), torch.empty(0), torch.ones(2, 3).t()])


def test_a_trace_is_written_by_the_thousand_and_ends_at_a_loss_that_is_no_number(tmp_path):
    trace = Trace(tmp_path, EVERY, stop_on_nan=True)
    trace.close()  # before it was opened: an error came first
    trace.open(0)
    # the first one is written at once
    for step in range(1, EVERY + 2):
        trace.step(TrainedStep(1, step, 'aa', 'bb', {'loss': 0.5}, {}))
        if step in (1, EVERY):
            assert (tmp_path / 'trace.csv').read_text() == HEADER + '1,1,aa,bb,0.5,\n'
    assert (tmp_path / 'trace.csv').read_text().count('\n') == EVERY + 2
    trace.step(TrainedStep(1, EVERY + 2, 'aa', 'bb', {'loss': torch.tensor(float('nan'))}, {}))
    trace.step(TrainedStep(1, EVERY + 3, 'aa', 'bb', {'loss': 0.5}, {}))
    with pytest.raises(
        FloatingPointError, match=f'the loss is nan at step {EVERY + 2}, in epoch 1'
    ):
        trace.show()
    assert (tmp_path / 'trace.csv').read_text().endswith(f'1,{EVERY + 2},aa,bb,nan,\n')


def test_a_batch_digest_reads_bfloat16_and_leaves_out_what_is_not_numbers_or_not_here():
    one = batch_digest(torch.ones(4, dtype=torch.bfloat16))
    assert one != batch_digest(torch.zeros(4, dtype=torch.bfloat16))
    assert batch_digest(
        [np.array(['a', 'b']), torch.ones(2, device='meta'), torch.eye(2).to_sparse(), None]
    ) == batch_digest([])


def test_a_digest_of_weights_that_is_not_there_yet_is_waited_for_at_the_next_line(tmp_path):
    trace, digest = Trace(tmp_path, 10), concurrent.futures.Future()
    trace.open(0)
    trace.step(TrainedStep(1, 1, 'aa', 'bb', {}, {}))
    trace.weights(1, digest)
    digest.set_result('d' * 64)
    trace.step(TrainedStep(2, 2, 'aa', 'bb', {'loss': 0.5}, {}))
    trace.sync()
    trace.close()
    lines = (tmp_path / 'trace.csv').read_text().splitlines()
    assert lines[1:] == ['1,1,aa,bb,,', '1,,,,,dddddddddddddddd', '2,2,aa,bb,0.5,']


def test_a_loss_that_is_not_a_number_stops_only_a_run_that_asked_for_it(tmp_path):
    trace = Trace(tmp_path, 10, stop_on_nan=False)
    trace.open(0)
    trace.step(TrainedStep(1, 1, 'aa', 'bb', {'loss': float('inf')}, {}))
    trace.close()
    assert (tmp_path / 'trace.csv').read_text().endswith('1,1,aa,bb,inf,\n')


def test_a_batch_digest_sees_the_tensors_of_every_container():
    class Graph:
        def __init__(self, number):
            self.x, self.store, self.itself = torch.tensor([number]), {'y': [1]}, self

        def to(self, device):
            return self

    Sample = collections.namedtuple('Sample', 'x y')
    for make in (
        lambda number: Sample(torch.tensor(1), torch.tensor(number)),
        lambda number: collections.UserDict(x=torch.tensor(number)),
        lambda number: collections.OrderedDict(x=torch.tensor(number)),
        lambda number: pack_sequence([torch.tensor([number, 1]), torch.tensor([2])]),
        Graph,
    ):
        assert batch_digest(make(1)) == batch_digest(make(1)) != batch_digest(make(2))
        assert batch_digest(make(1)) != batch_digest([])


@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
@pytest.mark.parametrize('step', [1, 2, 4, 6, 1_003])
def test_a_number_that_is_not_finite_is_found_between_the_steps_that_are_traced(
    tmp_path, step, value
):
    trace = Trace(tmp_path, total_steps=2_500_000, stop_on_nan=True)
    trace.open(0)
    with pytest.raises(FloatingPointError, match=f'critic is {value} at step {step}, in epoch 1'):
        for number in range(1, step + 1):
            critic = torch.tensor(float(value) if number == step else 0.5)
            trace.step(TrainedStep(1, number, 'aa', 'bb', {'loss': 0.5, 'critic': critic}, {}))
        trace.show()
    trace.close()
    lines = (tmp_path / 'trace.csv').read_text().splitlines()[1:]
    steps = [int(line.split(',')[1]) for line in lines]
    assert steps == sorted({1, *range(3, step, 3), step})
