"""The data of each phase: two data sets to train on, in turn. Yours: keep build_loaders.

    loaders = build_loaders(args)
    for task, batch in loaders['train'].only(('reconstruct', 'classify')): …

Of MNIST-1D's 4,000 training signals (mnist1d_data.py) only args.labels have a label here. All train
the reconstruction.
"""
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

import mnist1d_data
from tagrun.training import Loader

DATA = Path('__data__')     # training runs in the project's folder


def build_loaders(args):
    """Return one loader for each phase. The seed says which signals are for what."""
    arrays = mnist1d_data.load(DATA)
    x, y = torch.from_numpy(arrays['x']), torch.from_numpy(arrays['y'])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(args.seed))
    val, train = order[:400], order[400:]
    labelled = train[:args.labels]
    options = {'num_workers': args.num_workers}
    to_train = {'batch_size': args.batch_size, 'shuffle': True, **options}
    to_evaluate = {'seed': args.seed, 'stochastic': False, **options}
    test_set = TensorDataset(torch.from_numpy(arrays['x_test']), torch.from_numpy(arrays['y_test']))
    return {
        'train': InTurn({
            'reconstruct': DataLoader(
                TensorDataset(x[train]), generator=torch.Generator(), **to_train),
            'classify': DataLoader(
                TensorDataset(x[labelled], y[labelled]), generator=torch.Generator(), **to_train),
        }),
        'val': Loader(TensorDataset(x[val], y[val]), args.eval_batch_size, **to_evaluate),
        'test': Loader(test_set, args.eval_batch_size, **to_evaluate),
    }


class InTurn:
    """A batch of each loader in turn, with the loader's name; the longest ends it.

    Each loader has a generator. What is drawn here from torch's own follows from the run's seed and
    the epoch. `continue` reads the epoch's batches that were trained already, and drops them.
    """

    def __init__(self, loaders):
        self.loaders = loaders

    def only(self, names):
        return InTurn({name: self.loaders[name] for name in names})

    def __len__(self):
        return sum(map(len, self.loaders.values()))

    def __iter__(self):
        for loader in self.loaders.values():
            loader.generator.manual_seed(int(torch.randint(2**62, ())))
        iterators = {name: iter(loader) for name, loader in self.loaders.items()}
        while iterators:
            for name, iterator in list(iterators.items()):
                batch = next(iterator, None)
                if batch is None:
                    del iterators[name]
                else:
                    yield name, batch
