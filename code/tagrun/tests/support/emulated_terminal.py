"""A terminal without a window: what a program wrote to it, as its user sees it.

terminal = Terminal(columns=80); Bars(40, 0, terminal); assert 'run' in terminal.rows()[-1]
"""

import io
import os
import pty
import struct
from fcntl import ioctl
from termios import TIOCSWINSZ

import pyte


class Terminal(io.TextIOBase):
    """A stream that is a terminal, of a size that can be changed."""

    encoding = 'utf-8'

    def __init__(self, columns=80, lines=24):
        self._leader, self._follower = pty.openpty()
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.Stream(self._screen)
        self.writes = []
        self.resize(columns, lines)

    def resize(self, columns, lines=24):
        """Change its size; pyte cuts lines off, it does not break them."""
        ioctl(self._follower, TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))
        self._screen.resize(lines, columns)

    def fileno(self):
        return self._follower

    def isatty(self):
        return True

    def write(self, text):
        if self.closed:
            raise ValueError('the terminal is gone')
        self.writes.append(text)
        self._stream.feed(text.replace('\n', '\r\n'))
        return len(text)

    def rows(self):
        """The lines on the screen that are not blank."""
        lines = (line.rstrip() for line in self._screen.display)
        return [line for line in lines if line]

    def close(self):
        if not self.closed:
            os.close(self._leader)
            os.close(self._follower)
        super().close()
