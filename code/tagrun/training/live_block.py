"""A few lines at the bottom of a terminal, drawn in place; what is printed goes above them.

    block = Block(stream); block.show([Text('train …'), Text('run …')])
    block.print('a line\n'); block.close()

rich makes the lines, and this file moves the cursor: no thread draws, and nothing is hidden that a
killed process would leave hidden. Each drawing is one write, over the lines before, so that they do
not blink. The cursor waits below the block.
"""

import contextlib
import io
import os
import threading
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.text import Text

from tagrun.training.terminal import can_draw, width_of


def console_of(stream: Any) -> Console:
    """Return rich's console that makes text for a terminal; NO_COLOR is its business."""
    encoding = getattr(stream, 'encoding', None) or 'utf-8'
    nowhere = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(
        file=nowhere, force_terminal=True, highlight=False, emoji=False, legacy_windows=False
    )


class Block:
    """The lines that stay at the bottom. Where the terminal went away nothing is drawn any more."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._console = stream, console_of(stream)
        self._lines: list[Text] = []
        self._painted: list[int] = []  # the widths of the lines on the screen
        self._is_line_open = False  # what was printed last has no end of line yet
        self._lock = threading.RLock()  # the thread that writes checkpoints may print
        os.register_at_fork(after_in_child=self._renew_lock)

    def width(self) -> int:
        """Return how wide a line may be: the last column stays free."""
        return width_of(self._stream) - 1

    def bar(self, share: float | None, columns: int) -> Text:
        """Return a bar of so many columns; blank where the share that is done is not known."""
        if share is None:
            return Text(' ' * columns)
        text = Text()
        bar = ProgressBar(1.0, min(1.0, share), width=columns, complete_style='cyan')
        for segment in self._console.render(bar):
            text.append(segment.text, segment.style)
        return text

    def show(self, lines: Sequence[Text]) -> None:
        """Draw these lines in place of those before."""
        with self._lock:
            self._lines = list(lines)
            if not self._is_line_open:
                self._write(self._painting())

    def close(self) -> None:
        """Take the lines off the screen."""
        self.show([])

    def print(self, text: str) -> None:
        """Print a text above the block.

        While its line has no end the block is off the screen.
        """
        with self._lock:
            if self._painted:
                # over the block, each line cleared as it is reached
                text = self._to_first_line() + '\x1b[K' + text.replace('\n', '\n\x1b[K')
                text += '\x1b[J' if not text.endswith('\n\x1b[K') else ''
                self._painted = []
            if text:
                self._is_line_open = not text.endswith(('\n', '\n\x1b[K'))
            self._write(text + ('' if self._is_line_open else self._painting()))

    def shares_terminal(self, stream: Any) -> bool:
        """Return whether a stream leads to the terminal on which the block is drawn."""
        if stream is self._stream:
            return True
        try:
            ours, theirs = os.fstat(self._stream.fileno()), os.fstat(stream.fileno())
        except (AttributeError, OSError, ValueError):
            return False
        return can_draw(stream) and ours.st_rdev == theirs.st_rdev

    def _painting(self) -> str:
        """Return what draws the lines over those that are on the screen."""
        if not (self._painted or self._lines):
            return ''
        start, width, parts = self._to_first_line(), self.width(), []
        for line in self._lines:
            line.truncate(width)
            parts.append(f'{self._rendered(line)}\x1b[K\n')
        self._painted = [line.cell_len for line in self._lines]
        return start + ''.join(parts) + '\x1b[J'

    def _renew_lock(self) -> None:
        """Replace the lock in a data worker: the thread that had it is not there."""
        self._lock = threading.RLock()

    def _rendered(self, line: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(line, end='', soft_wrap=True)
        return capture.get()

    def _to_first_line(self) -> str:
        """Return what moves the cursor to the start of the block.

        A terminal that became narrower has broken a line into several.
        """
        columns = width_of(self._stream)
        rows = sum(max(1, -(-width // columns)) for width in self._painted)
        return f'\r\x1b[{rows}A' if rows else '\r'

    def _write(self, text: str) -> None:
        if not text:
            return
        # OSError, ValueError: the terminal went away, or the stream is closed
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
