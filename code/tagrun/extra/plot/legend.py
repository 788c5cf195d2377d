"""Make a figure with a legend beside its panels: the lines, the phases, and what the marks mean.

    entries = of_curves(panels, names, phases, looks); figure, axes = figure_with(4, entries)

An entry stands only where its mark occurs.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tagrun.extra.plot import looks
from tagrun.extra.plot.curves import Curve
from tagrun.extra.plot.looks import COLOURS, DISTINCT, GREY, REST, Look
from tagrun.extra.plot.text import shown

Entry = tuple[Artist, str]  # a mark and its text
Panels = dict[str, dict[tuple[str, str], Curve]]  # {title: {(name, phase): curve}}
Looks = dict[tuple[str, str], Look]

NOT_FINITE = 'no finite number from here on'
LETTER = 0.068  # inches of a letter, about
MARK = 0.8  # inches of a mark and its margins
LINE = 0.165  # inches of a line
MARKS = '#707070'  # the colour of marks that stand for all lines


def of_curves(
    panels: Panels, names: Sequence[str], phases: Sequence[str], of_lines: Looks
) -> list[Entry]:
    """Return the entries of a figure of curves."""
    entries = _names(names, phases, of_lines) if len(names) > 1 else []
    if len(phases) > 1:
        entries += _phases(names, phases, of_lines)
    return entries + _marks_of_curves(panels)


def of_values(
    values: Sequence[Sequence[float]], names: Sequence[str], of_lines: Looks
) -> list[Entry]:
    """Return the entries of a figure of values over an argument.

    values: for each x, the values of its runs.
    """
    entries: list[Entry] = []
    if len(names) > 1:
        for name in names:
            mark = Line2D([], [], marker='o', markersize=5, **of_lines[name, ''])
            entries.append((mark, shown(name)))
    if any(len(of_point) > 1 for of_point in values):
        dot = Line2D([], [], color=MARKS, marker='o', markersize=3, linestyle='')
        bar = Line2D([], [], color=MARKS, marker='_', markersize=9, linestyle='')
        entries += [(dot, 'one run'), (bar, 'mean ± std')]
    if not all(np.isfinite(of_point).all() for of_point in values):
        entries.append((_cross(MARKS), 'no finite number'))
    return entries


def figure_with(panels: int, entries: Sequence[Entry]) -> tuple[Figure, list[Axes]]:
    """Return (a figure with room for the legend of all panels, the panels' axes)."""
    columns = min(panels, 3)
    rows = math.ceil(panels / columns)
    width, height = (6.4, 4.0) if panels == 1 else (4.2 * columns, 3.2 * rows)
    lengths = [len(text) for _, text in entries]
    below = sum(LETTER * length + MARK for length in lengths) < width
    if below:
        height += 0.3 * bool(entries)
    else:
        width += 0.6 + LETTER * max(lengths)
        height = max(height, LINE * len(entries) + 0.4)
    figure = Figure(figsize=(width, height), dpi=150, layout='constrained')
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for empty in grid[panels:]:
        empty.set_axis_off()
    if entries and below:
        _add_legend(figure, entries, loc='outside lower center', ncols=len(entries))
    elif entries:
        _add_legend(figure, entries, loc='outside right upper')
    return figure, grid[:panels]


def _add_legend(figure: Figure, entries: Sequence[Entry], **position: Any) -> None:
    handles = [handle for handle, _ in entries]
    # The texts are set afterwards: matplotlib leaves out those that begin with _.
    stand_ins = ['.'] * len(entries)
    legend = figure.legend(handles, stand_ins, fontsize=8, handlelength=3.2, **position)
    for drawn, (_, text) in zip(legend.get_texts(), entries, strict=True):
        drawn.set_text(text)


def _names(names: Sequence[str], phases: Sequence[str], of_lines: Looks) -> list[Entry]:
    """Return the entries of the first DISTINCT names, and one for all others."""
    entries: list[Entry] = []
    for name in names[:DISTINCT]:
        look = of_lines[name, phases[0]]
        if len(phases) > 1:  # the dashes are the phases'
            look = {**look, 'linestyle': '-'}
        entries.append((Line2D([], [], **look), shown(name)))
    if len(names) > DISTINCT:
        rest = Line2D([], [], color=REST['color'], linewidth=REST['linewidth'])
        entries.append((rest, f'{len(names) - DISTINCT} more'))
    return entries


def _phases(names: Sequence[str], phases: Sequence[str], of_lines: Looks) -> list[Entry]:
    entries: list[Entry] = []
    for phase in phases:
        look = of_lines[names[0], phase]
        if len(names) > 1:  # the colours are the names'
            look = {**look, 'color': GREY}
        entries.append((Line2D([], [], **look), shown(phase or 'of no phase')))
    return entries


def _marks_of_curves(panels: Panels) -> list[Entry]:
    """Return the entries of the band, the line before the running mean, and the cross."""
    curves: list[Curve] = []
    for lines in panels.values():
        curves += lines.values()
    entries: list[Entry] = []
    if any(curve.std is not None for curve in curves):
        entries.append((Patch(color='#808080', alpha=0.3, linewidth=0), 'mean ± std over seeds'))
    few = max(map(len, panels.values())) <= len(COLOURS)
    if few and any(len(curve.raw) == 1 for curve in curves):
        raw = Line2D([], [], color='#808080', linewidth=0.7, alpha=0.5)
        entries.append((raw, 'before the running mean'))
    if any(_has_gap(curve) for curve in curves):
        entries.append((_cross(GREY), NOT_FINITE))
    return entries


def _has_gap(curve: Curve) -> bool:
    return any(not np.isfinite(points.y).all() for points in curve.runs)


def _cross(colour: str) -> Line2D:
    return Line2D([], [], linestyle='', **looks.cross(colour))
