"""The data of each phase: eight clouds of points on a circle. Yours: keep build_loaders.

    loaders = build_loaders(args)       # {'train': …, 'val': …}: batches of points, (B, 2) float32
"""
import math

import torch
from torch.utils.data import Dataset

from tagrun.training import Loader

MODES = 8           # clouds
SPREAD = 0.05       # standard deviation of a cloud; the circle's radius is 1
ANGLES = 2 * math.pi * torch.arange(MODES) / MODES
CENTRES = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)      # (8, 2)


def build_loaders(args):
    """Return one loader for each phase. The seed says which points there are."""
    generator = torch.Generator().manual_seed(args.seed)
    options = {'seed': args.seed, 'stochastic': False, 'num_workers': args.num_workers}
    train_set, val_set = Points(4000, generator), Points(1000, generator)
    return {
        'train': Loader(train_set, args.batch_size, shuffle=True, **options),
        'val': Loader(val_set, args.eval_batch_size, **options),
    }


class Points(Dataset):
    """Points that are drawn once."""

    def __init__(self, count, generator):
        cloud = torch.randint(MODES, (count,), generator=generator)
        self.points = CENTRES[cloud] + SPREAD * torch.randn(count, 2, generator=generator)

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        return self.points[index]

    def get_batch(self, indices):
        """Return a whole batch, (B, 2)."""
        return self.points[indices]
