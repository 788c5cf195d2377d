"""Choose what is drawn of a set of runs: which lines, which metrics, in which panels.

    figure, summary = draw(root, runs, CurveOptions(metrics=['acc']))      # runs: of table.load

curves.py computes the points, picture.py draws them. What cannot be read is named and left out.
"""

import math
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.git.repository import Repository
from tagrun.core.tables import formats, row_filter, seed_groups
from tagrun.extra.plot import curves, looks, picture, run_labels
from tagrun.store import layout, statistic, table
from tagrun.store.table import Column, Run

PHASES_APART = 8  # so many lines have colours of their own, and leave the dashes to the phases
SHOWN = 6  # metrics that the summary names

Group = list[Run]  # runs that differ in the seed alone: one line
PointsOfRun = dict[str, curves.Points]  # {metric: points}


class CurveOptions(NamedTuple):
    """What to draw; the defaults are those of `tagrun plot <run>`."""

    metrics: list[str] = []  # names or the ends of names; none: chosen by what the runs have
    steps: bool = False  # the training loss at each step
    each: bool = False  # each seed is a line of its own
    smooth: int = 1  # points of the running mean
    log: bool = False  # a logarithmic axis for the values


def draw(root: Path, runs: list[Run], options: CurveOptions) -> tuple[Figure, str]:
    """Return (the figure, what it shows in words). Raises UserError if there is no point at all."""
    points = _points_of_runs(root, runs, options.steps)
    runs = [run for run in runs if run.name in points]
    if not runs:
        lacking = 'a trace with the loss of a step' if options.steps else 'a finished epoch'
        raise UserError(f'none of these runs has {lacking}')
    groups = _best_first(_groups(root, runs, options.each), looks.DISTINCT)
    metrics = _metrics(runs, points, len(groups), options.metrics)
    labels = run_labels.labels(groups)
    members = dict(zip(labels, groups, strict=True))
    panels = _panels(members, metrics, points, options.smooth)
    drawn = _drawn_labels(labels, panels, metrics)
    x_label = _x_label(root, runs, options.steps)
    figure = picture.of_curves(panels, drawn, x_label, options.log, options.smooth)
    count = sum(len(members[label]) for label in drawn)
    return figure, f'{plural(count, "run")}, {_enumerated(metrics)}'


def _points_of_runs(root: Path, runs: list[Run], steps: bool) -> dict[str, PointsOfRun]:
    """Return {run's name: its points} of the runs that have some."""
    points = {run.name: _points(root, run, steps) for run in runs}
    return {name: of_run for name, of_run in points.items() if of_run}


def _points(root: Path, run: Run, steps: bool) -> PointsOfRun:
    """Return the points of a run; where there are none, the reason is printed."""
    folder = layout.result(root) / run.name
    points: PointsOfRun = {}
    try:
        points = curves.of_trace(folder) if steps else curves.of_history(folder)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        echo(f'{run.name}: history.csv: {reason}; left out')
        return {}
    if not points:
        reason = 'no trace of its steps' if steps else 'no epoch yet'
        echo(f'{run.name}: {reason}; left out')
    return points


# --- lines ----------------------------------------------------------------------------------------


def _groups(root: Path, runs: list[Run], each: bool) -> list[Group]:
    """Return the lines: runs that differ in the seed alone together, one run of each seed."""
    if each or len(runs) == 1:  # one run needs no git
        return [[run] for run in runs]
    return [_one_of_each_seed(group) for group in seed_groups.rows(Repository.at(root), runs)]


def _one_of_each_seed(group: seed_groups.Group) -> Group:
    """Return the runs of a table's group, one of each seed, the finished before the others."""
    of_seed: dict[str, Run] = {}
    for run in [*group.counted, *group.runs]:
        of_seed.setdefault(table.text(run.values['run'].get('seed', run.name)), run)
    return [run for run in group.runs if run in of_seed.values()]


def _best_first(groups: list[Group], distinct: int) -> list[Group]:
    """Return the groups as they are; where they are more than `distinct`, the best ones first.

    The first ones have names and colours of their own.
    """
    runs = [run for group in groups for run in group]
    monitored = table.monitored(runs)
    if len(groups) <= distinct or not monitored:
        return groups
    echo(
        f'{len(groups):,} lines: the best {distinct} by {monitored} have names, the others are grey'
    )
    column = Column('metric', monitored)
    sign = -1 if table.direction(runs, column) == 'max' else 1

    def rank(group: Group) -> float:
        value = formats.as_number(group[0].get(column))
        return math.inf if value is None else sign * value

    return sorted(groups, key=rank)


def _drawn_labels(labels: list[str], panels: picture.Panels, metrics: list[str]) -> list[str]:
    """Return the labels that have a curve; the others are named."""
    drawn: set[str] = set()
    for lines in panels.values():
        drawn.update(label for label, _ in lines)
    for label in labels:
        if label not in drawn:
            echo(f'{label}: has none of {", ".join(metrics[:SHOWN])}; left out')
    return [label for label in labels if label in drawn]


# --- metrics and panels ---------------------------------------------------------------------------


def _metrics(
    runs: list[Run], points: dict[str, PointsOfRun], lines: int, wanted: list[str]
) -> list[str]:
    """Return the names of the metrics to draw. Raises UserError for one that no run has."""
    known = _known_metrics(points)
    if wanted:
        columns = [Column('metric', name) for name in known]
        names = [row_filter.column(word, runs, columns).name for word in wanted]
        return list(dict.fromkeys(names))
    monitored = table.monitored(runs)
    if lines == 1:
        return [name for name in known if name != 'lr' and not name.startswith('lr_')]
    if monitored is None or monitored not in known:
        return known[:2]
    loss = f'{_phase_and_name(monitored)[0]}/loss'
    return [monitored, loss] if loss in known and loss != monitored else [monitored]


def _known_metrics(points: dict[str, PointsOfRun]) -> list[str]:
    known: dict[str, None] = {}
    for of_run in points.values():
        known.update(dict.fromkeys(of_run))
    return list(known)


def _panels(
    members: dict[str, Group], metrics: list[str], points: dict[str, PointsOfRun], smooth: int
) -> picture.Panels:
    """Return {title: {(label, phase): Curve}} for the lines {label: runs}."""
    panels: picture.Panels = {}
    for title, of_panel in _titles(metrics, len(members)).items():
        for label, group in members.items():
            for metric in of_panel:
                of_runs = [points[run.name] for run in group]
                many = [of_run[metric] for of_run in of_runs if metric in of_run]
                if many:
                    phase, _ = _phase_and_name(metric)
                    panels.setdefault(title, {})[label, phase] = curves.curve(many, smooth)
    return panels


def _titles(metrics: list[str], lines: int) -> dict[str, list[str]]:
    """Return {title: its metrics}: all phases in one panel, where few lines leave them dashes."""
    panels: dict[str, list[str]] = {}
    for metric in metrics:
        phase, name = _phase_and_name(metric)
        title = name if phase and lines <= PHASES_APART else metric
        panels.setdefault(title, []).append(metric)
    return {
        title if len(of_panel) > 1 else of_panel[0]: of_panel for title, of_panel in panels.items()
    }


def _phase_and_name(metric: str) -> tuple[str, str]:
    """Return ('val', 'acc') for val/acc, ('', 'lr') for lr."""
    phase, _, name = metric.rpartition('/')
    return phase, name


def _enumerated(metrics: list[str]) -> str:
    return ', '.join([*metrics[:SHOWN], *['…'] * (len(metrics) > SHOWN)])


# --- the horizontal axis --------------------------------------------------------------------------


def _x_label(root: Path, runs: list[Run], steps: bool) -> str:
    """Return what the lines of history.csv are: of an imported run they may be steps."""
    if steps:
        return 'step'
    units = {_unit(root, run) for run in runs}
    return units.pop() if len(units) == 1 else 'epoch (of imported runs: step)'


def _unit(root: Path, run: Run) -> str:
    if run.values['run'].get('commit'):
        return 'epoch'
    imported = statistic.read(layout.result(root) / run.name).get('imported')
    return 'step' if isinstance(imported, dict) and imported.get('x') == 'step' else 'epoch'
