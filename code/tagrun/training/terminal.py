"""What a stream leads to: can it be drawn on, and how wide is it. It loads neither torch nor rich.

if can_draw(sys.stderr): print('x' * width_of(sys.stderr))
"""

import os
from typing import Any

DUMB = ('', 'dumb', 'unknown')  # values of TERM: a terminal that cannot move its cursor
NARROWEST, USUAL = 20, 80  # columns


def can_draw(stream: Any) -> bool:
    """Return whether a stream leads to a terminal that can draw in place."""
    try:
        return bool(stream.isatty()) and os.environ.get('TERM', '') not in DUMB
    except (AttributeError, OSError, ValueError):  # it is closed, or no file
        return False


def width_of(stream: Any) -> int:
    """Return the columns of the terminal that a stream leads to, now."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        columns = 0
    return max(columns or USUAL, NARROWEST)
