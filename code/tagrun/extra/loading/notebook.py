"""`from tagrun import load, runs`: recorded runs and tables in a notebook or a script.

    run = load('first/0')                # or load('first:last'), load('@last')
    run.model, run.args, run.loaders(), run.history, run.trace, run.statistic, run.commit
    runs('paper')                        # a data frame: what `table paper` writes as CSV

They are of the project that this tagrun belongs to, from whatever folder. What is wrong raises a
UserError with the sentence that a command prints.
"""

from os import PathLike, fspath
from typing import TYPE_CHECKING

from tagrun.core.project import ROOT
from tagrun.core.tables.selection import Selection
from tagrun.extra.loading import checkpoint_file, run_tables
from tagrun.extra.loading.loaded_run import LoadedRun

if TYPE_CHECKING:
    from pandas import DataFrame


def load(run: str | PathLike[str]) -> LoadedRun:
    """Return a run: <tag>/<id>, <tag> for its latest, @last, or the path of its folder.

    `:best`, `:last`, `:3` or a file's name behind it says which checkpoint; without that it is the
    best one, or else the last. Raises UserError where there is no such run or checkpoint.
    """
    return LoadedRun(ROOT, *checkpoint_file.of_word(ROOT, fspath(run)))


def runs(
    name: str | None = None,
    *,
    sort_by: str | None = None,
    where: str | None = None,
    group: bool = False,
    over: str | None = None,
    top: int | None = None,
) -> 'DataFrame':
    """Return the table of a set, as `table` with the same options writes it to its CSV file.

    name: of the set; None: record, or else finished. group: one row for runs that differ in the
    seed alone, or in the arguments of `over`. Raises UserError where there is no such set.
    """
    choice = Selection(name, sort_by=sort_by, where=where, group=group, over=over, top=top)
    return run_tables.of_set(ROOT, choice)
