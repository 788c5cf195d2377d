"""How a sweep looks while it runs: on a terminal a table, redrawn in place; elsewhere plain lines.

    screen = Screen()
    screen.draw(('trial', 'status'), [('t1/3', 'finished')], right=(), summary='1/12 done')
    screen.line('t1/3 failed …'); screen.close()

It has no notion of a trial: rows are texts, the head first.
"""

import os
import shutil
import sys
import time
from collections.abc import Sequence

from tagrun.core.cli import aligned
from tagrun.core.cli.messages import echo, printable

REDRAW_S = 0.5


class Screen:
    """The lower part of a terminal, or a plain stream."""

    def __init__(self) -> None:
        self.is_terminal = sys.stderr.isatty() and os.environ.get('TERM') != 'dumb'
        self._drawn = 0  # lines on the terminal that are to be drawn over
        self._due = 0.0  # when the table is to be drawn next

    @property
    def patience_s(self) -> float | None:
        """Return how long one may wait before the table is to be drawn again."""
        return REDRAW_S if self.is_terminal else None

    def is_due(self) -> bool:
        """Return whether the table is to be drawn now."""
        return self.is_terminal and time.monotonic() >= self._due

    def height(self) -> int:
        """Return how many rows fit beside the head, the summary and the prompt."""
        return max(3, shutil.get_terminal_size().lines - 4)

    def draw(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        right: Sequence[str],
        summary: str,
    ) -> None:
        """Draw the table and its summary over what was drawn before."""
        width = shutil.get_terminal_size().columns
        table = aligned.lines(head, rows, right) if rows else []
        lines = [*table, printable(summary)]
        self._write(''.join(f'{line[: width - 1]}\x1b[K\n' for line in lines), len(lines))
        self._due = time.monotonic() + REDRAW_S

    def line(self, text: str) -> None:
        """Write a line that stays, above the table."""
        self._write('', 0)
        echo(text)
        self._due = 0.0

    def close(self) -> None:
        """Leave on the terminal what was drawn."""
        self._drawn = 0

    def _write(self, text: str, lines: int) -> None:
        if self.is_terminal:
            up = f'\x1b[{self._drawn}A\r' if self._drawn else ''
            try:
                sys.stderr.write(f'{up}\x1b[J{text}')
                sys.stderr.flush()
            except OSError:  # the terminal went away
                self.is_terminal = False
        self._drawn = lines
