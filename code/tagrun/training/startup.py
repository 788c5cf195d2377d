"""What is loaded before training begins: the screen shows it, and the log has its seconds.

    with Loading('torch'):              # 'loading torch  1.2 s', in place, while it is imported
        import torch
    startup = Startup(log); loaders = …; startup.end()

Importing this file loads neither torch nor rich.
"""

import contextlib
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from tagrun.training.terminal import can_draw

if TYPE_CHECKING:
    from tagrun.training.log import Log

TICK_S = 0.1
DATA = 'the data and the model'
loaded: dict[str, float] = {}  # s, {'torch': 1.9}


class Loading:
    """Shows on a terminal, for as long as it is entered, what is being loaded, and for how long.

    Afterwards `loaded` has the seconds. is_shown: False where somebody else shows something.
    """

    def __init__(self, name: str, is_shown: bool = True) -> None:
        self._name, self._began = name, time.monotonic()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        if is_shown and can_draw(sys.stderr):
            self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> 'Loading':
        if self._thread:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loaded[self._name] = time.monotonic() - self._began
        self._is_over.set()
        if self._thread:
            self._thread.join()
            self._draw('')

    def _tick(self) -> None:
        while not self._is_over.wait(TICK_S):
            self._draw(f'loading {self._name}  {time.monotonic() - self._began:.1f} s')

    def _draw(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f'\r{text}\x1b[K')
            sys.stderr.flush()


class Startup:
    """Shows on the run's terminal, from here to `end`, that the data and the model are loaded."""

    def __init__(self, log: 'Log') -> None:
        from rich.text import Text

        from tagrun.training.live_block import Block

        self._log, self._began = log, time.monotonic()
        self._block = Block(log.screen) if can_draw(log.screen) else None
        if self._block:
            log.draw_below(self._block)
            self._block.show([Text(f'loading {DATA} …', 'dim')])

    def end(self) -> None:
        """Write to the log, and to a terminal, what took how long."""
        times = {**loaded, DATA: time.monotonic() - self._began}
        text = ', '.join(f'{name} {seconds:.1f} s' for name, seconds in times.items())
        self._log.only_file(f'loaded {text}\n')
        if self._block:
            self._block.print(f'loaded {text}\n')
        self.clear()

    def clear(self) -> None:
        """Take it off the screen."""
        if self._block:
            self._block.close()
