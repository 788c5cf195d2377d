"""evaluation/<n>/ in a run's folder: what `tagrun evaluate` measured of it.

    evaluation = EvaluationRef.parse('t1/0/evaluation/2')
    evaluation.folder(root)                 # <root>/__result__/t1/0/evaluation/2
    number, folder = claim(run_folder)      # whoever makes the folder owns the number

Its run.json says of which checkpoint, its statistic.json what came out. Only one whose status is
finished counts. It never changes a file of the run.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tagrun.store import layout
from tagrun.store.run_ref import RunRef

FOLDER = 'evaluation'


class EvaluationRef(NamedTuple):
    """One evaluation of a run."""

    run: RunRef
    number: int

    @classmethod
    def parse(cls, text: str) -> 'EvaluationRef | None':
        """Return the evaluation that 't1/0/evaluation/2' names; None for anything else."""
        name, _, number = text.rpartition(f'/{FOLDER}/')
        run = RunRef.parse(name)
        if run is None or not layout.is_number(number):
            return None
        return cls(run, int(number))

    def __str__(self) -> str:
        return f'{self.run}/{FOLDER}/{self.number}'

    @property
    def tag(self) -> str:
        """The tag of its run."""
        return self.run.tag

    def folder(self, root: str | Path) -> Path:
        """Return its folder in the project at `root`."""
        return self.run.folder(root) / FOLDER / str(self.number)


# What a prepared folder, with a run.json of its own, is.
Ref = RunRef | EvaluationRef


def is_evaluation(folder: Path) -> bool:
    """Return whether a folder is that of an evaluation, and not of a run.

    A tag may be called evaluation; then __result__ lies above it, and not a run.
    """
    return folder.parent.name == FOLDER and layout.is_number(folder.parents[1].name)


def of_folder(folder: Path) -> Ref:
    """Return the run or the evaluation whose folder this is.

    Raises ValueError for another folder's name.
    """
    if is_evaluation(folder):
        return EvaluationRef(RunRef.of_folder(folder.parents[1]), int(folder.name))
    return RunRef.of_folder(folder)


def of_run(root: str | Path, run: RunRef) -> list[EvaluationRef]:
    """Return the evaluations of a run, rising."""
    numbers = layout.numbers_in(run.folder(root) / FOLDER)
    return [EvaluationRef(run, number) for number in numbers]


def of_runs(root: str | Path, runs: Iterable[RunRef]) -> list[EvaluationRef]:
    """Return the evaluations of several runs, in their order."""
    refs: list[EvaluationRef] = []
    for run in runs:
        refs += of_run(root, run)
    return refs


def claim(run_folder: Path) -> tuple[int, Path]:
    """Make the folder of a run's next evaluation; return (number, folder)."""
    return layout.claim_in(run_folder / FOLDER)
