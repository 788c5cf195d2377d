"""How a sweep looks while it runs: on a terminal a table of its trials, redrawn in place; elsewhere a plain line at each trial's end.

    screen = Screen(); screen.draw(head, rows, right, summary); screen.line('t1/3 finished …'); screen.close()

It knows no trial: rows are texts, the head first.
"""
import os
import shutil
import sys
import time

from tagrun.command import columns
from tagrun.command.say import printable, say

REDRAW_S = 0.5


class Screen:
    def __init__(self):
        self.is_terminal = sys.stderr.isatty() and os.environ.get('TERM') != 'dumb'
        self._drawn = 0         # lines that stand there to be drawn over
        self._next = 0.0

    @property
    def patience_s(self):
        """How long one may wait before it is to be drawn again."""
        return REDRAW_S if self.is_terminal else None

    def is_due(self):
        return self.is_terminal and time.monotonic() >= self._next

    def height(self):
        """Rows that fit beside the head, the summary and the prompt."""
        return max(3, shutil.get_terminal_size().lines - 4)

    def draw(self, head, rows, right, summary):
        """The table and its summary, over what was drawn before."""
        width = shutil.get_terminal_size().columns
        lines = [*(columns.lines(head, rows, right) if rows else []), printable(summary)]
        self._put(''.join(f'{line[:width - 1]}\x1b[K\n' for line in lines), len(lines))
        self._next = time.monotonic() + REDRAW_S

    def line(self, text):
        """A line that stays, above the table."""
        self._put('', 0)
        say(text)
        self._next = 0.0

    def close(self):
        """Leave what was drawn."""
        self._drawn = 0

    def _put(self, text, lines):
        if self.is_terminal:
            up = f'\x1b[{self._drawn}A\r' if self._drawn else ''
            try:
                sys.stderr.write(f'{up}\x1b[J{text}')
                sys.stderr.flush()
            except OSError:     # the terminal went away
                self.is_terminal = False
        self._drawn = lines
