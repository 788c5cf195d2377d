"""The rows of a table: one Run of store/table.py, or a Group of runs that differ in the seed alone.

    group.get(Column('metric', 'val/acc'))      # Mean(0.934, 0.0012, 5, False)

Both kinds have `name`, `runs` and `get(column)`. seed_groups.py says which runs make a group.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypeGuard

from tagrun.store import experlist, jsonfile, table
from tagrun.store.table import MISSING, Column, Mean, Run


class Group(NamedTuple):
    """A row of runs that differ in nothing but the seed."""

    runs: list[Run]
    counted: list[Run]  # those that finished, one for each seed
    size: int  # seeds in all

    @property
    def name(self) -> str:
        return experlist.compact([run.ref for run in self.runs])

    def get(self, column: Column) -> object:
        """Return the Mean of a metric; of all else the value that the runs share, or MISSING."""
        if column.group != 'metric':
            return _shared([run.get(column) for run in self.runs])
        cells = [run.get(column) for run in self.counted]
        numbers = [cell for cell in cells if jsonfile.is_number(cell)]
        if numbers:
            mean, std = mean_and_std(numbers)
            return Mean(mean, std, len(numbers), len(numbers) < self.size)
        return Mean(math.nan, None, 0, True) if len(self.counted) < self.size else MISSING


Row: TypeAlias = Run | Group


def is_grouped(rows: Sequence[Row]) -> TypeGuard[Sequence[Group]]:
    """Return whether the rows are Groups; a table has rows of one kind."""
    return bool(rows) and isinstance(rows[0], Group)


def runs_of(rows: Sequence[Row]) -> list[Run]:
    """Return the runs of all rows."""
    runs: list[Run] = []
    for row in rows:
        runs += row.runs
    return runs


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and the standard deviation of a sample; of one value the std is None.

    Both are NaN where a float cannot hold them, e.g. for inf and -inf.
    """
    count = len(values)
    try:
        mean = math.fsum(values) / count
        if count == 1:
            return mean, None
        return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    except (OverflowError, ValueError):
        return math.nan, math.nan if count > 1 else None


def _shared(cells: list[object]) -> object:
    first = cells[0]
    is_same = all(cell is first or cell == first for cell in cells)
    return first if is_same else table.MISSING
