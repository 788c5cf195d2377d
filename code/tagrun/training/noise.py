"""Say whether a library prints on its own, or the researcher.

    is_noise(sys._getframe(1))      # where something is printed: the frame that prints it

What torch, TensorBoard or multiprocessing print, and every warning, goes to the log alone: it would
run over the bars. What the researcher prints is shown, from a hook that torch calls too.
"""

from types import FrameType

# by whom a text goes on its way; who called them is who prints
PLUMBING = frozenset({'logging', 'traceback', 'tagrun.training.signals'})
WARNINGS = frozenset({'warnings', '_py_warnings'})
NOISY = WARNINGS | {
    'absl',
    'concurrent',
    'multiprocessing',
    'tensorboard',
    'tensorflow',
    'torch',
    'triton',
}
# in a data worker: the end of one of multiprocessing's own threads
NOISY_IN_WORKER = frozenset({'threading'})
# one of these is in the code of whoever prints itself; `tensor.register_hook(print)` has none
PRINTING = frozenset({'print', 'write', 'writelines'})


def is_noise(frame: FrameType | None, in_worker: bool = False) -> bool:
    """Return whether the frame that prints, or for which logging prints, is a library's."""
    printing, package = origin(frame)
    if in_worker and package in NOISY_IN_WORKER:
        return True
    if package not in NOISY:
        return False
    was_called_for = printing is not frame
    return was_called_for or bool(PRINTING & _names(printing))


def is_warning(frame: FrameType | None) -> bool:
    """Return whether Python's warnings print."""
    return origin(frame)[1] in WARNINGS


def origin(frame: FrameType | None) -> tuple[FrameType | None, str]:
    """Return (the frame that prints or for which the plumbing does, its package)."""
    while frame is not None:
        module = str(frame.f_globals.get('__name__', ''))
        package = module.partition('.')[0]
        if module not in PLUMBING and package not in PLUMBING:
            return frame, package
        frame = frame.f_back
    return None, ''


def _names(frame: FrameType | None) -> frozenset[str]:
    return frozenset(frame.f_code.co_names) if frame is not None else frozenset()
