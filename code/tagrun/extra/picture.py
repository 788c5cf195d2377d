"""Draws curves, and values over an argument, into a PNG, SVG or PDF file, by matplotlib.

    figure = of_curves({'val/acc': {('t1/0', ''): curve}}, ['t1/0'], x_label='epoch'); save(figure, 'a.png')

Colours are Okabe and Ito's, which colour-blind readers tell apart, and no two lines have colour and dashes in common. Nothing opens a
window. What a name says never acts: no mathematics between dollars, no control character, no letter that turns the line around.
"""
import contextlib
import io
import unicodedata
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator, ScalarFormatter

from tagrun.extra.curves import is_whole
from tagrun.store import atomic

FORMATS = ('png', 'svg', 'pdf')
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#999933')     # an olive for their yellow, which paper hides
DASHES = ('-', (0, (6, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2, 2, 2, 2, 2)))
TOLD_APART = len(COLOURS) * len(DASHES)     # 8 and 5 have no common factor: that many lines, each with a look of its own
REST = '#b8b8b8'        # the lines beyond
LONGEST = 120           # letters of a name; plot.py makes those of the legend shorter, as long as no two are the same
DRAWN = 4000            # points of a line; of more, the least and the greatest of each stretch
OUTLYING = 20           # times as far from 0 as where the curves began and where most of them is: what lies there presses all else flat
LETTER = 0.068          # inches of a letter in the legend, about
LETTERS = ('DejaVu Sans', 'Noto Sans CJK SC', 'Noto Sans CJK JP', 'WenQuanYi Zen Hei', 'Noto Sans Arabic', 'Noto Sans Devanagari', 'Noto Emoji')
STYLE = {'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False, 'axes.grid': True, 'grid.color': '#e4e4e4', 'grid.linewidth': 0.6,
         'axes.axisbelow': True, 'axes.edgecolor': '#707070', 'lines.linewidth': 1.5, 'legend.frameon': False, 'pdf.fonttype': 42,
         'svg.hashsalt': 'tagrun'}
NOT_FINITE = 'no finite number from here on'


def of_curves(panels, names, x_label='epoch', log=False, smooth=1):
    """A Figure. panels: {title: {(name, phase): Curve}}; names: all of them, in the legend's order, the first ones in colours of their own.

    Several phases in one panel: the colour is the run's and the dashes the phase's; of one run both are the phase's.
    """
    _set_up()
    phases = list(dict.fromkeys(phase for lines in panels.values() for _, phase in lines))
    looks = _looks(names, phases)
    entries = _entries(panels, names, phases, looks)
    figure, grid = _figure(len(panels), entries)
    for axes, (title, lines) in zip(grid, panels.items()):
        for (name, phase), curve in reversed(lines.items()):    # the first ones on top
            _draw(axes, curve, looks[name, phase], alone=len(lines) <= len(COLOURS))
        axes.set_title(shown(title, 40) + (f' (mean of the last {smooth} points)' if smooth > 1 else ''), fontsize=10, loc='left')
        axes.set_xlabel(x_label)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        if axes.get_xlim()[1] >= 10_000:        # 200k and 1M, not 0.2 and 1e6
            axes.xaxis.set_major_formatter(EngFormatter(sep=''))
        _scale(axes, list(lines.values()), log)
    if len(names) == 1:
        figure.suptitle(shown(names[0], 80), fontsize=11, x=0.01, ha='left')
    return figure


def of_values(lines, x_label, y_label, log_x=False, log_y=False):
    """A Figure. lines: {name: [(x, [y, …]), …]}: the runs' values as points, and the mean of each x with its standard deviation."""
    _set_up()
    places = {value: place for place, value in enumerate(sorted({x for line in lines.values() for x, _ in line if isinstance(x, str)}))}
    looks = _looks(list(lines), [''])
    entries = [(Line2D([], [], marker='o', markersize=5, **looks[name, '']), shown(name)) for name in lines if len(lines) > 1]
    if any(len(values) > 1 for line in lines.values() for _, values in line):
        entries += [(Line2D([], [], color='#707070', marker='o', markersize=3, linestyle=''), 'one run'),
                    (Line2D([], [], color='#707070', marker='_', markersize=9, linestyle=''), 'mean ± std')]
    if not np.isfinite([value for line in lines.values() for _, values in line for value in values]).all():
        entries += [(_cross('#707070'), 'no finite number')]
    figure, [axes] = _figure(1, entries)
    for name, line in lines.items():
        _draw_values(axes, [(places.get(x, x), values) for x, values in line], {**looks[name, ''], **({'linestyle': ''} if places else {})})
    if places:
        turn = {'rotation': 30, 'ha': 'right'} if len(places) > 4 else {}
        axes.set_xticks(list(places.values()), [shown(text, 24) for text in places], **turn)
        axes.margins(x=0.15)
    elif log_x:
        axes.set_xscale('log')
    if log_y:
        axes.set_yscale('log')
    axes.set_xlabel(shown(x_label, 60))
    axes.set_ylabel(shown(y_label, 60))
    return figure


def save(figure, path, form=None):
    """Write it; equal pictures are equal bytes. Raises OSError."""
    form = form or Path(path).suffix.lstrip('.').lower()
    buffer, date = io.BytesIO(), {'svg': {'Date': None}, 'pdf': {'CreationDate': None}}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')     # letters that no font here has: they are drawn as boxes
        figure.savefig(buffer, format=form, metadata=date.get(form))
    atomic.write(path, buffer.getvalue())


def shown(text, longest=LONGEST):
    """A name as it is drawn: on one line, its middle left out where it is long; dollars and odd characters as themselves."""
    plain = ''.join(letter if unicodedata.category(letter)[0] != 'C' and letter not in '\u2028\u2029' else ascii(letter)[1:-1] for letter in str(text))
    return cut(plain, longest).replace('$', r'\$')


def cut(text, longest):
    """A text without its middle, if it is longer than so many letters: what names differ in is mostly their ends."""
    return text if len(text) <= longest else f'{text[:longest // 3]}…{text[longest // 3 + 1 - longest:]}'


# --- lines ----------------------------------------------------------------------------------------------------------


def _draw(axes, curve, look, alone):
    """One curve: its band, its mean, the single runs where those go on without it, a cross where a run ceased to be a number."""
    thin = {**look, 'linewidth': 0.7, 'alpha': 0.45}
    if len(curve.raw) == 1 and alone:
        axes.plot(*_thinned(curve.raw[0]), **{**thin, 'alpha': 0.25, 'linestyle': '-'})
    if curve.std is not None:
        axes.fill_between(curve.mean.x, curve.mean.y - curve.std, curve.mean.y + curve.std, color=look['color'], alpha=0.16, linewidth=0)
        if not is_whole(curve):
            for points in curve.runs:
                axes.plot(*_thinned(points), **thin)
    axes.plot(*_thinned(curve.mean), **look)
    for points in curve.runs:
        _draw_alone(axes, points, look)
        _draw_crosses(axes, points, look)


def _draw_alone(axes, points, look):
    """A point between two that are none is no line: it is a dot."""
    there = np.isfinite(points.y)
    before, after = np.append(False, there[:-1]), np.append(there[1:], False)
    axes.plot(points.x[there & ~before & ~after], points.y[there & ~before & ~after], 'o', markersize=4, color=look['color'])


def _draw_crosses(axes, points, look):
    """At each last finite point before one that is not; of a run that never had one, at the bottom."""
    there = np.isfinite(points.y)
    last = np.append(there[:-1] & ~there[1:], False)
    axes.plot(points.x[last], points.y[last], linestyle='', zorder=5, **_cross_look(look['color']))
    if len(there) and not there[0]:
        axes.plot(points.x[:1], [0.02], transform=axes.get_xaxis_transform(), linestyle='', clip_on=False, zorder=5, **_cross_look(look['color']))


def _draw_values(axes, line, look):
    """The runs as small points, the means as a line."""
    means = []
    for x, values in line:
        finite = [value for value in values if np.isfinite(value)]
        axes.plot([x] * len(finite), finite, 'o', markersize=3, color=look['color'], alpha=0.6)
        if len(finite) < len(values):
            axes.plot([x], [0.02], transform=axes.get_xaxis_transform(), linestyle='', clip_on=False, **_cross_look(look['color']))
        elif finite:
            means.append((x, np.mean(finite), np.std(finite, ddof=1) if len(finite) > 1 else np.nan))
    if means:
        x, mean, std = np.array(means).T
        axes.errorbar(x, mean, std, capsize=3, elinewidth=1, marker='_', markersize=9, **look)


def _thinned(points):
    """(x, y) of at most DRAWN points: of each stretch its least and its greatest, so that no peak is lost. A gap stays a gap."""
    if len(points.x) <= DRAWN:
        return points.x, points.y
    kept = []
    for part in np.array_split(np.arange(len(points.x)), DRAWN // 3):
        y = points.y[part]
        finite = np.isfinite(y)
        kept += [part[np.argmin(np.where(finite, y, np.inf))], part[np.argmax(np.where(finite, y, -np.inf))], *part[~finite][:1]]
    kept = np.unique(kept)
    return points.x[kept], points.y[kept]


def _scale(axes, curves, log):
    """A logarithmic axis, or one that a few enormous values do not press flat: what is cut off is told."""
    values = np.concatenate([points.y[np.isfinite(points.y)] for curve in curves for points in curve.runs])
    if log:
        _scale_log(axes, values)
    elif len(values):
        _cut_off(axes, curves, values)


def _scale_log(axes, values):
    axes.set_yscale('log', nonpositive='mask')
    positive = values[values > 0]
    if len(positive) and positive.max() < 10 * positive.min():      # 1.6 and 2.2, not 1.6 × 10⁰
        for axis in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            axis(ScalarFormatter())
    if len(positive) < len(values):
        _note(axes, f'left out: {len(values) - len(positive)} of {len(values)} values, which are not above 0')


def _cut_off(axes, curves, values):
    """Leave out of a linear axis the heights of a run that explodes, and say so."""
    begun = [points.y[np.isfinite(points.y)][:1] for curve in curves for points in curve.runs]
    usual = max(np.quantile(np.abs(values), 0.5), *(abs(value) for first in begun for value in first))
    above, below = bool(values.max() > OUTLYING * usual), bool(values.min() < -OUTLYING * usual)
    if not usual or not above and not below:
        return
    inner = values[np.abs(values) <= 1.5 * usual]
    room = 0.05 * (inner.max() - inner.min()) or 0.5 * usual
    axes.set_ylim(inner.min() - room, inner.max() + room)
    told = [f'up to {values.max():.3g}'] * above + [f'down to {values.min():.3g}'] * below
    _note(axes, f'cut off: {", ".join(told)}')


def _note(axes, text):
    axes.text(0.99, 0.99, text, transform=axes.transAxes, ha='right', va='top', fontsize=8, color='#505050')


# --- looks and legend -----------------------------------------------------------------------------------------------


def _looks(names, phases):
    """{(name, phase): colour and dashes}."""
    found = {}
    for place, name in enumerate(names):
        for turn, phase in enumerate(phases):
            number = turn if len(names) == 1 else place
            dashes = number if len(names) == 1 or len(phases) == 1 else turn
            look = {'color': COLOURS[number % len(COLOURS)], 'linestyle': DASHES[dashes % len(DASHES)]}
            found[name, phase] = look if number < TOLD_APART else {'color': REST, 'linestyle': '-', 'linewidth': 0.8, 'zorder': 1.5}
    return found


def _entries(panels, names, phases, looks):
    """[(what stands in the legend, its text), …]: the runs, the phases, and what the marks mean, each only where it occurs."""
    curves = [curve for lines in panels.values() for curve in lines.values()]
    several = len(names) > 1
    entries = [(Line2D([], [], **{**looks[name, phases[0]], **({'linestyle': '-'} if len(phases) > 1 else {})}), shown(name))
               for name in names[:TOLD_APART] if several]
    if len(names) > TOLD_APART:
        entries.append((Line2D([], [], color=REST, linewidth=0.8), f'{len(names) - TOLD_APART} more'))
    if len(phases) > 1:
        grey = {'color': '#505050'} if several else {}
        entries += [(Line2D([], [], **{**looks[names[0], phase], **grey}), shown(phase or 'of no phase')) for phase in phases]
    if any(curve.std is not None for curve in curves):
        entries.append((Patch(color='#808080', alpha=0.3, linewidth=0), 'mean ± std over seeds'))
    if any(len(curve.raw) == 1 for curve in curves) and max(map(len, panels.values())) <= len(COLOURS):
        entries.append((Line2D([], [], color='#808080', linewidth=0.7, alpha=0.5), 'before the running mean'))
    if any(not np.isfinite(points.y).all() for curve in curves for points in curve.runs):
        entries.append((_cross('#505050'), NOT_FINITE))
    return entries


def _figure(panels, entries):
    """(a Figure with the legend, all panels' own, outside of them; its axes)."""
    columns, texts = min(panels, 3), [text for _, text in entries]
    rows = -(-panels // columns)
    width, height = (6.4, 4.0) if panels == 1 else (4.2 * columns, 3.2 * rows)
    below = sum(LETTER * len(text) + 0.8 for text in texts) < width
    if not below:
        width, height = width + 0.6 + LETTER * max(map(len, texts)), max(height, 0.165 * len(texts) + 0.4)
    figure = Figure(figsize=(width, height + 0.3 * bool(below and texts)), dpi=150, layout='constrained')
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for empty in grid[panels:]:
        empty.set_axis_off()
    if entries:
        _legend(figure, entries, {'loc': 'outside lower center', 'ncols': len(texts)} if below else {'loc': 'outside right upper'})
    return figure, grid


def _legend(figure, entries, place):
    """The texts are set afterwards: matplotlib leaves out those that begin with _."""
    legend = figure.legend([handle for handle, _ in entries], ['.'] * len(entries), fontsize=8, handlelength=3.2, **place)
    for drawn, (_, text) in zip(legend.get_texts(), entries):
        drawn.set_text(text)


def _cross(colour):
    return Line2D([], [], linestyle='', **_cross_look(colour))


def _cross_look(colour):
    return {'marker': 'X', 'markersize': 7, 'color': colour, 'markeredgecolor': 'white', 'markeredgewidth': 0.6}


def _set_up():
    """Of matplotlib's own defaults, whatever a matplotlibrc of the project says: the same picture everywhere."""
    with contextlib.suppress(OSError):
        matplotlib.rcdefaults()
    there = {font.name for font in font_manager.fontManager.ttflist}
    matplotlib.rcParams.update({**STYLE, 'font.family': [name for name in LETTERS if name in there]})
