"""Samples that a data worker cannot send: DataLoader(Unsendable(), 4, collate_fn=list).

In a module of its own, for a worker that is started by spawn imports it.
"""

from torch.utils.data import Dataset


class Unsendable(Dataset):
    """Eight numbers, and then functions that cannot be pickled."""

    def __len__(self):
        return 23

    def __getitem__(self, index):
        return (lambda: index) if index > 7 else index
