"""The run's log: all that is printed, on the screen as it was and in the file `log` without bars.

    log = Log(folder / 'log'); log.head(['t1/0, seed 4242']); …; log.close()

Each line of the file has its time; times=False leaves it out. What libraries print on their own
(noise.py) is in the file alone, and so is what C libraries and child processes write to stderr: it
goes past Python, and has no time.
"""

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from tagrun.store import atomic
from tagrun.training import noise
from tagrun.training.live_block import Block, console_of
from tagrun.training.terminal import can_draw, width_of

STDERR = 2  # its descriptor


def open_streams() -> None:
    """Open /dev/null for each standard stream that is closed, as in `python main.py >&-`.

    Else the next file that is opened would take its descriptor, and what a C library prints.
    """
    for descriptor, name in enumerate(('stdin', 'stdout', 'stderr')):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            # the descriptor may be another file's by now
            mode = 'w' if descriptor else 'r'
            stream = os.fdopen(os.open(os.devnull, os.O_RDWR), mode)
            setattr(sys, name, stream)
            setattr(sys, f'__{name}__', stream)


class _Lines:
    """The file: what is printed, each line with its time if `times`.

    Two streams never share a line.
    """

    def __init__(self, path: Path, times: bool) -> None:
        # nothing is held back that a later write would stumble on
        self.file = os.fdopen(atomic.open_to_append(path), 'ab', buffering=0)
        self._times, self._date = times, time.strftime('%Y-%m-%d')
        self._writing = ''  # the stream whose line has no end yet

    def add(self, text: str, stream: str) -> None:
        """Write a part of a line, or lines. A full disk takes none, and the next save says so."""
        if self._times:
            text = self._with_times(text, stream)
        # ValueError: it is closed, and somebody still holds the stream
        with contextlib.suppress(OSError, ValueError):
            self.file.write(text.encode('utf-8', 'replace'))

    def _with_times(self, text: str, stream: str) -> str:
        parts = []
        if self._writing not in ('', stream):
            parts.append('\n')
            self._writing = ''
        for line in re.findall('[^\n]*\n|[^\n]+', text):
            if not self._writing and line != '\n':
                parts.append(self._time())
            parts.append(line)
            self._writing = '' if line.endswith('\n') else stream
        return ''.join(parts)

    def _time(self) -> str:
        """Return the time of a line; the date stands before the first line of a day."""
        date, clock = time.strftime('%Y-%m-%d %H:%M:%S').split()
        new_day = '' if date == self._date else f'--- {date}\n'
        self._date = date
        return f'{new_day}{clock} '


class _Tee:
    """Stands for stdout or stderr. What is printed goes above the bars."""

    def __init__(self, name: str, screen: Any, lines: _Lines | None, hidden: bool) -> None:
        """lines: None where nothing goes to the file."""
        self.warnings = 0  # that were printed
        self.block: Block | None = None  # that is drawn on the same terminal
        self._name, self._screen, self._lines, self._hidden = name, screen, lines, hidden
        self._owner = os.getpid()

    def write(self, text: str) -> int:
        frame = sys._getframe().f_back
        if self._lines:
            self._lines.add(text, self._name)
        if noise.is_noise(frame, in_worker=os.getpid() != self._owner):
            self.warnings += noise.is_warning(frame)
        else:
            self.show(text)
        return len(text)

    def show(self, text: str) -> None:
        """Write to the screen alone."""
        if self._hidden:
            return
        if self.block:
            self.block.print(text)
            return
        try:
            self._screen.write(text)
            self._screen.flush()
        # the terminal went away, or `run t1 | head -1`: training goes on
        except (OSError, ValueError):
            self._hidden = True

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        pass  # each write did

    def end(self, screen: Any) -> None:
        """Stand for `screen` alone from here on: a logger may hold this stream."""
        self._screen, self._lines, self._hidden = screen, None, False

    def __getattr__(self, name: str) -> Any:
        # isatty, fileno, encoding: the screen's
        return getattr(self._screen, name)


class Log:
    """The file `path`; it gets all that is printed from here on.

    shown: False for a further process of the same training: what it prints goes nowhere, and its
    stderr to the file alone. screen: the stream of the real stderr, for bars.
    """

    def __init__(self, path: Path, shown: bool = True, times: bool = True) -> None:
        self._path, self._lines = path, _Lines(path, times)
        self._streams = stdout, stderr = sys.stdout, sys.stderr
        self._copy: int | None = None  # of descriptor 2, where that leads to the file
        screen = self._screen_of(stderr)
        self._own_screen = None if screen is stderr else screen
        out_lines = self._lines if shown else None
        is_out_hidden = not shown or self._is_file(stdout)
        is_err_hidden = not shown or self._is_file(screen)
        self._tees = (
            _Tee('stdout', stdout, out_lines, is_out_hidden),
            _Tee('stderr', screen, self._lines, is_err_hidden),
        )
        # each is a file for Python: what it does not define is the screen's
        tees: Any = self._tees
        sys.stdout, sys.stderr = tees
        self.screen = tees[1] if self._is_file(screen) else screen
        self._is_table = shown and can_draw(stdout)
        self._unraisable_hook, sys.unraisablehook = sys.unraisablehook, self._log_unraisable
        _lead_loggers(self._streams, self._tees)

    def _screen_of(self, stderr: Any) -> Any:
        """Return the stream of the screen; lead descriptor 2 to the file.

        Not where the stream is somebody's own that writes to that descriptor.
        """
        descriptor = _descriptor(stderr)
        is_own = descriptor == STDERR and stderr is not sys.__stderr__
        if is_own or self._is_file(stderr):
            return stderr
        self._copy = os.dup(STDERR)
        os.dup2(self._lines.file.fileno(), STDERR)
        if descriptor != STDERR:
            return stderr
        # closed with the log
        return open(  # noqa: SIM115
            os.dup(self._copy), 'w', encoding=stderr.encoding, errors=stderr.errors
        )

    def _is_file(self, screen: Any) -> bool:
        """Return whether the screen is the log already, as in a background run."""
        try:
            return os.path.samestat(os.fstat(screen.fileno()), os.fstat(self._lines.file.fileno()))
        except (OSError, ValueError):
            return False

    def head(self, lines: Sequence[str]) -> None:
        """Write lines to the log alone, without times."""
        with contextlib.suppress(OSError):
            self._lines.file.write(''.join(f'{line}\n' for line in lines).encode())

    def draw_below(self, block: Block | None) -> None:
        """Print above a block of lines that is drawn on the same terminal, from here on."""
        for tee, stream in zip(self._tees, (self._streams[0], self.screen), strict=True):
            tee.block = block if block and block.shares_terminal(stream) else None

    def print_row(self, line: str, rows: Callable[[int], Sequence[Text]]) -> None:
        """Print a line; on a terminal the rows of a table in its place.

        rows: gets the number of columns.
        """
        if not self._is_table:
            print(line)
            return
        stdout = self._streams[0]
        self._lines.add(f'{line}\n', 'stdout')
        console = console_of(stdout)
        with console.capture() as capture:
            for row in rows(width_of(stdout)):
                console.print(row, soft_wrap=True)
        self._tees[0].show(capture.get())

    def only_file(self, text: str) -> None:
        """Write to the log alone. A full disk takes no line, and the next save will say so."""
        self._lines.add(text, 'stderr')

    def shown_path(self) -> str:
        """Return the file's path for the screen: from the folder that the process is in."""
        try:
            return os.path.relpath(self._path)
        except OSError:  # that folder is gone
            return str(self._path)

    def say_warnings(self) -> None:
        """Say on the screen how many warnings this process wrote to the log."""
        count = self._tees[1].warnings
        if count:
            words = 'a warning is' if count == 1 else f'{count} warnings are'
            print(f'tagrun: {words} in {self.shown_path()}', file=sys.stderr)

    def close(self) -> None:
        """Give the screen back."""
        if self._copy is not None:
            os.dup2(self._copy, STDERR)
            os.close(self._copy)
            self._copy = None
        _lead_loggers(self._tees, self._streams)
        sys.stdout, sys.stderr = self._streams
        sys.unraisablehook = self._unraisable_hook
        for tee, stream in zip(self._tees, self._streams, strict=True):
            tee.end(stream)
        if self._own_screen:
            self._own_screen.close()
        self._lines.file.close()

    def _log_unraisable(self, event: Any) -> None:
        """Write 'Exception ignored in …' to the log: nobody can handle it."""
        stream, only_file = sys.stderr, _Tee('stderr', self.screen, self._lines, hidden=True)
        sys.stderr = only_file
        try:
            self._unraisable_hook(event)
        finally:
            sys.stderr = stream


def _descriptor(stream: Any) -> int | None:
    """Return a stream's descriptor; None where it has none, e.g. a notebook's."""
    try:
        number: int = stream.fileno()
        return number
    except (AttributeError, OSError, ValueError):
        return None


def _lead_loggers(streams: Sequence[Any], others: Sequence[Any]) -> None:
    """Make the researcher's loggers, set up before the run, write to `others`.

    Those are the root's. A library's own handler writes to descriptor 2, and so to the log.
    """
    for handler in logging.root.handlers:
        for stream, other in zip(streams, others, strict=True):
            if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
                handler.setStream(other)
