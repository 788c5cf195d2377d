"""Rows and columns from many statistic.json, for tables, titles and conditions.

    runs, damaged = load(root, [('t1', 0), ('t2', 0)])
    columns(runs)                        # [Column('hparam', 'lr'), …], in first-seen order
    runs[0].get(Column('metric', 'val/acc'))     # 0.935, or MISSING

It reads statistic.json alone and keeps every value as it is: a nested one is a cell too. No pandas:
plain dicts of 10,000 runs are faster.
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tagrun.store import inputs, layout, limits, statistic
from tagrun.store.run_ref import RunRef

GROUPS = ('hparam', 'metric', 'run')  # of a title file, and the order of the columns
# what the group `run` has
OF_RUN = (
    'tag',
    'id',
    'variant',
    'status',
    'seed',
    'commit',
    'epoch',
    'best_epoch',
    'seconds',
    'updated',
    'inputs',
)
# those of OF_RUN that statistic.json has under the same name
FACTS = ('variant', 'seed', 'commit', 'epoch', 'best_epoch')
NAME = 'expernameid'  # the first column: <tag>/<id>
MISSING = object()  # a run has no such value; None is one
NOT_FINITE = {'nan': math.nan, 'inf': math.inf, '-inf': -math.inf}  # as jsonfile writes them
# words of a metric's name, besides those that end in loss or error
BETTER_LOW = {
    *('err', 'errors', 'mse', 'rmse', 'mae', 'mape', 'wer', 'cer', 'eer', 'ece'),
    *('nll', 'kl', 'bpc', 'bpb', 'ppl', 'perplexity', 'fid', 'divergence', 'distance'),
    *('regret', 'latency', 'seconds'),
}


class Column(NamedTuple):
    """A column of a table."""

    group: str  # one of GROUPS
    name: str


class Run(NamedTuple):
    """A row: one run, as its statistic.json has it."""

    name: str  # 't1/0'
    values: dict[str, dict[str, Any]]  # {'hparam': {…}, 'metric': {…}, 'run': {…}}
    monitor: str | None  # the metric that names the best epoch
    monitor_mode: Any  # 'min' or 'max': which of its values are better
    inputs: str = ''  # what it takes from other runs, with each SHA-256

    def get(self, column: Column) -> Any:
        """Return the value; MISSING where there is none.

        'nan' and its like come as the floats they stand for.
        """
        value = self.values[column.group].get(column.name, MISSING)
        return NOT_FINITE.get(value, value) if type(value) is str else value

    @property
    def ref(self) -> RunRef:
        """Return which run it is."""
        tag, _, number = self.name.partition('/')
        return RunRef(tag, int(number))

    @property
    def runs(self) -> 'list[Run]':
        """Return itself: a row stands for one run or, where they are grouped, for several."""
        return [self]


class Mean(NamedTuple):
    """What a metric's cell holds where a row stands for several runs."""

    mean: float
    std: float | None  # of a sample; None for one value
    # values that it is the mean of; 0: none yet, and mean is NaN (it hides tuple.count)
    count: int  # type: ignore[assignment]
    incomplete: bool  # not every run of the row finished and has the metric


class Row(Protocol):
    """A row of a table: a Run, or a group of them."""

    def get(self, column: Column) -> Any: ...


def load(
    root: str | Path, runs: Iterable[tuple[str, int]]
) -> tuple[list[Run], list[tuple[str, str]]]:
    """Return ([Run, …], [('t1/0', why it cannot be read), …]) of (tag, id) pairs."""
    rows, damaged = [], []
    result = os.fspath(layout.result(root))
    budget = limits.of_reading()
    for tag, number in runs:
        name = f'{tag}/{number}'
        folder = f'{result}/{name}'
        try:
            rows.append(_row(folder, RunRef(tag, number), statistic.read(folder, budget)))
        except FileNotFoundError:
            damaged.append((name, _why_missing(folder)))
        except (OSError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or error
            damaged.append((name, f'{statistic.NAME}: {reason}'))
    return rows, damaged


def columns(runs: Sequence[Run], groups: Iterable[str] = ('hparam', 'metric')) -> list[Column]:
    """Return the columns of some groups that any run has, in first-seen order."""
    known = []
    for group in groups:
        names: dict[str, None] = {}
        for run in runs:
            names.update(dict.fromkeys(run.values[group]))
        known += [Column(group, name) for name in names]
    return known


def differs(rows: Sequence[Row], column: Column) -> bool:
    """Return whether a column has more than one value, a missing one counted."""
    first = rows[0].get(column) if rows else MISSING
    values = (row.get(column) for row in rows)
    return any(value is not first and value != first for value in values)


def text(value: Any) -> str:
    """Return a value in full: numbers with all their digits, lists and dicts as compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        try:
            return json.dumps(value, ensure_ascii=False, separators=(',', ':'))
        except (RecursionError, ValueError):
            return '(nested too deep)'
    return '' if value is MISSING else str(value)


def monitored(runs: Iterable[Run]) -> str | None:
    """Return the metric that most of the runs monitor, or None."""
    names = Counter(run.monitor for run in runs if run.monitor)
    return names.most_common(1)[0][0] if names else None


def direction(runs: Iterable[Run], column: Column) -> str | None:
    """Return 'min' or 'max': which values of a metric are better; None for another column.

    The monitored metric, and those of its name in other phases (train/acc beside val/acc), go by
    the runs' own `monitor_mode`. Of the others, those with a name like a loss or an error are
    better low, all else high.
    """
    if column.group != 'metric':
        return None
    base = column.name.rpartition('/')[2]
    monitoring = [run for run in runs if run.monitor]
    modes = [run.monitor_mode for run in monitoring if _base(run.monitor) == base]
    if modes:
        return max(('max', 'min'), key=modes.count)
    words = re.split('[^a-z0-9]+', column.name.lower())
    is_low = any(word in BETTER_LOW or word.endswith(('loss', 'error')) for word in words)
    return 'min' if is_low else 'max'


def _row(folder: str, run: RunRef, content: dict[str, Any]) -> Run:
    time = content['time']
    facts = {
        'tag': run.tag,
        'id': run.number,
        'status': text(statistic.state(folder, content)),
        'seconds': time.get('seconds', MISSING),
        'updated': time.get('updated', MISSING),
    }
    facts.update((key, content[key]) for key in FACTS if key in content)
    taken = inputs.known(content.get('inputs')) if 'inputs' in content else []
    if taken:
        facts['inputs'] = ', '.join(each.name for each in taken)
    values = {
        'hparam': content['hparam'],
        'metric': content['metric'],
        'run': {key: facts[key] for key in OF_RUN if key in facts},
    }
    monitor = content.get('monitor')
    if not isinstance(monitor, str):
        monitor = None
    digests = text(inputs.contents(taken))
    return Run(str(run), values, monitor, content.get('monitor_mode'), digests if taken else '')


def _base(name: str | None) -> str:
    """Return a metric's name without its phase."""
    return (name or '').rpartition('/')[2]


def _why_missing(folder: str) -> str:
    """Return why a run has no statistic.json."""
    if not os.path.isdir(folder):
        return 'its folder is not here'
    if statistic.state(folder) == statistic.RUNNING:
        return 'it has just started'
    return 'it wrote no statistic.json: its training never began'
