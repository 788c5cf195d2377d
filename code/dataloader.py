"""The data of each phase. Yours: keep build_loaders, change all else.

    loaders = build_loaders(args)       # {'train': …, 'val': …, 'test': …}, each an iterable of batches (x, y)

The example is MNIST-1D (arXiv 2011.14439): 4,000 training and 1,000 test signals, made by its authors' package on the first call.
"""
import hashlib
import random
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from tagrun.store import atomic
from tagrun.training import Loader

DATA = Path('__data__')     # training runs in the project's folder


def build_loaders(args):
    """One loader for each phase. Validation samples are split off the training set by args.val_rate and the seed."""
    arrays = load_arrays()
    x, y = arrays['x'], arrays['y']
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(args.seed)).numpy()
    val, train = np.split(order, [round(args.val_rate * len(x))])
    evaluation = dict(batch_size=args.eval_batch_size, draws=False)
    loading = dict(seed=args.seed, num_workers=args.workers, persistent_workers=args.persistent_workers and args.workers > 0,
                   timeout=args.worker_timeout, pin_memory=torch.cuda.is_available())
    return {
        'train': Loader(Signals(x[train], y[train], args.augment), args.batch_size, shuffle=True, draws=args.augment > 0, **loading),
        'val': Loader(Signals(x[val], y[val]), **evaluation, **loading),
        'test': Loader(Signals(arrays['x_test'], arrays['y_test']), **evaluation, **loading),
    }


class Signals(Dataset):
    """x: (N, 40) float32 signals; y: (N,) int64 digits; augment: standard deviation of the noise that each reading adds."""

    classes = [str(digit) for digit in range(10)]

    def __init__(self, x, y, augment=0.0):
        self.x, self.y, self.augment = torch.from_numpy(x), torch.from_numpy(y), augment

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        x = self.x[index]
        return (x + self.augment * torch.randn(x.shape) if self.augment else x), self.y[index]

    get_batch = __getitem__     # of an array of indices, where no sample draws: a whole batch at once. Optional, and much faster


def load_arrays():
    """{'x': (4000, 40), 'y': (4000,), 'x_test': (1000, 40), 'y_test': (1000,)}, from __data__; made there if missing or damaged."""
    file, digest_file = DATA / 'mnist1d.npz', DATA / 'mnist1d.npz.sha256'
    try:
        whole = digest_file.read_text().split()[0] == hashlib.sha256(file.read_bytes()).hexdigest()
    except (FileNotFoundError, IndexError):
        whole = False
    if not whole:
        make_arrays(file, digest_file)
    with np.load(file) as arrays:
        return dict(arrays)


def make_arrays(file, digest_file):
    """Make MNIST-1D with its authors' package, which seeds the global generators: they are put back."""
    from mnist1d.data import get_dataset_args, make_dataset
    kept = random.getstate(), np.random.get_state()
    data = make_dataset(get_dataset_args())
    random.setstate(kept[0])
    np.random.set_state(kept[1])
    DATA.mkdir(exist_ok=True)
    with atomic.replacing(file) as opened:
        np.savez(opened, x=data['x'].astype('float32'), y=data['y'].astype('int64'),
                 x_test=data['x_test'].astype('float32'), y_test=data['y_test'].astype('int64'))
    atomic.write(digest_file, f'{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n')
