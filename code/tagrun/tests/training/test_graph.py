"""training/graph.py: the graph is drawn or says why not, and the model stays as it was."""

import os

import pytest
import torch
from tensorboard.compat.proto.event_pb2 import Event
from torch import nn
from torch.utils.data import DataLoader

from tagrun.training import graph
from tagrun.training.loader import Loader

CPU = torch.device('cpu')


class Counting(nn.Module):
    """It changes in each forward, as a codebook does."""

    def __init__(self):
        super().__init__()
        self.calls, self.linear, self.dropout = 0, nn.Linear(3, 2), nn.Dropout()
        self.register_buffer('seen', torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.seen += 1
        return self.dropout(self.linear(x))


def has_graph(events):
    return any(Event.FromString(event).graph_def for event in events)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('own', [True, False], ids=['a Loader', 'a DataLoader'])
def test_a_graph_is_drawn_and_the_model_is_as_before(own, workers):
    read, model = [], Counting()

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            read.append(index)
            return torch.ones(3), index

    options = {'num_workers': workers, 'persistent_workers': workers > 0}
    loader = Loader(Data(), 4, seed=1, **options) if own else DataLoader(Data(), 4, **options)
    state = torch.get_rng_state()
    events, reason = graph.draw(model, loader, CPU)
    assert reason == '' and has_graph(events)
    assert model.training and model.calls == 0 and model.seen == 0 and read == []
    assert torch.equal(torch.get_rng_state(), state) and loader.num_workers == workers


def test_two_samples_of_a_loader_are_read():
    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            if index > 1:
                os._exit(1)
            return torch.ones(3), index

    assert graph.draw(nn.Linear(3, 2), Loader(Data(), 8, seed=1), CPU)[1] == ''


@pytest.mark.parametrize(
    'batches, reason',
    [
        ([(torch.ones(2, 5),)], 'shapes cannot be multiplied'),
        ([{'x': 1}], ''),
        ([()], ''),
        ([], ''),
        ([7], ''),
        (Loader([], 2, seed=1), ''),
    ],
)
def test_what_has_no_graph_says_why_or_is_no_example(batches, reason):
    events, why = graph.draw(nn.Linear(3, 2), batches, CPU)
    assert events == [] and reason in why and bool(why) == bool(reason)


def test_a_model_that_cannot_run_in_another_process_is_drawn_here(monkeypatch):
    """A GPU is not there for tests: torch's meta device stands for it."""
    drawn = []
    monkeypatch.setattr(graph, 'trace', lambda model, x: drawn.append(x.device.type) or [b''])
    loader = Loader([(torch.ones(3), 1)] * 4, 2, seed=1)
    assert graph.draw(nn.Linear(3, 2), loader, torch.device('meta')) == ([b''], '')
    assert drawn == ['meta']
