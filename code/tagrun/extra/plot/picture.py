"""Draw curves, or values over an argument, and save them as a PNG, SVG or PDF file.

    figure = of_curves({'val/acc': {('t1/0', ''): curve}}, ['t1/0']); save(figure, 'a.png')

It is matplotlib without a window. What a name says has no effect: text.py escapes it.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from tagrun.extra.plot import legend, lines, scales
from tagrun.extra.plot.legend import Panels
from tagrun.extra.plot.looks import COLOURS, looks
from tagrun.extra.plot.text import shown
from tagrun.store import atomic

Lines = dict[str, list[tuple[float | str, list[float]]]]  # {name: [(x, [y, …]), …]}

FONTS = (
    'DejaVu Sans',
    'Noto Sans CJK SC',
    'Noto Sans CJK JP',
    'WenQuanYi Zen Hei',
    'Noto Sans Arabic',
    'Noto Sans Devanagari',
    'Noto Emoji',
)
STYLE: dict[Any, Any] = {
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#e4e4e4',
    'grid.linewidth': 0.6,
    'axes.axisbelow': True,
    'axes.edgecolor': '#707070',
    'lines.linewidth': 1.5,
    'legend.frameon': False,
    'pdf.fonttype': 42,
    'svg.hashsalt': 'tagrun',
}
UPRIGHT = 4  # so many words below the axis have room side by side


def of_curves(
    panels: Panels, names: Sequence[str], x_label: str = 'epoch', log: bool = False, smooth: int = 1
) -> Figure:
    """Return a figure with a panel for each {title: {(name, phase): Curve}}.

    names: all of them, in the legend's order; the first ones have colours of their own.
    """
    _set_up()
    phases = _phases(panels)
    of_lines = looks(names, phases)
    entries = legend.of_curves(panels, names, phases, of_lines)
    figure, grid = legend.figure_with(len(panels), entries)
    for axes, (title, curves) in zip(grid, panels.items(), strict=True):
        alone = len(curves) <= len(COLOURS)
        for line, curve in reversed(curves.items()):  # the first ones on top
            lines.draw_curve(axes, curve, of_lines[line], alone)
        remark = f' (mean of the last {smooth} points)' if smooth > 1 else ''
        axes.set_title(shown(title, 40) + remark, fontsize=10, loc='left')
        _label_epochs(axes, x_label)
        scales.scale(axes, list(curves.values()), log)
    if len(names) == 1:
        figure.suptitle(shown(names[0], 80), fontsize=11, x=0.01, ha='left')
    return figure


def of_values(
    of_names: Lines, x_label: str, y_label: str, log_x: bool = False, log_y: bool = False
) -> Figure:
    """Return a figure of the runs' values as points, and the mean of each x with its deviation."""
    _set_up()
    positions = _positions_of_words(of_names)
    of_lines = looks(list(of_names), [''])
    points: list[list[float]] = []
    for line in of_names.values():
        points += [values for _, values in line]
    entries = legend.of_values(points, list(of_names), of_lines)
    figure, [axes] = legend.figure_with(1, entries)
    for name, line in of_names.items():
        look = of_lines[name, '']
        if positions:  # between two words there is nothing
            look = {**look, 'linestyle': ''}
        numbers = [(_position(x, positions), values) for x, values in line]
        lines.draw_values(axes, numbers, look)
    if positions:
        _label_words(axes, positions)
    elif log_x:
        axes.set_xscale('log')
    if log_y:
        axes.set_yscale('log')
    axes.set_xlabel(shown(x_label, 60))
    axes.set_ylabel(shown(y_label, 60))
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure; equal figures are equal bytes. Raises OSError."""
    suffix = Path(path).suffix.lstrip('.').lower()
    no_date: dict[str, dict[str, Any]] = {'svg': {'Date': None}, 'pdf': {'CreationDate': None}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # of characters that no font here has: they are drawn as boxes
        warnings.simplefilter('ignore')
        figure.savefig(buffer, format=suffix, metadata=no_date.get(suffix))
    atomic.write(path, buffer.getvalue())


def _phases(panels: Panels) -> list[str]:
    phases: dict[str, None] = {}
    for curves in panels.values():
        phases.update(dict.fromkeys(phase for _, phase in curves))
    return list(phases)


def _label_epochs(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    if axes.get_xlim()[1] >= 10_000:  # 200k and 1M, not 0.2 and 1e6
        axes.xaxis.set_major_formatter(EngFormatter(sep=''))


def _positions_of_words(of_names: Lines) -> dict[str, int]:
    """Return {word: its position on the axis}; empty where all x are numbers."""
    words: set[str] = set()
    for line in of_names.values():
        words.update(x for x, _ in line if isinstance(x, str))
    return {word: position for position, word in enumerate(sorted(words))}


def _position(x: float | str, positions: dict[str, int]) -> float:
    return positions[x] if isinstance(x, str) else x


def _label_words(axes: Axes, positions: dict[str, int]) -> None:
    words = [shown(word, 24) for word in positions]
    if len(words) > UPRIGHT:
        axes.set_xticks(list(positions.values()), words, rotation=30, ha='right')
    else:
        axes.set_xticks(list(positions.values()), words)
    axes.margins(x=0.15)


def _set_up() -> None:
    """Take matplotlib's own defaults, not a matplotlibrc: the same picture everywhere."""
    with contextlib.suppress(OSError):
        matplotlib.rcdefaults()
    installed = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [name for name in FONTS if name in installed]
    matplotlib.rcParams.update({**STYLE, 'font.family': fonts})
