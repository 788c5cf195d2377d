"""Rows and columns from many statistic.json, for tables, titles and conditions.

    runs, damaged = load(root, [('t1', 0), ('t2', 0)])
    columns(runs)                        # [Column('hparam', 'lr'), …, Column('metric', 'val/acc')], in first-seen order
    runs[0].get(Column('metric', 'val/acc'))     # 0.935, or MISSING

It reads statistic.json alone and keeps every value as it is: a nested one is a cell too. No pandas: plain dicts of 10,000 runs are faster.
"""
import json
import math
import os
import re
from collections import Counter
from typing import NamedTuple

from tagrun.store import layout, statistic

GROUPS = ('hparam', 'metric', 'run')    # of a title file, and the order of the columns
OF_RUN = ('tag', 'id', 'variant', 'status', 'seed', 'commit', 'epoch', 'best_epoch', 'seconds', 'updated')     # what the group `run` has
NAME = 'expernameid'                    # the first column: <tag>/<id>
MISSING = object()                      # a run has no such value; None is one
NOT_FINITE = {'nan': math.nan, 'inf': math.inf, '-inf': -math.inf}   # as jsonfile writes them
BETTER_LOW = {'err', 'errors', 'nll', 'kl', 'bpc', 'bpb', 'ppl', 'perplexity', 'mse', 'rmse', 'mae', 'mape', 'fid', 'wer', 'cer', 'eer', 'ece', 'regret',
              'latency', 'seconds', 'divergence', 'distance'}    # words of a metric's name, besides those that end in loss or error


class Column(NamedTuple):
    group: str      # one of GROUPS
    name: str


class Run(NamedTuple):
    """A row: one run, as its statistic.json has it."""
    name: str       # 't1/0'
    values: dict    # {'hparam': {…}, 'metric': {…}, 'run': {…}}
    watch: str      # the metric that names the best epoch
    mode: str       # 'min' or 'max': which of its values are better

    def get(self, column):
        """The value, 'nan' and its like as the floats they stand for; MISSING where there is none."""
        value = self.values[column.group].get(column.name, MISSING)
        return NOT_FINITE.get(value, value) if type(value) is str else value

    @property
    def runs(self):
        """Itself: a row of the table stands for one run or, where they are grouped, for several."""
        return [self]


class Mean(NamedTuple):
    """What a metric's cell holds where a row stands for several runs."""
    mean: float
    std: float          # of a sample; None for one value
    count: int          # values that it is the mean of; 0: none yet, and mean is NaN
    incomplete: bool    # not every run of the row finished and has the metric


def load(root, runs):
    """([Run, …], [('t1/0', why it cannot be read), …]) of (tag, id) pairs."""
    found, damaged, place = [], [], os.fspath(layout.result(root))
    for tag, number in runs:
        folder = f'{place}/{tag}/{number}'
        try:
            found.append(_row(folder, tag, number, statistic.read(folder)))
        except FileNotFoundError:
            damaged.append((f'{tag}/{number}', _silent(folder)))
        except (OSError, ValueError) as error:
            damaged.append((f'{tag}/{number}', f'{statistic.NAME}: {getattr(error, "strerror", None) or error}'))
    return found, damaged


def columns(runs, groups=('hparam', 'metric')):
    """The columns of some groups that any run has, in first-seen order."""
    found = []
    for group in groups:
        names = {}
        for run in runs:
            names.update(dict.fromkeys(run.values[group]))
        found += [Column(group, name) for name in names]
    return found


def differs(rows, column):
    """Whether a column has more than one value, a missing one counted."""
    first = rows[0].get(column) if rows else MISSING
    return any(value is not first and value != first for value in (row.get(column) for row in rows))


def text(value):
    """A value in full: numbers with all their digits, lists and dicts as compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        try:
            return json.dumps(value, ensure_ascii=False, separators=(',', ':'))
        except (RecursionError, ValueError):
            return '(nested too deep)'
    return '' if value is MISSING else str(value)


def watched(runs):
    """The metric that most of the runs watch, or None."""
    names = Counter(run.watch for run in runs if run.watch)
    return names.most_common(1)[0][0] if names else None


def direction(runs, column):
    """'min' or 'max': which values of a metric are better, or None for what is no metric.

    The watched metric, and those of its name in other phases (train/acc beside val/acc), go by the runs' own `mode`; of the others
    those with a name like a loss or an error are better low, all else high.
    """
    if column.group != 'metric':
        return None
    base = column.name.rpartition('/')[2]
    modes = [run.mode for run in runs if run.watch and run.watch.rpartition('/')[2] == base]
    if modes:
        return max(('max', 'min'), key=modes.count)
    words = re.split('[^a-z0-9]+', column.name.lower())
    return 'min' if any(word in BETTER_LOW or word.endswith(('loss', 'error')) for word in words) else 'max'


def _row(folder, tag, number, content):
    time, status = content['time'], statistic.state(folder, content)
    facts = {'tag': tag, 'id': number, 'status': text(status), 'seconds': time.get('seconds', MISSING), 'updated': time.get('updated', MISSING),
             **{key: content[key] for key in ('variant', 'seed', 'commit', 'epoch', 'best_epoch') if key in content}}
    values = {'hparam': content['hparam'], 'metric': content['metric'], 'run': {key: facts[key] for key in OF_RUN if key in facts}}
    watch = content.get('watch')
    return Run(f'{tag}/{number}', values, watch if isinstance(watch, str) else None, content.get('mode'))


def _silent(folder):
    """Why a run has no statistic.json."""
    if not os.path.isdir(folder):
        return 'its folder is not here'
    return 'it has just started' if statistic.state(folder) == statistic.RUNNING else 'it wrote no statistic.json: its training never began'
