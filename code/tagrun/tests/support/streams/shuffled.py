"""A stream that is shuffled in a buffer, read by two workers; nobody knows how long it is."""

import random

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class Stream(IterableDataset):
    def __init__(self, count, noise):
        self.count, self.noise = count, noise

    def __iter__(self):
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        buffer = []
        for number in range(first, self.count, step):
            x = np.random.default_rng(number).normal(size=40).astype('float32')
            buffer.append((torch.from_numpy(x) + self.noise * torch.randn(40), int(x[0] > 0)))
            if len(buffer) > 30:
                yield buffer.pop(random.randrange(len(buffer)))
        yield from buffer


def build_loaders(args):
    return {
        'train': DataLoader(Stream(900, 0.1), 30, num_workers=args.num_workers),
        'val': DataLoader(Stream(300, 0.0), 30, num_workers=args.num_workers),
    }
