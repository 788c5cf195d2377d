"""Stop runs that train or are queued: each is saved, and `continue` goes on with it.

    stop(root, [RunRef('t1', 0)])

What an engine has, that engine cancels. What trains on this machine in another way (in the
background, under a sweep, in another terminal) gets the signal that Ctrl-C would send. Who started
it then records how it ended.
"""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.launch import engines, jobs
from tagrun.store import checkpoints, lock
from tagrun.store.evaluations import EvaluationRef, Ref

PATIENCE_S = 60  # at most, until a training has saved
HAND_OVER_S = 2  # at most, until the lock names the process that has it
LOOK_S = 0.05


def stop(root: Path, runs: Sequence[Ref]) -> None:
    """Stop these runs, and wait until those of this machine have saved.

    Raises UserError if none of them is queued or trains, or one cannot be stopped from here.
    """
    cancelled = _cancel(root, runs)
    training = [run for run in runs if run not in cancelled and _trains(root, run)]
    if not cancelled and not training:
        raise UserError(f'not queued, and not training: {", ".join(map(str, runs))}')
    for run in training:
        _interrupt(root, run)
    for run in training:
        _report(root, run)


def _cancel(root: Path, runs: Sequence[Ref]) -> set[Ref]:
    """Cancel the runs that engines have; return them."""
    known = jobs.read_all(run.folder(root) for run in runs)
    states = jobs.states(root, known)
    to_cancel = [known[name] for name in states]
    for engine in sorted({job.engine for job in to_cancel}):
        ids = {job.id for job in to_cancel if job.engine == engine}
        engines.load(engine).cancel(root, ids)
    for name, state in states.items():
        echo(f'{name}: cancelled while {state}')
    return {run for run in runs if str(run) in states}


def _trains(root: Path, run: Ref) -> bool:
    return lock.owner(run.folder(root)) is not None


def _interrupt(root: Path, run: Ref) -> None:
    """Ask a training to save and end, also one that is only being started.

    Raises UserError where no process of ours has the run.
    """
    folder = run.folder(root)
    end = time.monotonic() + HAND_OVER_S
    while True:
        owner = lock.owner(folder)
        if owner is None or lock.signal_owner(folder, signal.SIGTERM):
            return
        # who starts it may just be handing it on
        if time.monotonic() > end:
            break
        time.sleep(LOOK_S)
    raise UserError(
        f'{run} is trained by process {owner.get("pid")} on {owner.get("host")}, which cannot '
        'be stopped from here: stop it there'
    )


def _report(root: Path, run: Ref) -> None:
    """Wait for a training to end, and say whether it has."""
    end = time.monotonic() + PATIENCE_S
    while _trains(root, run):
        if time.monotonic() > end:
            echo(f'{run}: still saving, after {PATIENCE_S} s')
            return
        time.sleep(LOOK_S)
    if isinstance(run, EvaluationRef):
        what = 'stopped'
    elif checkpoints.newest(run.folder(root)):
        what = f'stopped and saved; `continue {run}` goes on with it'
    else:
        what = f'stopped before anything was saved; `continue {run}` begins it'
    echo(f'{run}: {what}')
