"""Scale the vertical axis: logarithmic, or linear without the heights of a run that explodes.

    scale(axes, [curve, …], log=False)

A note in the corner says what is left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from tagrun.extra.plot.curves import Curve, Points

# Times as far from 0 as the beginnings and the median of the curves: what lies there would press
# all else flat.
OUTLYING = 20


def scale(axes: Axes, curves: Sequence[Curve], log: bool) -> None:
    """Scale the axis for the finite values of all runs."""
    runs: list[Points] = []
    for curve in curves:
        runs += curve.runs
    finite = [points.y[np.isfinite(points.y)] for points in runs]
    values = np.concatenate(finite)
    if log:
        _scale_log(axes, values)
    elif len(values):
        _cut_off(axes, [float(abs(y[0])) for y in finite if len(y)], values)


def _scale_log(axes: Axes, values: np.ndarray) -> None:
    axes.set_yscale('log', nonpositive='mask')
    positive = values[values > 0]
    if len(positive) and positive.max() < 10 * positive.min():  # 1.6 and 2.2, not 1.6 × 10⁰
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(ScalarFormatter())
    if len(positive) < len(values):
        count = f'{len(values) - len(positive)} of {len(values)}'
        _note(axes, f'left out: {count} values, which are not above 0')


def _cut_off(axes: Axes, beginnings: Sequence[float], values: np.ndarray) -> None:
    """Limit the axis to what is usual, if some values are far beyond it."""
    usual = max(float(np.quantile(np.abs(values), 0.5)), *beginnings)
    above, below = values.max() > OUTLYING * usual, values.min() < -OUTLYING * usual
    if not usual or not (above or below):
        return
    inner = values[np.abs(values) <= 1.5 * usual]
    room = 0.05 * (inner.max() - inner.min()) or 0.5 * usual
    axes.set_ylim(inner.min() - room, inner.max() + room)
    limits = []
    if above:
        limits.append(f'up to {values.max():.3g}')
    if below:
        limits.append(f'down to {values.min():.3g}')
    _note(axes, f'cut off: {", ".join(limits)}')


def _note(axes: Axes, text: str) -> None:
    corner: dict[str, Any] = {'transform': axes.transAxes, 'ha': 'right', 'va': 'top'}
    axes.text(0.99, 0.99, text, fontsize=8, color='#505050', **corner)
