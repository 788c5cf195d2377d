"""The curves of runs as numbers: the points of one run, running means, mean and spread over seeds.

    points = of_history(folder)['val/acc']; points.x, points.y      # epochs and values, x rising

It reads history.csv and trace.csv alone, and passes over every cell that is not a number.
"""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tagrun.store import history, trace

NOT_METRICS = ('epoch', 'seconds')
# a larger value overflows where a picture's margins are computed, and says no more than inf
LARGEST = 1e150


class Points(NamedTuple):
    """One metric of one run."""

    x: np.ndarray  # (n,) epochs or steps, rising
    y: np.ndarray  # (n,) NaN where the value was NaN, inf, or larger than LARGEST


class Curve(NamedTuple):
    """One metric of some runs that differ in the seed alone, or of one run."""

    mean: Points  # over the x that all runs have; one run's own
    std: np.ndarray | None  # (n,) of a sample; None for one run
    runs: list[Points]  # one a run, smoothed
    raw: list[Points]  # the same before they were smoothed; [] where they were not


def of_history(folder: str | Path) -> dict[str, Points]:
    """Return {metric: Points over epochs}. Raises OSError, ValueError."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for place, row in enumerate(history.read(folder), 1):
        epoch = _number(row.get('epoch'))
        x = place if epoch is None or not abs(epoch) <= LARGEST else epoch
        for name, text in row.items():
            value = _number(text)
            if value is not None and name not in NOT_METRICS:
                pairs.setdefault(name, []).append((x, value))
    return {name: points(of_metric) for name, of_metric in pairs.items()}


def of_trace(folder: str | Path) -> dict[str, Points]:
    """Return {'train/loss': Points over steps}, of each number of a step; {} without a trace."""
    step_place, loss_place = trace.COLUMNS.index('step'), trace.COLUMNS.index('loss')
    pairs: dict[str, list[tuple[float, float]]] = {}
    for line in trace.lines(folder)[0]:
        cells = line.split(',')
        if len(cells) != len(trace.COLUMNS):
            continue
        step = _number(cells[step_place])
        if step is None or not abs(step) <= LARGEST:
            continue
        for name, value in trace.step_values(cells[loss_place]).items():
            pairs.setdefault(f'train/{name}', []).append((step, value))
    return {name: points(of_name) for name, of_name in pairs.items()}


def points(pairs: Iterable[tuple[float, float]]) -> Points:
    """Return the Points of (x, y) pairs, at least one, in any order; of equal x the first."""
    x, y = np.array(list(pairs)).T
    x, first = np.unique(x, return_index=True)
    y = y[first]
    return Points(x, np.where(np.abs(y) <= LARGEST, y, np.nan))


def curve(many: Sequence[Points], smooth: int = 1) -> Curve:
    """Return the Curve of one metric of some runs. smooth: points of the running mean."""
    smoothed = [running_mean(of_run, smooth) for of_run in many]
    raw = list(many) if smooth > 1 else []
    if len(many) == 1:
        return Curve(smoothed[0], None, smoothed, raw)
    x = functools.reduce(np.intersect1d, [of_run.x for of_run in smoothed])
    values = np.stack([of_run.y[np.searchsorted(of_run.x, x)] for of_run in smoothed])  # (runs, n)
    with np.errstate(over='ignore', invalid='ignore'):
        return Curve(Points(x, values.mean(0)), values.std(0, ddof=1), smoothed, raw)


def is_whole(of_runs: Curve) -> bool:
    """Return whether the mean goes as far as each of the runs, without a gap."""
    length = len(of_runs.mean.x)
    return all(len(run.x) == length and np.isfinite(run.y).all() for run in of_runs.runs)


def running_mean(of_run: Points, width: int) -> Points:
    """Return the mean of the last `width` points at each point.

    A value that is not finite stays so, and does not spoil its neighbours.
    """
    if width == 1:
        return of_run
    finite = np.isfinite(of_run.y)
    window = np.ones(min(width, len(finite)))
    with np.errstate(over='ignore', invalid='ignore', divide='ignore'):
        sums = np.convolve(np.where(finite, of_run.y, 0), window)[: len(finite)]
        counts = np.convolve(finite, window)[: len(finite)]
        return Points(of_run.x, np.where(finite, sums / counts, np.nan))


def _number(text: str | None) -> float | None:
    """Return a cell as a float, NaN and inf too; None if it is not a number."""
    try:
        return None if text is None else float(text)
    except (TypeError, ValueError):  # a row with too many cells has a list of them
        return None
