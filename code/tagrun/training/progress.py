"""Bars with ETA for the phase and for the whole run; where stderr is no terminal, a plain line now
and then instead.

    bars.phase('train', epoch=3, batches=36, done=0); bars.step(meter); bars.epoch(history)

A phase that takes less than SHORT_S does not take the bar of another one: nothing flickers.
"""

import contextlib
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.text import Text

from tagrun.training.epoch_history import EpochHistory
from tagrun.training.epoch_table import number
from tagrun.training.live_block import Block
from tagrun.training.meter import Meter
from tagrun.training.terminal import can_draw

REDRAW_S = 0.2
LINE_S = 30  # without a terminal
SHORT_S = 0.5
LONGEST_BAR, SHORTEST_BAR = 30, 5  # columns
GAP = '  '


class Line(NamedTuple):
    """A line of the block: label, the share that is done (None: unknown), words by importance."""

    label: str
    share: float | None
    words: list[str]


class Pace:
    """How fast something goes, of late: units a second."""

    def __init__(self) -> None:
        self._since, self._count, self.rate = time.monotonic(), 0, 0.0

    def count(self, count: int) -> None:
        """Look at a count that has grown since the last time."""
        now = time.monotonic()
        if count > self._count and now > self._since:
            rate = (count - self._count) / (now - self._since)
            self.rate = 0.7 * self.rate + 0.3 * rate if self.rate else rate
            self._since, self._count = now, count


class Bars:
    """The bars of a run of so many epochs (None: until it is stopped), of which some are done.

    monitor: the metric that is shown first. one_phase: no bar of the whole run, as in an
    evaluation.
    """

    def __init__(
        self,
        epochs: int | None,
        epochs_done: int,
        screen: Any = None,
        one_phase: bool = False,
        monitor: str = '',
    ) -> None:
        """screen: the stream they are drawn on; without one the process's own stderr."""
        self._screen = screen or sys.__stderr__
        self.block = Block(self._screen) if can_draw(self._screen) else None
        self._epochs, self._epochs_done = epochs, epochs_done
        self._one_phase, self._monitor = one_phase, monitor
        self._interval = REDRAW_S if self.block else LINE_S
        self._began = self._epoch_began = self._phase_began = time.monotonic()
        self._next = self._began + self._interval
        self._name, self._epoch = '', epochs_done + 1  # of the phase under way
        self._batches: int | None = None  # of the phase
        self._done = 0  # batches of the phase
        self._pace = Pace()
        self._trained = 0  # epochs, since these bars began
        self._best = ''  # the watched metric's best, and its epoch
        self._columns, self._bar = 0, LONGEST_BAR  # of the terminal and of a bar
        self._phase_line: Line | None = None  # that is on the screen

    def phase(self, name: str, epoch: int, batches: int | None, done: int) -> None:
        """Begin a phase of epoch `epoch` (from 1); batches: None where the loader does not know."""
        self._name, self._epoch = name, epoch
        self._batches, self._done = batches, done
        self._phase_began, self._pace = time.monotonic(), Pace()
        self._pace.count(done)
        if self.block and self._phase_line is None:
            self._draw({})

    def step(self, meter: Meter) -> None:
        """Count a batch, and draw if it is time."""
        self._done += 1
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval
            if self.block:
                self._draw(meter.means())
            else:
                self._print_line(meter.means())

    def epoch(self, history: EpochHistory) -> None:
        """Count an epoch."""
        self._epochs_done += 1
        self._trained += 1
        self._epoch_began = time.monotonic()
        self.best(history)

    def best(self, history: EpochHistory) -> None:
        """Show the best epoch beside the run's bar."""
        epoch = history.best_epoch
        if epoch:
            self._best = f'{history.monitor} {number(history.at(epoch)[history.monitor])}'
            self._best += f' best, epoch {epoch}'

    def close(self) -> None:
        """Clear the bars from the screen."""
        if self.block:
            self.block.close()
            self.block = None

    # --- on a terminal ---------------------------------------------------------------------------

    def _draw(self, means: dict[str, float]) -> None:
        assert self.block is not None
        lasted = time.monotonic() - self._phase_began
        shown = self._phase_line
        if shown is None or shown.label == self._name or lasted >= SHORT_S:
            self._phase_line = shown = self._of_phase(means)
        lines = [shown] if self._one_phase else [shown, self._of_run()]
        columns = self.block.width()
        if columns != self._columns:
            self._columns, self._bar = columns, LONGEST_BAR
        # it never grows: numbers of changing length would make it jump
        self._bar = min(self._bar, bar_length(lines, columns))
        labels = max(len(line.label) for line in lines)
        self.block.show([_drawn(line, labels, self._bar, self.block) for line in lines])

    def _of_phase(self, means: Mapping[str, float]) -> Line:
        self._pace.count(self._done)
        rate, total = self._pace.rate, self._batches
        words = [str(self._done)]
        if total:
            words = [f'{self._done}/{total}']
        if rate:
            words.append(f'{rate:.0f} batches/s' if rate >= 1 else f'{1 / rate:.1f} s/batch')
        if rate and total:
            words.append(f'{clock((total - self._done) / rate)} left')
        watched = self._monitor.rpartition('/')[2]
        order = sorted(means, key=lambda name: (name != watched, name != 'loss'))
        numbers = [f'{name} {number(means[name])}' for name in order]
        share = self._done / total if total else None
        return Line(self._name, share, [*numbers[:2], *words, *numbers[2:]])

    def _of_run(self) -> Line:
        now = time.monotonic()
        epoch = min(self._epochs_done + 1, self._epochs or self._epochs_done + 1)
        words = [self._best] if self._best else []
        words.append(f'epoch {epoch}/{self._epochs}' if self._epochs else f'epoch {epoch}')
        done: float = self._epochs_done
        if self._trained:
            # an epoch of usual length: how much of it is over
            length = (self._epoch_began - self._began) / self._trained
            done += min(1.0, (now - self._epoch_began) / length) if length else 0
            if self._epochs:
                words.append(f'{clock(max(0, self._epochs - done) * length)} left')
        return Line('run', done / self._epochs if self._epochs else None, words)

    # --- elsewhere -------------------------------------------------------------------------------

    def _print_line(self, means: Mapping[str, float]) -> None:
        of_epochs = f'/{self._epochs}' if self._epochs else ''
        of_batches = f'/{self._batches}' if self._batches else ''
        words = [f'epoch {self._epoch}{of_epochs} {self._name} {self._done}{of_batches}']
        words += [f'{name} {value:.4g}' for name, value in means.items()]
        with contextlib.suppress(OSError, ValueError):
            print(' '.join(words), file=self._screen, flush=True)


def bar_length(lines: Sequence[Line], columns: int) -> int:
    """Return how long the bars are: shorter where it is narrow, 0 where there is no room."""
    labels = max(len(line.label) for line in lines)
    texts = max(len(GAP.join(line.words)) for line in lines)
    free = columns - labels - len(GAP)
    if free < 6 * SHORTEST_BAR or all(line.share is None for line in lines):
        return 0
    return max(SHORTEST_BAR, min(LONGEST_BAR, free - texts - len(GAP)))


def _drawn(line: Line, labels: int, bar: int, block: Block) -> Text:
    text = Text(f'{line.label:<{labels}}')
    if bar:
        text.append(GAP)
        text.append_text(block.bar(line.share, bar))
    for place, word in enumerate(line.words):
        if text.cell_len + len(GAP) + len(word) <= block.width():
            text.append(f'{GAP}{word}', style='' if place < 2 else 'dim')
    return text


def clock(seconds: float) -> str:
    """Return a time as '0:08', '1:02:03' or '2 d 03:04' (days, hours and minutes)."""
    minutes, second = divmod(math.ceil(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return f'{hours // 24} d {hours % 24:02}:{minute:02}'
    return f'{hours}:{minute:02}:{second:02}' if hours else f'{minute}:{second:02}'
