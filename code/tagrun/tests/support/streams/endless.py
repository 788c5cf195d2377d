"""A generator that never ends: an epoch is steps_per_epoch batches of it, wherever it stands."""

import numpy as np
import torch


def batches(args, seed):
    """Yield (x, y) for ever, with random numbers of its own and of a global generator."""
    own = np.random.default_rng(seed)
    while True:
        x = torch.from_numpy(own.normal(size=(30, 40)).astype('float32'))
        yield x + 0.1 * float(np.random.random()), (x[:, 0] > 0).long()


def build_loaders(args):
    fixed = batches(args, 1)
    return {'train': batches(args, args.seed), 'val': [next(fixed) for _ in range(4)]}
