"""A sweep at work: it asks a source for trials, trains them here, or gives them to an engine.

    sweep = Sweep(repository, request, options, inputs, source)
    code = sweep.run()                    # or sweep.hand_over('slurm')

Git and the runs' folders say what is to be done; the sweep keeps no file. The command is in
sweep.py. Where trials come from: sources.py. What is shown: progress.py. The end: finish.py.
"""

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import engines, jobs, launch, unfinished
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.launch.jobs import Job
from tagrun.core.launch.local_pool import VISIBLE, Ended
from tagrun.extra.sweep import trials
from tagrun.extra.sweep.finish import Finish
from tagrun.extra.sweep.inputs import SweepInputs
from tagrun.extra.sweep.progress import Progress
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.runs import DONE
from tagrun.extra.sweep.screen import Screen
from tagrun.extra.sweep.sources import Source
from tagrun.extra.sweep.trials import Trial
from tagrun.store import experlist, jsonfile, statistic
from tagrun.store.run_ref import RunRef

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
LOOK_S = 0.2  # between two looks at the epochs of trials that may be pruned


class Sweep:
    """The trials of a tag, from the first to the table of all."""

    def __init__(
        self,
        repository: Repository,
        request: SweepRequest,
        options: LaunchOptions,
        inputs: SweepInputs,
        source: Source,
    ):
        self.stopped = 0  # the signal that stopped it
        self._repository, self._request, self._options = repository, request, options
        self._inputs, self._source = inputs, source
        self._runs, self._pool = inputs.runs, inputs.pool
        self._screen = Screen()
        self._progress = Progress(self._runs, source, self._pool, self._screen)

    # --- here ---

    def run(self) -> int:
        """Train the trials on this machine; return the exit code."""
        self._give_up(self._source.catch_up())
        self._refuse_queued()
        numbers = [status.id for status in self._runs.statuses() if status.state in DONE]
        unfinished.record_results(self._repository, map(self._runs.folder, numbers))
        self._tell_shares()
        with self._stoppable():
            while self._start_more():
                self._turn()
        if self._screen.is_terminal:
            self._progress.draw()
        self._screen.close()
        finish = Finish(self._repository, self._request, self._inputs, self._source)
        return finish.report(self.stopped, trained=bool(self._progress.seconds))

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Hand signals on to the trials. Whatever ends the sweep, no trial trains on unseen."""
        before = {
            number: signal.signal(number, self._stop)
            for number in STOPPING
            if signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield
        except BaseException:
            # they save, and the same command goes on
            self._pool.signal_all(signal.SIGTERM)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_more(self) -> bool:
        """Start what there is room for; return False when all is done, or was stopped."""
        while not self.stopped and self._pool.has_room():
            trial = self._source.ask()
            if trial is None:
                break
            try:
                folder = self._prepare(trial)
                # what was recorded when a signal came goes on with the same command
                if not self.stopped:
                    self._pool.start(folder)
            except GitError:  # Ctrl-C reached the git that recorded it
                if not self.stopped:
                    raise
        return bool(self._pool.children)

    def _prepare(self, trial: Trial) -> Path:
        """Return the folder of the trial's run, recorded if it is new."""
        is_new = self._runs.number(trial) is None
        folder = self._runs.prepare(trial)
        if is_new:
            launch.set_process_count(folder, self._options.process_count)
        return folder

    def _turn(self) -> None:
        """Wait for trials to end, report them, and draw."""
        patience_s = LOOK_S if self._request.prune else self._screen.patience_s
        for ended in self._pool.wait(patience_s):
            self._end_trial(ended)
        self._source.watch([_run(name).number for name in self._pool.children])
        if self._screen.is_due():
            self._progress.draw()

    def _end_trial(self, ended: Ended) -> None:
        number = _run(ended.name).number
        status = self._runs.status(number)
        # somebody else was quicker: that one is waited for
        if status.state == statistic.RUNNING and not self.stopped:
            self._pool.start(self._runs.folder(number))
            return
        if ended.code is None:
            unfinished.record_results(self._repository, [self._runs.folder(number)])
        self._give_up(self._source.tell(number, status))
        self._progress.show_end(ended, status)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Ask all trials to save and end; a second Ctrl-C ends them at once."""
        self.stopped = self.stopped or number
        self._pool.signal_all(number)

    def _give_up(self, reason: str) -> None:
        """Stop as a signal does, where there is a reason: what is trained is saved."""
        if reason and not self.stopped:
            self._screen.line(f'tagrun: {reason}')
            self._stop(signal.SIGTERM, None)

    def _tell_shares(self) -> None:
        """Say what the trials share, where there is less than each asks for."""
        at_once, processes = self._pool.at_once, self._pool.processes
        devices = len(self._pool.devices)
        if devices and at_once * processes > devices:
            echo(f'tagrun: {at_once} at once share {plural(devices, "GPU")}')
        elif devices:
            echo(
                f'{plural(at_once, "trial")} at once, each with '
                f'{plural(processes, "GPU")} of its own ({VISIBLE})'
            )
        else:
            self._tell_cores()

    def _tell_cores(self) -> None:
        threads = jsonfile.number(trials.literal(self._inputs.config, 'threads')) or 1
        wanted = self._pool.at_once * threads * self._pool.processes
        cores = _core_count()
        if wanted > cores:
            echo(
                f'tagrun: {self._pool.at_once} at once with threads = {threads:g} want '
                f'{wanted:g} of {cores} cores; threads stay as in config.py, '
                'for another number may change a result'
            )

    # --- elsewhere ---

    def _jobs(self) -> dict[str, Job]:
        """Return {'t1/0': its job} of the runs that an engine has."""
        root = self._repository.root
        given = jobs.read_all(map(self._runs.folder, self._runs.trials))
        states = jobs.states(root, given)
        return {name: job for name, job in given.items() if name in states}

    def _refuse_queued(self) -> None:
        for name, job in self._jobs().items():
            raise UserError(
                f'{name} is queued elsewhere, as job {job.id} of {job.engine}: '
                f'`tagrun stop {self._request.tag}` cancels all of them'
            )

    def hand_over(self, engine: str) -> int:
        """Record all trials, and give those that are to be trained to the engine."""
        queued, everything = self._jobs(), self._source.trials()
        todo = [trial for trial in everything if self._is_for_engine(trial, queued)]
        folders = [self._prepare(trial) for trial in todo]
        done = self._source.total - len(todo)
        text = f'{self._request.tag}: {plural(len(todo), "trial")} for {engine}'
        if done:
            text += f'; {done} are done, running or queued already'
        echo(text)
        experlist.add(self._repository.root, self._request.tag, self._runs.refs(everything))
        if not folders:
            return 0
        return engines.load(engine).submit(self._repository, folders, self._options)

    def _is_for_engine(self, trial: Trial, queued: Collection[str]) -> bool:
        number = self._runs.number(trial)
        if number is not None and str(self._runs.ref(number)) in queued:
            return False
        return not self._runs.is_done(trial) and self._runs.state(trial) != statistic.RUNNING


def _run(name: str) -> RunRef:
    """Return the run that 't1/0' names, a name that the pool made."""
    run = RunRef.parse(name)
    assert run is not None, name
    return run


def _core_count() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
