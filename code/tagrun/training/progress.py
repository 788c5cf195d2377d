"""Bars with ETA for the phase and for the whole run; where stderr is no terminal, a plain line now and then instead.

    bars.phase('train', epoch=3, batches=36, done=0); bars.step(meter); bars.close()

Where the terminal went away (a closed ssh, `run t1 2>&1 | head -1`) training goes on unseen: tqdm stops drawing by itself.
"""
import contextlib
import sys
import time

from tqdm import tqdm

REDRAW_S = 0.2
LINE_S = 30     # without a terminal


class Bars:
    def __init__(self, epochs, epochs_done):
        self._terminal = sys.__stderr__ is not None and sys.__stderr__.isatty()
        self._epochs = epochs
        self._run = self._bar(total=epochs, initial=epochs_done, position=1, leave=False, desc='run',
                              bar_format='{desc:<14}{percentage:3.0f}% |{bar:20}| epoch {n_fmt}/{total_fmt}, {remaining} left{postfix}')
        self._phase, self._next = None, time.monotonic() + (REDRAW_S if self._terminal else LINE_S)

    def phase(self, name, epoch, batches, done):
        """Begin a phase of epoch `epoch` (from 1); `batches` is None where the loader does not know."""
        self._end_phase()
        self._what = f'epoch {epoch}/{self._epochs} {name}'
        self._phase = self._bar(total=batches, initial=done, position=0, leave=False, unit=' batches', desc=f'{epoch:>4} {name}',
                                bar_format='{desc:<14}{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt}, {remaining} left, {rate_fmt}{postfix}')
        self._batches, self._done = batches, done

    def step(self, meter):
        self._done += 1
        now = time.monotonic()
        if now >= self._next:
            self._draw(meter.means())
            self._next = now + (REDRAW_S if self._terminal else LINE_S)

    def epoch(self):
        self._end_phase()
        if self._run:
            self._run.update()

    def close(self):
        self._end_phase()
        if self._run:
            self._run.close()
            self._run = None
            _print('\r\x1b[K')  # tqdm leaves the cursor where the bar ended

    def _draw(self, means):
        text = ' '.join(f'{name} {value:.4g}' for name, value in means.items())
        if self._phase:
            self._phase.set_postfix_str(text, refresh=False)
            self._phase.update(self._done - self._phase.n)
        else:
            share = f' {self._done}/{self._batches}' if self._batches else f' {self._done}'
            _print(f'{self._what}{share} {text}\n')

    def _end_phase(self):
        if self._phase:
            self._phase.close()
            self._phase = None

    def _bar(self, **options):
        if not self._terminal:
            return None
        return tqdm(file=sys.__stderr__, dynamic_ncols=True, mininterval=0, **options)


def _print(text):
    with contextlib.suppress(OSError, ValueError):
        print(text, end='', file=sys.__stderr__, flush=True)
