"""Call a run's code as training calls it, and leave this process as it was.

    with as_in_training(root, seed=4242): loaders = build_loaders(args)

Inside, the current folder is the project's, and random numbers follow from the seed. Afterwards the
folder and the states of the global generators (Python's, NumPy's, torch's) are those from before.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_in_training(root: Path, seed: int) -> Iterator[None]:
    """Do the block in the project's folder, with the generators seeded, and put both back."""
    import numpy as np
    import torch

    folder, of_python, of_numpy = os.getcwd(), random.getstate(), np.random.get_state()
    of_torch, seed_of_torch = torch.get_rng_state(), torch.initial_seed()
    of_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        os.chdir(root)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        yield
    finally:
        os.chdir(folder)
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        # this one also counts for devices that nothing has used so far
        torch.manual_seed(seed_of_torch)
        torch.set_rng_state(of_torch)
        if of_cuda:
            torch.cuda.set_rng_state_all(of_cuda)
