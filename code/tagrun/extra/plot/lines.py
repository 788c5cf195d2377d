"""Draw one curve, or the values over one argument, into axes.

    draw_curve(axes, curve, look, alone=True)       # a curves.Curve; a look of looks.py

A value that is not finite is a gap in the line, and a cross where the gap begins.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tagrun.extra.plot import looks
from tagrun.extra.plot.curves import Curve, Points, is_whole
from tagrun.extra.plot.looks import Look

DRAWN = 4000  # points of a line; of more, the least and the greatest of each stretch
AT_BOTTOM = 0.02  # of the axes' height
THIN = {'linewidth': 0.7, 'alpha': 0.45}
RAW = {'linewidth': 0.7, 'alpha': 0.25, 'linestyle': '-'}


def draw_curve(axes: Axes, curve: Curve, look: Look, alone: bool) -> None:
    """Draw the band, the mean, and the runs that go on without it.

    alone: whether there is room for the line before the running mean.
    """
    if len(curve.raw) == 1 and alone:
        axes.plot(*thinned(curve.raw[0]), **{**look, **RAW})
    if curve.std is not None:
        _draw_band(axes, curve.mean, curve.std, look['color'])
        if not is_whole(curve):
            for points in curve.runs:
                axes.plot(*thinned(points), **{**look, **THIN})
    axes.plot(*thinned(curve.mean), **look)
    for points in curve.runs:
        _draw_single_points(axes, points, look['color'])
        _draw_crosses(axes, points, look['color'])


def draw_values(axes: Axes, line: Sequence[tuple[float, list[float]]], look: Look) -> None:
    """Draw [(x, [y, …]), …]: the runs as small points, the means with their deviation as a line."""
    means = []
    for x, values in line:
        finite = [value for value in values if np.isfinite(value)]
        axes.plot([x] * len(finite), finite, 'o', markersize=3, color=look['color'], alpha=0.6)
        if len(finite) < len(values):
            _cross_at_bottom(axes, x, look['color'])
        elif finite:
            deviation = np.std(finite, ddof=1) if len(finite) > 1 else np.nan
            means.append((x, np.mean(finite), deviation))
    if means:
        x_values, mean, std = np.array(means).T
        bars: Look = {'capsize': 3, 'elinewidth': 1, 'marker': '_', 'markersize': 9}
        axes.errorbar(x_values, mean, std, **bars, **look)


def thinned(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Return (x, y) of at most DRAWN points.

    Each stretch keeps its least and its greatest value, so that no peak is lost, and its gap.
    """
    if len(points.x) <= DRAWN:
        return points.x, points.y
    places: list[Any] = []
    for part in np.array_split(np.arange(len(points.x)), DRAWN // 3):
        y = points.y[part]
        finite = np.isfinite(y)
        lowest = np.argmin(np.where(finite, y, np.inf))
        highest = np.argmax(np.where(finite, y, -np.inf))
        places += [part[lowest], part[highest], *part[~finite][:1]]
    chosen = np.unique(places)
    return points.x[chosen], points.y[chosen]


def _draw_band(axes: Axes, mean: Points, std: np.ndarray, colour: str) -> None:
    band: Look = {'color': colour, 'alpha': 0.16, 'linewidth': 0}
    axes.fill_between(mean.x, mean.y - std, mean.y + std, **band)


def _draw_single_points(axes: Axes, points: Points, colour: str) -> None:
    """Draw a dot for a finite value between two gaps, where a line would have no length."""
    finite = np.isfinite(points.y)
    before, after = np.append(False, finite[:-1]), np.append(finite[1:], False)
    single = finite & ~before & ~after
    axes.plot(points.x[single], points.y[single], 'o', markersize=4, color=colour)


def _draw_crosses(axes: Axes, points: Points, colour: str) -> None:
    """Draw a cross at each last finite value before a gap; at the bottom if none came before."""
    finite = np.isfinite(points.y)
    last = np.append(finite[:-1] & ~finite[1:], False)
    mark = {'linestyle': '', 'zorder': 5, **looks.cross(colour)}
    axes.plot(points.x[last], points.y[last], **mark)
    if len(finite) and not finite[0]:
        _cross_at_bottom(axes, points.x[0], colour, zorder=5)


def _cross_at_bottom(axes: Axes, x: float, colour: str, **more: Any) -> None:
    mark = {'linestyle': '', 'clip_on': False, **looks.cross(colour), **more}
    axes.plot([x], [AT_BOTTOM], transform=axes.get_xaxis_transform(), **mark)
