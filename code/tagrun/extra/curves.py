"""The curves of runs, as numbers: the points of one run, running means, mean and spread over seeds. plot.py says which, picture.py draws them.

    points = of_history(folder)['val/acc']; points.x, points.y      # epochs and values, rising; NaN where there was no finite number

It reads history.csv and trace.csv alone, whatever they hold: what is no number is passed over.
"""
import functools
from typing import NamedTuple

import numpy as np

from tagrun.store import history, trace

NOT_METRICS = ('epoch', 'seconds')
LARGEST = 1e150     # what is larger overflows where a picture's margins are computed, and says no more than inf


class Points(NamedTuple):
    x: np.ndarray   # (n,) epochs or steps, rising
    y: np.ndarray   # (n,) NaN where the value was NaN, inf, or larger than LARGEST


class Curve(NamedTuple):
    """What is drawn of one metric of some runs that differ in the seed alone, or of one run."""
    mean: Points        # of all its runs, where each has a finite value; one run's own
    std: np.ndarray     # (n,) of a sample; None for one run
    runs: list          # [Points, …], one a run, smoothed
    raw: list           # [Points, …], before they were smoothed; [] where they were not


def of_history(folder):
    """{metric: Points over epochs}. Raises OSError, ValueError. A cell without a number is no point."""
    pairs = {}
    for place, row in enumerate(history.read(folder), 1):
        epoch = _number(row.get('epoch'))
        for name, text in row.items():
            value = _number(text)
            if value is not None and name not in NOT_METRICS:
                pairs.setdefault(name, []).append((place if epoch is None or not abs(epoch) <= LARGEST else epoch, value))
    return {name: _points(found) for name, found in pairs.items()}


def of_trace(folder):
    """{'train/loss': Points over steps}, {} where there is no trace."""
    columns = (trace.COLUMNS.index('step'), trace.COLUMNS.index('loss'))
    cells = (line.split(',') for line in trace.lines(folder)[0])
    pairs = [tuple(_number(row[column]) for column in columns) for row in cells if len(row) == len(trace.COLUMNS)]
    pairs = [pair for pair in pairs if None not in pair and abs(pair[0]) <= LARGEST]
    return {'train/loss': _points(pairs)} if pairs else {}


def curve(many, smooth=1):
    """The Curve of one metric of some runs: a list of Points, each with one at least."""
    smoothed = [_smoothed(points, smooth) for points in many]
    raw = many if smooth > 1 else []
    if len(many) == 1:
        return Curve(smoothed[0], None, smoothed, raw)
    x = functools.reduce(np.intersect1d, [points.x for points in smoothed])
    values = np.stack([points.y[np.searchsorted(points.x, x)] for points in smoothed])     # (runs, n)
    with np.errstate(over='ignore', invalid='ignore'):
        return Curve(Points(x, values.mean(0)), values.std(0, ddof=1), smoothed, raw)


def is_whole(found):
    """Whether a Curve's mean goes as far as each of its runs."""
    return all(len(points.x) == len(found.mean.x) and np.isfinite(points.y).all() for points in found.runs)


def _smoothed(points, width):
    """The running mean over the last `width` points; what is not finite stays so, and does not spread."""
    if width == 1:
        return points
    there = np.isfinite(points.y)
    window = np.ones(min(width, len(there)))
    with np.errstate(over='ignore', invalid='ignore', divide='ignore'):
        sums = np.convolve(np.where(there, points.y, 0), window)[:len(there)]
        return Points(points.x, np.where(there, sums / np.convolve(there, window)[:len(there)], np.nan))


def _points(pairs):
    x, y = np.array(pairs).T
    x, first = np.unique(x, return_index=True)
    y = y[first]
    return Points(x, np.where(np.abs(y) <= LARGEST, y, np.nan))


def _number(text):
    """A float of a cell, NaN and inf too; None where there is none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
