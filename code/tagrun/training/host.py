"""Put a process back as it was, where it lives on after the run: a notebook's, or a script's of
your own that calls main.main().

    restore = host.restorer(); …; restore()
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import torch

from tagrun.training import seeding
from tagrun.training.signals import ASKING

BACKEND = 'MPLBACKEND'
KERNELS = ('module://', 'inline')  # how a matplotlib backend begins that needs a notebook's kernel


def lives_on(main: Path) -> bool:
    """Return whether Python goes on after main.py: it was not started with that file."""
    return seeding.script() != main.resolve()


def forget_kernel_backend() -> None:
    """Forget the matplotlib backend of the notebook that started this process.

    It may not be installed here, and draws nothing without the notebook's kernel.
    """
    if os.environ.get(BACKEND, '').startswith(KERNELS):
        os.environ[BACKEND] = 'Agg'


def restorer() -> Callable[[], None]:
    """Return what puts back the folder, the signal handlers and how torch computes."""
    folder = os.getcwd()
    handlers = {number: signal.getsignal(number) for number in ASKING}
    settings = _torch_settings()

    def restore() -> None:
        os.chdir(folder)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
        _set_torch(settings)

    return restore


def _torch_settings() -> tuple[int, int, str, bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.get_float32_matmul_precision(),
        cudnn.benchmark,
        cudnn.deterministic,
        cudnn.allow_tf32,
    )


def _set_torch(settings: tuple[int, int, str, bool, bool, bool]) -> None:
    threads, debug_mode, precision, benchmark, deterministic, allow_tf32 = settings
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(debug_mode)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.benchmark = benchmark
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.allow_tf32 = allow_tf32
