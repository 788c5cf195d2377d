"""The data of each phase. Yours: keep build_loaders, change all else.

    loaders = build_loaders(args)       # {'train': …, 'val': …, 'test': …}: batches (x, y)

The example is MNIST-1D, see mnist1d_data.py: 4,000 training and 1,000 test signals.
"""
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

import mnist1d_data
from mnist1d_data import CLASSES
from tagrun.training import Loader

DATA = Path('__data__')     # training runs in the project's folder


def build_loaders(args):
    """Return one loader for each phase.

    args.val_fraction and the seed say which training samples are for validation.
    """
    arrays = load_arrays()
    x, y = arrays['x'], arrays['y']
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(args.seed)).numpy()
    val, train = np.split(order, [round(args.val_fraction * len(x))])
    options = {
        'seed': args.seed,
        'num_workers': args.num_workers,
        'persistent_workers': args.persistent_workers and args.num_workers > 0,
        'timeout': args.worker_timeout,
        'pin_memory': torch.cuda.is_available(),
    }
    train_set = Signals(x[train], y[train], args.augment)
    val_set = Signals(x[val], y[val])
    test_set = Signals(arrays['x_test'], arrays['y_test'])
    return {
        'train': Loader(
            train_set, args.batch_size, shuffle=True, stochastic=args.augment > 0, **options
        ),
        'val': Loader(val_set, args.eval_batch_size, stochastic=False, **options),
        'test': Loader(test_set, args.eval_batch_size, stochastic=False, **options),
    }


def load_arrays():
    """Return {'x': (4000, 40), 'y': (4000,), 'x_test': (1000, 40), 'y_test': (1000,)}."""
    return mnist1d_data.load(DATA)


class Signals(Dataset):
    """Signals and their digits.

    x: (N, 40) float32; y: (N,) int64; augment: standard deviation of the noise on each reading.
    """

    classes = [str(digit) for digit in range(CLASSES)]

    def __init__(self, x, y, augment=0.0):
        self.x, self.y, self.augment = torch.from_numpy(x), torch.from_numpy(y), augment

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        x = self.x[index]
        if self.augment:
            x = x + self.augment * torch.randn(x.shape)
        return x, self.y[index]

    def get_batch(self, indices):
        """Return a whole batch, x: (B, 40), y: (B,). Optional, and much faster than one by one.

        indices: (B,) int64. The Loader calls it where it was told stochastic=False.
        """
        return self[indices]
