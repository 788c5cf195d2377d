"""Which run each trial of a sweep has, and how these runs stand.

    runs = TrialRuns(repository, request, commit, pool)
    runs.add(trials); runs.number(trial); runs.is_done(trial); folder = runs.prepare(trial)

It reads git and the runs' folders, and keeps no file. It trains nothing.
"""

from collections.abc import Iterable
from pathlib import Path

from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.git.repository import Repository
from tagrun.core.launch import unfinished
from tagrun.core.launch.local_pool import Pool
from tagrun.core.record import input_files
from tagrun.extra.sweep import trials
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.trials import Trial
from tagrun.store import statistic
from tagrun.store.run_ref import RunRef

DONE = unfinished.DONE
ENDED = (*DONE, statistic.FAILED)
NEW = 'new'  # the state of a trial that has no run yet


class TrialRuns:
    """The runs of a sweep's trials."""

    def __init__(self, repository: Repository, request: SweepRequest, commit: str, pool: Pool):
        self.repository, self.tag, self.commit = repository, request.tag, commit
        self.trials: dict[int, Trial] = {}  # {id of a run: its trial}, of those of this command
        self._retry_failed, self._pool = request.retry_failed, pool
        self._numbers = trials.recorded_runs(repository, request.tag)
        self._inputs = input_files.of_tag(repository, request.tag)
        self._ended: dict[int, RunStatus] = {}

    def add(self, some: Iterable[Trial]) -> None:
        """Take up trials of this command: those that have a run already are in `trials` then."""
        for trial in some:
            number = self.number(trial)
            if number is not None:
                self.trials[number] = trial

    def ref(self, number: int) -> RunRef:
        """Return the run with this id."""
        return RunRef(self.tag, number)

    def refs(self, some: Iterable[Trial]) -> list[RunRef]:
        """Return the runs that these trials have, sorted."""
        numbers = {self.number(trial) for trial in some}
        return sorted(self.ref(number) for number in numbers if number is not None)

    def folder(self, number: int) -> Path:
        """Return a run's folder."""
        return self.ref(number).folder(self.repository.root)

    def number(self, trial: Trial) -> int | None:
        """Return the id of the trial's run; None before it has one."""
        return self._numbers.get(trial.key)

    def status(self, number: int) -> RunStatus:
        """Return how a run stands. It is read once after the run has ended."""
        if number not in self._ended:
            status = run_status.read_status(self.repository.root, RunRef(self.tag, number))
            if status.state not in ENDED or self.is_at_work(number):
                return status
            self._ended[number] = status
        return self._ended[number]

    def statuses(self) -> list[RunStatus]:
        """Return how the runs of this command stand, by id."""
        return [self.status(number) for number in sorted(self.trials)]

    def state(self, trial: Trial) -> str:
        """Return the state of the trial's run, NEW if it has none.

        A run with an invalid statistic.json counts as killed: training writes it again.
        """
        number = self.number(trial)
        state = NEW if number is None else self.status(number).state
        return statistic.KILLED if state == run_status.UNREADABLE else state

    def is_at_work(self, number: int) -> bool:
        """Return whether this sweep trains the run, or waits for somebody else who does."""
        return str(self.ref(number)) in self._pool.children

    def is_done(self, trial: Trial) -> bool:
        """Return whether nothing is to be trained: finished, pruned, or failed and left so."""
        number = self.number(trial)
        if number is None or self.is_at_work(number):
            return False
        state = self.state(trial)
        return state in DONE or (state == statistic.FAILED and not self._retry_failed)

    def prepare(self, trial: Trial) -> Path:
        """Return the folder of the trial's run, with all its files; record it if it is new."""
        number = self.number(trial)
        if number is None:
            folder = trials.record_trial(
                self.repository, self.tag, self.commit, trial, self._inputs
            )
            number = self._numbers[trial.key] = int(folder.name)
        self.trials[number] = trial
        self._ended.pop(number, None)
        return unfinished.complete(self.repository, self.ref(number))
