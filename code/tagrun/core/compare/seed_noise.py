"""Whether the metrics of two runs differ by more than the seed alone makes them differ.

    seed_noise.compare(repository, root, one, other)['val/acc']['more_than_seeds']     # True

The noise is the pooled spread over the runs that differ from one of the two in the seed alone, as
far as they are in __result__. The difference of two single runs is compared with it by a two-sided
t-test at 95 %: with few seeds the test has little power, and of 20 metrics about one is flagged by
chance.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from tagrun.core.compare.run_files import RunFiles
from tagrun.core.git.repository import Repository
from tagrun.core.tables import seed_groups
from tagrun.core.tables.rows import Group
from tagrun.store import jsonfile, layout, table
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Column, Mean, Run

# {degrees of freedom: t}: what the difference of two runs, divided by its estimated spread,
# exceeds by chance once in 20 times
STUDENT = {
    1: 12.71,
    2: 4.30,
    3: 3.18,
    4: 2.78,
    5: 2.57,
    6: 2.45,
    7: 2.36,
    8: 2.31,
    9: 2.26,
    10: 2.23,
    15: 2.13,
    20: 2.09,
    30: 2.04,
    60: 2.00,
}


# a run's commit and inputs: all that makes it what it is
Origin = tuple[str, str]


class MetricDifference(TypedDict):
    """One metric of two runs."""

    values: list[float | None]  # of the one, of the other
    difference: float | None  # the second value minus the first
    noise: float | None  # std of the difference of two runs that differ in the seed alone
    seeds: list[int]  # values that each group of seeds has
    more_than_seeds: bool | None  # None: no seeds to compare with


def compare(
    repository: Repository, root: Path, one: RunFiles, other: RunFiles
) -> dict[str, MetricDifference]:
    """Return {metric: MetricDifference} of two runs, the monitored metric first."""
    groups = groups_of(repository, root, one, other)
    monitored = one.statistic.get('monitor')
    names = list(dict.fromkeys([*one.metric, *other.metric]))
    # the sort is stable: the others keep their order
    names.sort(key=lambda name: name != monitored)
    differences = {}
    for name in names:
        values = [jsonfile.number(one.metric.get(name)), jsonfile.number(other.metric.get(name))]
        differences[name] = difference(values, _means(groups, name))
    return differences


def difference(values: Sequence[float | None], means: Sequence[Mean]) -> MetricDifference:
    """Return how two values of a metric differ, beside the spread of the groups of seeds."""
    one, other = values
    change = None if one is None or other is None else other - one
    std, degrees = noise(means)
    more = None
    if change is not None and std is not None:
        more = abs(change) > std * student(degrees)
    return {
        'values': [one, other],
        'difference': change,
        'noise': std,
        'seeds': [mean.count for mean in means],
        'more_than_seeds': more,
    }


def noise(means: Sequence[Mean]) -> tuple[float | None, int]:
    """Return (standard deviation of the difference of two single runs, degrees of freedom), pooled.

    (None, 0) where no group has two seeds.
    """
    samples = [
        (mean.count - 1, mean.std)
        for mean in means
        if mean.std is not None and math.isfinite(mean.std)
    ]
    degrees = sum(count for count, _ in samples)
    if not degrees:
        return None, 0
    squares = sum(count * std**2 for count, std in samples)
    return math.sqrt(2 * squares / degrees), degrees


def student(degrees: int) -> float:
    """Return the largest t of chance for 1 degree of freedom or more, rounded to the safe side."""
    return STUDENT[max(known for known in STUDENT if known <= degrees)]


def groups_of(repository: Repository, root: Path, one: RunFiles, other: RunFiles) -> list[Group]:
    """Return the Groups of runs that differ from one of the two runs in the seed alone."""
    arguments = {_arguments(files.hparam) for files in (one, other)}
    runs, _ = table.load(root, [one.run, other.run, *_all_but(root, {one.run, other.run})])
    alike: dict[Origin, Run] = {}
    for run in runs:
        if _arguments(run.values['hparam']) in arguments:
            # a run that was made again with the same seed counts once
            alike.setdefault(_origin(run), run)
    origins = {_origin(run) for run in runs[:2]}
    groups = seed_groups.rows(repository, list(alike.values()))
    return [group for group in groups if _has_origin(group, origins)]


def _all_but(root: Path, left_out: set[RunRef]) -> list[RunRef]:
    """Return all recorded runs but some."""
    runs: list[RunRef] = []
    for tag in layout.tags(root):
        if tag != layout.SCRATCH:
            runs += [RunRef(tag, number) for number in layout.numbers(root, tag)]
    return [run for run in runs if run not in left_out]


def _arguments(hparam: dict[str, object]) -> str:
    return table.text(dict(sorted(hparam.items())))


def _origin(run: Run) -> Origin:
    return str(run.values['run'].get('commit', run.name)), run.inputs


def _has_origin(group: Group, origins: set[Origin]) -> bool:
    return any(_origin(run) in origins for run in group.runs)


def _means(groups: Iterable[Group], name: str) -> list[Mean]:
    """Return the groups' Means of a metric, of one finite value or more."""
    cells = [group.get(Column('metric', name)) for group in groups]
    means = [cell for cell in cells if isinstance(cell, Mean)]
    return [mean for mean in means if mean.count and math.isfinite(mean.mean)]
