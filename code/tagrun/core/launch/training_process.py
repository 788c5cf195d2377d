"""The process that trains a run or evaluates it: start it, wait for it, say how it ended.

    with Owned(folder) as owned: code = train(repository.root, run_folder, owned, seed)
    code = write_ending(folder, info, code, asked=owned.asked)

The job is `python -u <run folder>/code/main.py`, in the project's folder, with TAGRUN_RUN=<folder>
and the other variables of training_environment.py. `folder` is the run's own, or that of an
evaluation. ownership.py says how it comes to own that.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import echo
from tagrun.core.launch import detach, run_log, summary, training_environment
from tagrun.core.launch.ownership import ASKING, Child, Owned
from tagrun.core.record import contract
from tagrun.store import atomic, lock, run_json, statistic
from tagrun.store.lock import Lock

RESUMABLE = 75  # EX_TEMPFAIL: stopped by a signal
LOOK_S = 0.05  # between two looks at who owns the run
FOLLOW_S = 2  # in which the processes of a training follow the one that was killed
STDERR = 2  # its descriptor
CTRL_C = 130
KILLED = 128  # and the number of the signal
CRASHES = ('SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSYS', 'SIGTRAP')


def train(
    root: Path, run_folder: Path, owned: Owned, seed: int, look: Callable[[], None] | None = None
) -> int:
    """Run main.py of the frozen code in `run_folder`, for what is owned; return the exit code.

    130 where Ctrl-C, or a `kill -INT` of us alone, stopped it. -n: signal n ended it. look: called
    now and then meanwhile.
    """
    code = owned.run(lambda held: start(root, run_folder, owned.folder, seed, held), look)
    return CTRL_C if code == RESUMABLE and signal.SIGINT in owned.asked else code


def start(root: Path, run_folder: Path, folder: Path, seed: int, held: Lock) -> Child:
    """Start main.py of the frozen code in `run_folder`, for the run or evaluation in `folder`.

    held: the folder's lock, which it inherits; code that is older than that takes it itself, and
    it is released for it. An evaluation leaves no bytecode in the run's code, and prints to stderr
    alone: stdout is for the command's data.
    """
    environ = training_environment.build(os.environ, seed)
    environ[run_json.ENVIRONMENT] = str(folder)
    options, stdout = ['-u'], None
    if folder != run_folder:
        options, stdout = ['-u', '-B'], STDERR
    descriptors: tuple[int, ...] = ()
    if contract.OWNED in contract.frozen_features(run_folder):
        descriptors = (held.descriptor,)
        environ[lock.ENVIRONMENT] = str(held.descriptor)
    else:
        held.release()
    with _log_output(folder) as log:
        return subprocess.Popen(
            [sys.executable, *options, run_folder / 'code' / 'main.py'],
            cwd=root,
            env=environ,
            stdout=stdout if log is None else log,
            stderr=log,
            pass_fds=descriptors,
        )


@contextlib.contextmanager
def _log_output(folder: Path) -> Iterator[int | None]:
    """Give the descriptor that a training prints to: the log's in the background, else None.

    The child has its own copy; ours is closed, for the next run of a series has another log.
    """
    if not detach.is_silent():
        yield None
        return
    output = atomic.open_to_append(folder / 'log')
    try:
        yield output
    finally:
        os.close(output)


def is_still_owned(folder: Path, code: int) -> bool:
    """Return whether somebody else trains the run: our child was refused, and said so.

    Where our child was killed, its processes have a moment to follow it.
    """
    end = time.monotonic() + FOLLOW_S
    while code < 0 and lock.owner(folder) is not None and time.monotonic() < end:
        time.sleep(LOOK_S)
    return lock.owner(folder) is not None


def say_last_words(folder: Path, info: dict[str, Any], code: int) -> None:
    """Show the end of the log where training died without a word, e.g. by a segmentation fault."""
    is_asked = code >= 0 or -code in (*ASKING, signal.SIGKILL)
    if is_asked:
        return
    echo(f'tagrun: {run_json.name(info)} died of {signal.Signals(-code).name}; its log ends:')
    for line in run_log.last_lines(folder):
        echo(f'  {line}')


def failed_by_itself(code: int) -> bool:
    """Return whether it failed: it did not finish, and nobody stopped or killed it."""
    if code < 0:
        return signal.Signals(-code).name in CRASHES
    return code not in (0, RESUMABLE, CTRL_C)


def code_of_signal(number: int, asked: Sequence[int]) -> int:
    """Return the exit code where a signal ended training: as asked, or as a shell has it.

    asked: the signals by which we were asked to stop. One that came before training listened ends
    it, too, or prevents it. 128 + 9 is a kill -9, often for lack of memory.
    """
    if signal.SIGINT in (number, *asked):
        return CTRL_C
    if asked or number in ASKING:
        return RESUMABLE
    return KILLED + number


def _content(folder: Path, info: dict[str, Any]) -> dict[str, Any]:
    """Return the content of statistic.json, or what it has at least."""
    return summary.read_statistic(folder) or {
        'run': str(run_json.ref(info)),
        'seed': info['seed'],
        'commit': info['commit'],
        'status': statistic.RUNNING,
    }


def _write_signal(folder: Path, info: dict[str, Any], code: int) -> int:
    """Write that training was stopped as asked, before it could write that itself."""
    content = _content(folder, info)
    if code in (RESUMABLE, CTRL_C) and content['status'] == statistic.RUNNING:
        message = 'stopped before it could save; what was saved before counts'
        with contextlib.suppress(OSError):
            ending = {'status': statistic.INTERRUPTED, 'message': message}
            statistic.write(folder, {**content, **ending})
    return code


def write_ending(
    folder: Path,
    info: dict[str, Any],
    code: int,
    before: dict[str, Any] | None = None,
    asked: Sequence[int] = (),
) -> int:
    """Write how it ended to statistic.json where training could not; return the exit code.

    before: the content of statistic.json when it started. Its metrics stay. asked: as in
    `code_of_signal`.
    """
    wrote_nothing = statistic.read_or_none(folder) == before
    # Python itself was starting, and takes Ctrl-C for an error
    if asked and wrote_nothing and failed_by_itself(code):
        code = -asked[0]
    if code < 0:
        return _write_signal(folder, info, code_of_signal(-code, asked))
    content = _content(folder, info)
    state = statistic.state(folder, content)
    is_of_before = wrote_nothing and state != statistic.FINISHED and failed_by_itself(code)
    if code and (state == statistic.KILLED or is_of_before):
        message = f'ended with exit code {code}; the reason was printed'
        # no room for that either: it reads as killed
        with contextlib.suppress(OSError):
            ending = {'status': statistic.FAILED, 'message': message}
            statistic.write(folder, {**content, **ending})
    return code
