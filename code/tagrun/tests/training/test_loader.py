"""training/loader.py: the order of an epoch and the randomness of a sample depend on the seed, the
epoch and the index alone.
"""

import collections
import itertools
import random
import types

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader
from unsendable import Unsendable

from tagrun.training import loader, seeding
from tagrun.training.loader import count_batches, count_samples
from tagrun.training.stream import Stream


class Drawing(torch.utils.data.Dataset):
    """Each sample draws from all three global generators."""

    def __len__(self):
        return 23

    def __getitem__(self, index):
        return torch.tensor(
            [index, random.random(), np.random.rand(), torch.rand(()).item()], dtype=torch.float64
        )


def epoch(batches, number, first=0):
    loader.seek(batches, 7, number, first)
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize(
    'options', [{'num_workers': 2}, {'num_workers': 2, 'persistent_workers': True}]
)
def test_workers_change_no_sample_and_an_epoch_can_begin_anywhere(options):
    alone = loader.Loader(Drawing(), 4, seed=7, shuffle=True)
    others = loader.Loader(Drawing(), 4, seed=7, shuffle=True, **options)
    for number in range(3):
        whole = epoch(alone, number)
        assert epoch(others, number) == whole
        assert epoch(others, number, 4) == epoch(alone, number, 4) == whole[4:]
    assert epoch(alone, 0) != epoch(alone, 1)


def test_drawing_samples_leaves_the_training_process_generators_alone():
    batches = loader.Loader(Drawing(), 4, seed=7, shuffle=True)
    seeding.seed_everything(1)
    expected = (random.random(), np.random.rand(), torch.rand(3).tolist())
    seeding.seed_everything(1)
    epoch(batches, 0)
    assert (random.random(), np.random.rand(), torch.rand(3).tolist()) == expected


def test_each_sample_comes_once_and_the_order_is_the_seeds():
    orders = []
    for seed in (7, 7, 8):
        batches = epoch(loader.Loader(Drawing(), 4, seed=seed, shuffle=True), 0)
        orders.append([index for index, *_ in itertools.chain(*batches)])
    assert sorted(orders[0]) == list(range(23)) and orders[0] == orders[1] != orders[2]
    assert (
        len(loader.Loader(Drawing(), 4, seed=7)) == 6
        and len(loader.Loader(Drawing(), 4, seed=7, drop_last=True)) == 5
    )


def test_a_loader_without_a_length_has_none():
    class Endless(torch.utils.data.IterableDataset):
        """torch's DataLoader over one has a length, which raises."""

        def __iter__(self):
            return itertools.count()

    assert (
        count_batches(iter([])) == count_batches(DataLoader(Endless())) == count_batches(None) == 0
    )
    assert count_batches([1, 2]) == 2


class Whole(torch.utils.data.Dataset):
    """It gives a whole batch at once."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return torch.tensor(index)

    def get_batch(self, indices):
        return torch.from_numpy(indices) + 100


def test_a_whole_batch_is_asked_for_where_nothing_is_drawn():
    whole = [batch.tolist() for batch in loader.Loader(Whole(), 3, seed=7, stochastic=False)]
    assert whole == [[100, 101, 102], [103, 104]]
    one_by_one = [batch.tolist() for batch in loader.Loader(Whole(), 3, seed=7)]
    assert one_by_one == [[0, 1, 2], [3, 4]]


def test_a_sample_that_fails_is_named():
    class Broken(Whole):
        def __getitem__(self, index):
            return 1 / (index - 3)

    with pytest.raises(loader.SampleError, match='sample 3 of the dataset: ZeroDivisionError'):
        list(loader.Loader(Broken(), 2, seed=7))


def test_the_digest_of_an_order_tells_batches_epochs_and_seeds_apart():
    digests = set()
    for seed, number in ((7, 0), (7, 1), (8, 0)):
        batches = loader.Loader(Drawing(), 4, seed=seed, shuffle=True)
        loader.seek(batches, seed, number, 0)
        digests |= {loader.order_digest(batches, batch) for batch in range(6)}
    assert len(digests) == 18
    assert loader.order_digest([1, 2], 0) == ''


def test_samples_are_counted_in_the_batches_of_every_kind_of_loader():
    batches = loader.Loader(Drawing(), 4, seed=7)
    assert [count_samples(batches, number, None) for number in (0, 5)] == [4, 3]
    nested = {'x': (torch.ones(6, 2), torch.ones(1))}
    assert count_samples([nested], 0, nested) == 6 and count_samples([], 0, 'text') == 1


def test_only_a_loader_is_divided_among_processes():
    assert loader.is_own(loader.Loader(Drawing(), 4, seed=7)) and not loader.is_own([1, 2, 3])


@pytest.mark.parametrize(
    'batches, most, count',
    [([1, 2, 3], 0, 3), ([1, 2, 3], 2, 2), ([1, 2, 3], 9, 3), (iter([1]), 0, 0), (iter([1]), 7, 7)],
)
def test_an_epoch_has_the_loaders_batches_or_as_many_as_are_asked_for(batches, most, count):
    assert loader.count_batches(batches, most) == count


def test_only_data_workers_are_waited_for():
    options = {'timeout': 30}
    assert loader.Loader(Drawing(), 4, seed=7, **options).timeout == 0
    assert loader.Loader(Drawing(), 4, seed=7, num_workers=1, **options).timeout == 30


# --- batches of every kind -----------------------------------------------------------------------

Sample = collections.namedtuple('Sample', 'x y')
META = torch.device('meta')


class Box(dict):
    """A dict with attributes of its own, as tensordict-like libraries have them."""


class Graph:
    """An object that knows how to move itself."""

    def __init__(self, x):
        self.x, self.options, self.owner = x, {'edges': torch.arange(4)}, self

    def to(self, device):
        return Graph(self.x.to(device))


class Inplace(Graph):
    def to(self, device):
        self.x = self.x.to(device)


class Encoding(collections.UserDict):
    """As BatchEncoding of transformers: a mapping with its own `to`."""

    def to(self, device):
        return Encoding({name: value.to(device) for name, value in self.items()})


class Row(list):
    pass


def test_all_tensors_of_a_batch_are_moved_and_all_else_passes():
    batch = {'x': (torch.ones(2), [torch.ones(3), 'a name']), 'n': 5}
    moved = loader.moved(batch, torch.device('meta'))
    assert (
        moved['x'][0].is_meta
        and moved['x'][1][0].is_meta
        and (moved['x'][1][1], moved['n']) == ('a name', 5)
    )
    assert type(moved['x']) is tuple and type(moved['x'][1]) is list


def test_containers_of_every_kind_stay_what_they_are():
    named = loader.moved(Sample(torch.ones(2), [torch.ones(2), 'a']), META)
    assert type(named) is Sample and named.x.is_meta and named.y[0].is_meta and named.y[1] == 'a'
    box = Box(x=torch.ones(1))
    box.note = 'mine'
    new = loader.moved(box, META)
    assert type(new) is Box and new['x'].is_meta and new.note == 'mine' and not box['x'].is_meta
    for batch in (
        collections.OrderedDict(x=torch.ones(1)),
        collections.defaultdict(list, x=torch.ones(1)),
        collections.UserDict(x=torch.ones(1)),
        Encoding(x=torch.ones(1)),
    ):
        new = loader.moved(batch, META)
        assert type(new) is type(batch) and new['x'].is_meta and not batch['x'].is_meta
    assert loader.moved(types.MappingProxyType({'x': torch.ones(1)}), META)['x'].is_meta
    row = loader.moved(Row([torch.ones(1), 3]), META)
    assert type(row) is Row and row[0].is_meta and row[1] == 3
    assert loader.moved(torch.Size([1, 2]), META) == torch.Size([1, 2])


def test_what_has_a_method_to_moves_itself():
    for batch in (Graph(torch.ones(2)), Inplace(torch.ones(2))):
        assert loader.moved(batch, META).x.is_meta
        assert loader.moved([batch, 1], META)[0].x.is_meta
    packed = pack_sequence([torch.ones(3, 2), torch.ones(2, 2)])
    assert type(loader.moved(packed, torch.device('cpu'))) is type(packed)
    assert loader.moved((packed, 1), META)[0].data.is_meta


def test_a_field_or_a_class_called_to_is_not_called():
    Edge = collections.namedtuple('Edge', 'start to')
    edge = loader.moved(Edge(torch.ones(1), torch.ones(1)), META)
    assert edge.to.is_meta and loader.moved(Graph, META) is Graph


def test_samples_are_counted_in_batches_of_every_kind():
    packed = pack_sequence([torch.ones(3, 2), torch.ones(2, 2)])
    for batch, count in (
        (Sample(torch.ones(5, 2), torch.ones(5)), 5),
        (packed, 2),
        ((packed, torch.ones(2)), 2),
        (Encoding(ids=torch.ones(4, 9)), 4),
        (Graph(torch.ones(6)), 6),
        ((['a', 'b'], torch.ones(2)), 2),
        ({'x': np.ones((3, 1))}, 3),
        ([], 1),
        ({}, 1),
        ((torch.tensor(1.0),), 1),
    ):
        assert count_samples([batch], 0, batch) == count


@pytest.mark.parametrize('make', [loader.Loader, DataLoader])
@pytest.mark.parametrize('method', [None, 'spawn'])
def test_a_batch_that_a_data_worker_cannot_send_is_an_error_at_once(make, method):
    options = {'seed': 1} if make is loader.Loader else {}
    batches = make(
        Unsendable(),
        4,
        num_workers=1,
        collate_fn=list,
        timeout=100,
        multiprocessing_context=method,
        **options,
    )
    loader.watch_workers({'train': batches, 'val': range(3)})
    loader.watch_workers({'train': batches})
    assert batches.multiprocessing_context.get_start_method() in (method, 'fork', 'forkserver')
    iterator = iter(batches)
    assert [next(iterator), next(iterator)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(loader.SendError, match='cannot send its batch: .*lambda'):
        next(iterator)


def test_without_data_workers_nothing_is_watched():
    batches = loader.Loader(Drawing(), 4, seed=1)
    loader.watch_workers({'train': batches, 'val': [1]})
    assert batches.multiprocessing_context is None


def numbers(batches, phase, number=0):
    loader.seek(batches, 7, number, 0, phase)
    return [sample for batch in batches for sample in batch.tolist()]


@pytest.mark.parametrize('workers', [0, 2])
def test_each_phase_has_an_order_and_random_numbers_of_its_own(workers):
    options = {'seed': 7, 'shuffle': True, 'num_workers': workers}
    phases = ('train', 'val', 'test')
    samples = {phase: numbers(loader.Loader(Drawing(), 4, **options), phase) for phase in phases}
    orders = {phase: [row[0] for row in rows] for phase, rows in samples.items()}
    assert all(sorted(order) == list(range(23)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 3
    for column in (1, 2, 3):
        drawn = [row[column] for rows in samples.values() for row in rows]
        assert len(set(drawn)) == 3 * 23
    # as before phases had their own: a training is what it was
    assert samples['train'] == numbers(loader.Loader(Drawing(), 4, **options), 'train')
    old = torch.Generator().manual_seed(seeding.mix(7, 'order', 0))
    assert orders['train'] == torch.randperm(23, generator=old).tolist()


def test_loaders_within_another_iterable_have_an_order_each_and_another_one_each_epoch():
    pair = [loader.Loader(Drawing(), 4, seed=7, shuffle=True) for _ in range(2)]

    class Zipped:
        def __iter__(self):
            return zip(*pair, strict=True)

    def read(stream, epoch, first=0):
        return [
            [row[0] for row in batch.tolist()]
            for both in stream.batches(epoch, first)
            for batch in both
        ]

    epochs = [read(Stream(Zipped(), 7, 'train'), number) for number in (0, 1)]
    for batches in epochs:
        one, other = itertools.chain(*batches[::2]), itertools.chain(*batches[1::2])
        one, other = list(one), list(other)
        assert sorted(one) == sorted(other) == list(range(23)) and one != other
    assert epochs[0] != epochs[1]
    # a resumed epoch is the same one
    assert read(Stream(Zipped(), 7, 'train'), 1, 2) == epochs[1][4:]


@pytest.mark.parametrize(
    'make, dropped',
    [
        (lambda: loader.Loader(Drawing(), 24, seed=7, drop_last=True), 23),
        (lambda: DataLoader(Drawing(), 24, drop_last=True), 23),
        (lambda: loader.Loader(Drawing(), 23, seed=7, drop_last=True), 0),
        (lambda: loader.Loader([], 4, seed=7, drop_last=True), 0),
        (lambda: loader.Loader(Drawing(), 24, seed=7), 0),
        (lambda: DataLoader(Drawing(), batch_sampler=iter([[0], [1]])), 0),
        (lambda: DataLoader(Drawing(), batch_size=None), 0),
        (lambda: [], 0),
        (lambda: None, 0),
    ],
)
def test_samples_that_drop_last_drops_are_counted_where_it_drops_all(make, dropped):
    assert loader.count_dropped(make()) == dropped
