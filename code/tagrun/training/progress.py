"""Bars with ETA for the phase and for the whole run; where stderr is no terminal, a plain line now
and then instead.

    bars.phase('train', epoch=3, batches=36, done=0); bars.step(meter); bars.close()

Where the terminal went away (a closed ssh, `run t1 2>&1 | head -1`) training goes on unseen: tqdm
stops drawing by itself.
"""

import contextlib
import sys
import time
from typing import Any

from tqdm import tqdm

from tagrun.training.meter import Meter

REDRAW_S = 0.2
LINE_S = 30  # without a terminal
RUN = '{desc:<14}{percentage:3.0f}% |{bar:20}| epoch {n_fmt}/{total_fmt}, {remaining} left{postfix}'
PHASE = (
    '{desc:<14}{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt}, {remaining} '
    'left, {rate_fmt}{postfix}'
)


class Bars:
    """The bars of a run of so many epochs (None: until it is stopped), of which some are done.

    one_phase: no bar of the whole run, as in an evaluation.
    """

    def __init__(
        self,
        epochs: int | None,
        epochs_done: int,
        screen: Any = None,
        one_phase: bool = False,
    ) -> None:
        """screen: the stream they are drawn on; without one the process's own stderr."""
        self._screen = screen or sys.__stderr__
        self._terminal = self._screen is not None and self._screen.isatty()
        self._epochs = epochs
        self._interval = REDRAW_S if self._terminal else LINE_S
        self._next = time.monotonic() + self._interval
        self._run: tqdm | None = None
        if not one_phase:
            self._run = self._bar(
                total=epochs, initial=epochs_done, position=1, desc='run', bar_format=RUN
            )
        self._phase: tqdm | None = None
        self._title = ''  # of the phase: 'epoch 3/40 train'
        self._batches: int | None = None  # of the phase
        self._done = 0  # batches of the phase

    def phase(self, name: str, epoch: int, batches: int | None, done: int) -> None:
        """Begin a phase of epoch `epoch` (from 1); batches: None where the loader does not know."""
        self._end_phase()
        total = f'/{self._epochs}' if self._epochs else ''
        self._title = f'epoch {epoch}{total} {name}'
        self._phase = self._bar(
            total=batches,
            initial=done,
            position=0,
            unit=' batches',
            desc=f'{epoch:>4} {name}',
            bar_format=PHASE,
        )
        self._batches, self._done = batches, done

    def step(self, meter: Meter) -> None:
        """Count a batch, and draw if it is time."""
        self._done += 1
        now = time.monotonic()
        if now >= self._next:
            self._draw(meter.means())
            self._next = now + self._interval

    def epoch(self) -> None:
        """Count an epoch."""
        self._end_phase()
        if self._run is not None:
            self._run.update()

    def close(self) -> None:
        """Clear the bars from the screen."""
        self._end_phase()
        if self._run is not None:
            self._run.close()
            self._run = None
            self._print('\r\x1b[K')  # tqdm leaves the cursor where the bar ended

    def _draw(self, means: dict[str, float]) -> None:
        text = ' '.join(f'{name} {value:.4g}' for name, value in means.items())
        if self._phase is not None:
            self._phase.set_postfix_str(text, refresh=False)
            self._phase.update(self._done - self._phase.n)
        else:
            total = f'/{self._batches}' if self._batches else ''
            self._print(f'{self._title} {self._done}{total} {text}\n')

    def _end_phase(self) -> None:
        if self._phase is not None:
            self._phase.close()
            self._phase = None

    def _bar(self, **options: Any) -> tqdm | None:
        if not self._terminal:
            return None
        return tqdm(file=self._screen, dynamic_ncols=True, mininterval=0, leave=False, **options)

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(text, end='', file=self._screen, flush=True)
