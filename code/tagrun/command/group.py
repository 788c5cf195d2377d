"""Runs that differ in nothing but the seed, as one row: mean and standard deviation of each metric.

    rows = group.rows(repository, runs); rows[0].get(Column('metric', 'val/acc'))    # table.Mean(0.934, 0.0012, 5, False)

The same: equal arguments, and equal files in code/ but for code/seed, which one question to git tells of all their commits. Where a commit
is not in this repository, only runs of one tag are taken together. A run made again with the same seed is the same run: it counts once.
"""
import math
import re
from typing import NamedTuple

from tagrun.command.git import Failed
from tagrun.command.say import say
from tagrun.store import experlist, jsonfile, statistic, table

SEED = b'100644 seed\0'     # how the entry of code/seed begins in git's tree object; the id's bytes follow


class Group(NamedTuple):
    """A row: runs that differ in nothing but the seed."""
    runs: list
    counted: list       # those that finished, one for each seed
    size: int           # seeds in all

    @property
    def name(self):
        return experlist.compact([(run.values['run']['tag'], run.values['run']['id']) for run in self.runs])

    def get(self, column):
        """A Mean of a metric; of all else the value the runs share, or MISSING."""
        if column.group != 'metric':
            values = [run.get(column) for run in self.runs]
            return values[0] if all(value is values[0] or value == values[0] for value in values) else table.MISSING
        values = [value for value in (run.get(column) for run in self.counted) if jsonfile.is_number(value)]
        if not values:
            return table.Mean(math.nan, None, 0, True) if len(self.counted) < self.size else table.MISSING
        return table.Mean(*_mean_and_std(values), len(values), len(values) < self.size)


def _mean_and_std(values):
    """Of a sample; NaN where a float cannot hold it, as of inf and -inf. The std of one value is None."""
    try:
        mean = math.fsum(values) / len(values)
        return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) if len(values) > 1 else None
    except (OverflowError, ValueError):
        return math.nan, math.nan if len(values) > 1 else None


def rows(repository, runs):
    """The Groups of some table.Runs, in the order of their first runs."""
    code, groups = _code(repository, runs), {}
    for run in runs:
        groups.setdefault((code[run.name], table.text(dict(sorted(run.values['hparam'].items())))), []).append(run)
    return [_group(members) for members in groups.values()]


def _group(runs):
    by_seed = {}
    for run in runs:
        by_seed.setdefault(table.text(run.values['run'].get('seed', run.name)), []).append(run)
    finished = [[run for run in same if run.values['run']['status'] == statistic.FINISHED] for same in by_seed.values()]
    for same in finished:
        if len(same) > 1:
            say(f'{same[0].name}: {", ".join(run.name for run in same[1:])} had the same seed; it counts once')
    return Group(runs, [same[0] for same in finished if same], len(by_seed))


def _code(repository, runs):
    """{run's name: what its code/ is, seed left out}, or its tag where git cannot tell. A run by hand is like no other."""
    commits = {run.name: table.text(run.values['run'].get('commit', '')) for run in runs}
    commits = {name: commit for name, commit in commits.items() if re.fullmatch('[0-9a-f]{40,64}', commit)}
    place = f'{repository.prefix}code'
    try:
        trees = repository.blobs([f'{commit}:{place}' for commit in commits.values()])
        known = {name: _without_seed(trees[f'{commit}:{place}'], len(commit) // 2) for name, commit in commits.items()}
    except Failed:
        say('the commits of some runs are not in this repository: only runs of one tag are taken together')
        known = {run.name: run.values['run']['tag'] for run in runs if run.name in commits}
    return {run.name: known.get(run.name, run.name) for run in runs}


def _without_seed(tree, size):
    """A tree object's bytes but for its entry `seed`, which ends with an id of `size` bytes."""
    start = tree.find(SEED)
    return tree if start < 0 else tree[:start] + tree[start + len(SEED) + size:]
