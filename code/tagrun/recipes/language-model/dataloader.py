"""The data of each phase: windows of a text. Yours: keep build_loaders, change all else.

    loaders = build_loaders(args)       # {'train': …, 'val': …}: batches (x, y), (B, T) int64 each

The text is Python's own manual, half a megabyte of English that comes with each Python: what
help('if') shows. It differs a little from one version of Python to the next.
"""
from pydoc_data.topics import topics

import torch
from torch.utils.data import Dataset

from tagrun.training import Loader


def build_loaders(args):
    """Return one loader for each phase: the first nine tenths to train, the rest to validate."""
    text = load_text()
    train, val = text[:len(text) * 9 // 10], text[len(text) * 9 // 10:]
    options = {'seed': args.seed, 'stochastic': False, 'num_workers': args.num_workers}
    return {
        'train': Loader(Windows(train, args.context), args.batch_size, shuffle=True, **options),
        'val': Loader(Windows(val, args.context, args.context), args.eval_batch_size, **options),
    }


def load_text():
    """Return all topics of the manual, in the order of their names: (N,) uint8."""
    text = '\n'.join(topics[name] for name in sorted(topics))
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


class Windows(Dataset):
    """Windows of a text, each with the same one byte later, which is what to predict.

    text: (N,) uint8; stride: bytes from the start of one window to that of the next.
    """

    def __init__(self, text, context, stride=1):
        self.text, self.context, self.stride = text, context, stride

    def __len__(self):
        return (len(self.text) - self.context - 1) // self.stride + 1

    def __getitem__(self, index):
        x, y = self.get_batch(torch.tensor([index]))
        return x[0], y[0]

    def get_batch(self, indices):
        """Return a whole batch: x, y: (B, T) int64. indices: (B,) int64."""
        starts = self.stride * torch.as_tensor(indices)
        places = starts[:, None] + torch.arange(self.context + 1)       # (B, T + 1)
        rows = self.text[places].long()
        return rows[:, :-1], rows[:, 1:]
