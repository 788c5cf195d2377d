"""Go on in the background, and find out what a terminal does with us.

if not in_background(): return 0        # the caller ends; the rest runs in another process
"""

import os
import sys
from collections.abc import Callable


def in_background(fork: Callable[[], int] = os.fork) -> bool:
    """Go on in a process of its own, without the terminal.

    Returns True in that process, and False in the one that was called. fork: as os.fork.
    """
    sys.stderr.flush()
    if fork():
        return False
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    return True


def in_foreground() -> bool:
    """Return whether a terminal sends its Ctrl-C to our process group, children included."""
    try:
        terminal = os.open('/dev/tty', os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def is_silent() -> bool:
    """Return whether what we print goes nowhere, as in the background: the log is all there is."""
    return not sys.stderr.isatty() and os.path.samestat(os.fstat(2), os.stat(os.devnull))
