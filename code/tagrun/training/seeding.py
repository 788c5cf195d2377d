"""Every random number of a run comes from its seed.

    seed_everything(mix(seed, epoch, phase))    # at each phase's start: phases are independent
    state = random_state(); restore(state)      # for a checkpoint in the middle of a phase
    seed_hashes(seed, main)                     # by hand: starts Python again, with its hash seed

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
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

HASH_SEED = 'PYTHONHASHSEED'
STARTED_AGAIN = 'TAGRUN_STARTED_AGAIN'  # set by `seed_hashes` for the Python that it starts
LEVELS = ('fastest', 'fast', 'steady', 'exact')


def mix(*parts: Any) -> int:
    """Return a 63-bit seed from numbers and words: equal for equal parts, unrelated for others."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big') >> 1


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def seed_hashes(seed: int, main: Path) -> str:
    """Make the hashes of strings follow from the seed.

    Python takes their seed when it starts. So it is started again with main.py, unless it has this
    seed already. Returns '', or why that was not possible.
    """
    hash_seed, was_started = str(seed % 2**32), os.environ.pop(STARTED_AGAIN, '')
    if _has_hash_seed(hash_seed):
        return ''
    reason = 'starting it again did not help' if was_started else _reason_not_to_start(main)
    if reason:
        return (
            f'the seed does not decide the order of a set of strings here ({reason}): start '
            f'Python with {HASH_SEED}={hash_seed}'
        )
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    variables = {**os.environ, HASH_SEED: hash_seed, STARTED_AGAIN: '1'}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], variables)


def _has_hash_seed(hash_seed: str) -> bool:
    """Return whether this Python hashes as one does that starts with this seed.

    The variable alone would not tell: a script may set it later, and Python may ignore it.
    """
    if not sys.executable:
        return False
    done = subprocess.run(
        [sys.executable, '-S', '-c', "print(hash('tagrun'))"],
        env={**os.environ, HASH_SEED: hash_seed},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() == str(hash('tagrun'))


def _reason_not_to_start(main: Path) -> str:
    """Return why Python cannot be started again with main.py; '' where it can."""
    if script() != main.resolve():
        return 'Python was not started with main.py'
    if sys.flags.ignore_environment:
        return 'Python was started with -E or -I'
    if sys.gettrace() or sys.getprofile() or _is_monitored():
        return 'a debugger, a profiler or coverage is at work'
    return ''


def script() -> Path | None:
    """Return the script with which Python was started; None in a notebook, with -m or -c."""
    words = iter(sys.orig_argv[1:])
    for word in words:
        if word == '-' or word.startswith(('-c', '-m')):
            return None
        if word in ('-W', '-X', '--check-hash-based-pycs'):
            next(words, None)
        elif not word.startswith('-'):
            return Path(word).resolve() if sys.executable else None
    return None


def _is_monitored() -> bool:
    """Return whether a tool watches the program by sys.monitoring, which Python 3.12 brought."""
    monitoring = getattr(sys, 'monitoring', None)
    return monitoring is not None and any(map(monitoring.get_tool, range(6)))


def random_state() -> dict[str, Any]:
    """Return the states of the global generators.

    They are plain values and tensors, which load with weights_only=True.
    """
    numpy: Any = np.random.get_state()
    kind, keys, position, has_gauss, gauss = numpy
    state: dict[str, Any] = {
        'python': random.getstate(),
        'numpy': [kind, keys.tolist(), position, has_gauss, gauss],
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        state['cuda'] = torch.cuda.get_rng_state_all()
    return state


def restore(state: dict[str, Any]) -> None:
    """Put the generators back to what `random_state` returned."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state['cuda'][: torch.cuda.device_count()])


def set_determinism(level: str, compiled: bool = False) -> None:
    """Set one of LEVELS, before anything touches CUDA: cuBLAS reads its variable once.

    compiled: whether torch.compile is used.
    """
    if level not in LEVELS:
        raise ValueError(f'config.py: determinism is {level!r}; one of {", ".join(LEVELS)}')
    rank = LEVELS.index(level)
    torch.backends.cudnn.benchmark = rank == 0
    torch.backends.cudnn.deterministic = rank >= 2
    precision = 'high' if rank < 2 else 'highest'
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = rank < 2
    if rank == 3:
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        # the same as the next line for eager code, without a second of imports
        torch.set_deterministic_debug_mode('error')
        if compiled:
            torch.use_deterministic_algorithms(True)
