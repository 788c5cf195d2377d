"""What the model says about new files, for `tagrun predict`. Yours, and optional.

    tagrun predict first signals.npy more.csv -o digits.csv

The example reads signals of 40 numbers: .npy of shape (40,) or (N, 40), and .csv, a signal a line.
"""
from itertools import islice

import numpy as np
import torch

from mnist1d_data import CLASSES, POINTS


def predict(model, args, paths):
    """Yield a row, a dict, for each signal of the files: its digit, and the probability of each.

    paths: to be read one after the other. A file that raises is named, and the next one is read.
    """
    device = next(model.parameters()).device
    for path in paths:
        row = 0
        for x in read_batches(path, args.eval_batch_size):      # (B, 40) float32
            with torch.no_grad():
                probabilities = model(torch.from_numpy(x).to(device)).softmax(1)    # (B, 10)
            for p in probabilities.tolist():
                columns = {f'p{digit}': p[digit] for digit in range(CLASSES)}
                yield {'file': path, 'row': row, 'digit': p.index(max(p)), **columns}
                row += 1
        if not row:
            raise ValueError('it has no signal')


def read_batches(path, size):
    """Yield up to `size` signals at a time, (B, 40) float32. Raises ValueError, OSError."""
    read = {'.npy': read_npy, '.csv': read_csv}.get(path[-4:].lower())
    if read is None:
        raise ValueError('neither .npy nor .csv')
    for x in read(path, size):
        if x.ndim != 2 or x.shape[1] != POINTS:
            raise ValueError(f'its shape is {x.shape}; (40,) or (N, 40) is read')
        if not np.isfinite(x).all():
            raise ValueError('it has a NaN or an infinite value')
        yield x


def read_npy(path, size):
    """Map the file anew for each batch: memory does not grow with its length."""
    count = len(np.atleast_2d(np.lib.format.open_memmap(path, mode='r')))
    for start in range(0, count, size):
        signals = np.atleast_2d(np.lib.format.open_memmap(path, mode='r'))
        yield np.array(signals[start:start + size], dtype=np.float32)


def read_csv(path, size):
    with open(path) as lines:
        while batch := list(islice(lines, size)):
            yield np.loadtxt(batch, delimiter=',', dtype=np.float32, ndmin=2)
