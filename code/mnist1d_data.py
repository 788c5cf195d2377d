"""MNIST-1D, the example's data: 5,000 signals of ten digits (arXiv 2011.14439).

    arrays = load(Path('__data__'))     # {'x': (4000, 40), 'y': (4000,), 'x_test': …}

Its authors' package makes the data on the first call. Delete this file with the example.
Its name is not mnist1d.py, which would hide that package.
"""
import hashlib
import random

import numpy as np

from tagrun.store import atomic

POINTS = 40     # readings of a signal
CLASSES = 10    # digits


def load(folder):
    """Return the arrays in `folder`; make them where they are missing or damaged.

    x: (4000, 40) float32, y: (4000,) int64, x_test: (1000, 40) float32, y_test: (1000,) int64.
    """
    file = folder / 'mnist1d.npz'
    if not _is_whole(file):
        _make(file)
    with np.load(file) as arrays:
        return dict(arrays)


def _is_whole(file):
    try:
        digest = _digest_file(file).read_text().split()[0]
        return digest == hashlib.sha256(file.read_bytes()).hexdigest()
    except (FileNotFoundError, IndexError):
        return False


def _make(file):
    data = _generate()
    file.parent.mkdir(exist_ok=True)
    arrays = {name: data[name].astype('float32') for name in ('x', 'x_test')}
    arrays |= {name: data[name].astype('int64') for name in ('y', 'y_test')}
    with atomic.replacing(file) as opened:
        np.savez(opened, **arrays)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    atomic.write(_digest_file(file), f'{digest}  {file.name}\n')


def _generate():
    """Call the authors' package, which seeds the global generators; then put those back."""
    from mnist1d.data import get_dataset_args, make_dataset

    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        return make_dataset(get_dataset_args())
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _digest_file(file):
    return file.with_name(f'{file.name}.sha256')
