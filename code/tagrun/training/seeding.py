"""Every random number of a run comes from its seed.

    seed_everything(mix(seed, epoch, phase))     # at the start of each phase: no phase depends on what another one drew
    kept = random_state(); restore(kept)         # for a checkpoint in the middle of a phase

`determinism`, from fastest to exact:
    fastest   cuDNN picks the fastest kernels by trial; TF32 matrix products
    fast      cuDNN does not try kernels out; TF32 stays
    steady    cuDNN uses deterministic kernels only; full float32
    exact     every operator is deterministic, or raises an error that names it
On a CPU all four give the same bits.
"""
import hashlib
import os
import random

import numpy as np
import torch

LEVELS = ('fastest', 'fast', 'steady', 'exact')


def mix(*parts):
    """A 63-bit seed from numbers and words: equal for equal parts, unrelated for others."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), 'big') >> 1


def seed_everything(seed):
    """Seed Python's, NumPy's and torch's global generators, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2 ** 32)
    torch.manual_seed(seed)


def random_state():
    """The global generators' states, as plain values and tensors (they load with weights_only=True)."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    state = {'python': random.getstate(), 'numpy': [kind, keys.tolist(), position, has_gauss, gauss], 'torch': torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state['cuda'] = torch.cuda.get_rng_state_all()
    return state


def restore(state):
    """Put the generators back to what `random_state` returned."""
    version, keys, gauss = state['python']
    random.setstate((version, tuple(keys), gauss))
    np.random.set_state((state['numpy'][0], np.array(state['numpy'][1], dtype=np.uint32), *state['numpy'][2:]))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state['cuda'][:torch.cuda.device_count()])


def set_determinism(level, compiled=False):
    """One of LEVELS; `compiled`: whether torch.compile is used. Before anything touches CUDA: cuBLAS reads its variable once."""
    if level not in LEVELS:
        raise ValueError(f'config.py: determinism is {level!r}; one of {", ".join(LEVELS)}')
    rank = LEVELS.index(level)
    torch.backends.cudnn.benchmark = rank == 0
    torch.backends.cudnn.deterministic = rank >= 2
    torch.set_float32_matmul_precision('high' if rank < 2 else 'highest')
    torch.backends.cudnn.allow_tf32 = rank < 2
    if rank == 3:
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        torch.set_deterministic_debug_mode('error')     # the same as the next line for eager code, without a second of imports
        if compiled:
            torch.use_deterministic_algorithms(True)
