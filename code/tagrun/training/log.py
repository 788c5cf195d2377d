"""The run's log: all that is printed, on the screen as it was and in the file `log` without bars.

    log = start(folder); …; log.close()

Bars are drawn on the real stderr and never reach the file. What a C library prints past Python is not caught.
"""
import contextlib
import os
import sys

from tqdm import tqdm


class _Tee:
    """Stands for stdout or stderr. Keeps a line whole beside a bar: bars are cleared, the text printed, the bars redrawn."""

    def __init__(self, screen, only_file, same):
        self._screen, self._only_file, self._same = screen, only_file, same

    def write(self, text):
        self._only_file(text)
        if not self._same:
            try:
                with tqdm.external_write_mode(file=sys.__stderr__):
                    self._screen.write(text)
                    self._screen.flush()
            except (OSError, ValueError):  # the terminal went away, or `run t1 | head -1`: training goes on
                self._same = True
        return len(text)

    def flush(self):
        pass  # each write did

    def __getattr__(self, name):  # isatty, fileno, encoding: the screen's
        return getattr(self._screen, name)


class Log:
    def __init__(self, path, shown=True):
        """shown: else nothing of stdout is kept, and of stderr only in the file: that of a further process of the same training."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        self._file = os.fdopen(descriptor, 'ab', buffering=0)   # nothing is held back that a later write would stumble on
        self._screens = sys.stdout, sys.stderr
        files = (self.only_file if shown else _nowhere, self.only_file)
        sys.stdout, sys.stderr = (_Tee(screen, file, not shown or self._is_file(screen)) for screen, file in zip(self._screens, files))

    def _is_file(self, screen):
        """Whether the screen is the log already, as in a background run."""
        try:
            return os.path.samestat(os.fstat(screen.fileno()), os.fstat(self._file.fileno()))
        except (OSError, ValueError):
            return False

    def only_file(self, text):
        """To the log alone. A disk without room takes no line, and stops no training by that: the next save will."""
        with contextlib.suppress(OSError):
            self._file.write(text.encode('utf-8', 'replace'))

    def close(self):
        sys.stdout, sys.stderr = self._screens
        self._file.close()


def _nowhere(_text):
    pass
