"""The curves of a page: which metrics, and the values of each run, thinned to a few hundred points.

    names = curve_names(histories, 'val/acc'); of_run(history, names, longest=600)

A curve is its values, one an epoch from 1 on; or [epochs, values] where the epochs are others.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

MOST = 60  # metrics with curves
NO_CURVE = ('epoch', 'seconds')
Rows = list[dict[str, str]]  # of history.csv
Curve = list[Any]  # see above


def curve_names(histories: Iterable[Rows], monitored: str | None) -> list[str]:
    """Return the columns of all histories, a metric's phases one after the other.

    The monitored metric comes first, and what has no phase last.
    """
    names: dict[str, None] = {}
    for rows in histories:
        for name in rows[0] if rows else ():
            if name and name not in NO_CURVE:
                names[name] = None
    order = [_without_phase(name) for name in names]
    if monitored:
        order.insert(0, _without_phase(monitored))

    def rank(name: str) -> tuple[bool, int, bool]:
        return '/' not in name, order.index(_without_phase(name)), name != monitored

    return sorted(names, key=rank)[:MOST]


def of_run(rows: Rows, names: Sequence[str], longest: int) -> list[Curve | None] | None:
    """Return for each name its curve or None; None alone for a run without any.

    longest: points of a curve.
    """
    if not rows:
        return None
    epochs = _epochs(rows)
    curves = [_curve(epochs, [_number(row.get(name)) for row in rows], longest) for name in names]
    return curves if any(curves) else None


def _epochs(rows: Rows) -> list[float]:
    """Return the column `epoch` where it rises, else 1, 2, …"""
    numbers = [_number(row.get('epoch')) for row in rows]
    epochs = [number for number in numbers if number is not None]
    pairs = zip(epochs, epochs[1:], strict=False)
    if len(epochs) == len(rows) and all(earlier < later for earlier, later in pairs):
        return epochs
    return [float(place) for place in range(1, len(rows) + 1)]


def _curve(epochs: list[float], values: list[float | None], longest: int) -> Curve | None:
    if all(value is None for value in values):
        return None
    places = range(len(values)) if len(values) <= longest else thinned(values, longest)
    drawn = [_short(values[place]) for place in places]
    at = [epochs[place] for place in places]
    if at == list(range(1, len(values) + 1)):
        return drawn
    return [[int(epoch) if epoch == int(epoch) else epoch for epoch in at], drawn]


def thinned(values: Sequence[float | None], longest: int) -> list[int]:
    """Return the places of at most about `longest` values.

    They are the first, the last, and of each stretch the lowest and the highest: peaks stay.
    """
    stretch = 2 * len(values) / (longest - 2)
    places = {0, len(values) - 1}
    for number in range(math.ceil(len(values) / stretch)):
        end = min(len(values), int((number + 1) * stretch))
        numbers = {}
        for place in range(int(number * stretch), end):
            value = values[place]
            if value is not None:
                numbers[place] = value
        if numbers:
            places |= {min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)}
    return sorted(places)


def _without_phase(name: str) -> str:
    return name.rpartition('/')[2]


def _number(text: str | None) -> float | None:
    """Return a cell as a finite number, or None."""
    try:
        value = math.nan if text is None else float(text)
    except (TypeError, ValueError):  # a row with too many cells has a list of them
        return None
    return value if math.isfinite(value) else None


def _short(value: float | None) -> float | None:
    return None if value is None else float(f'{value:.4g}')
