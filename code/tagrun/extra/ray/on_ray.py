"""Ray as an engine: `run t1 --on ray` trains on a Ray cluster, or on one that is started here.

    run five --seeds 5 --on ray -d                    all CPUs and GPUs of this machine
    run t1 --ray address=10.0.0.5:6379 --ray gpus=2   a cluster's
    git config tagrun.ray.address 10.0.0.5:6379       for good

Each run is a task of Ray's. A run whose worker or machine is lost goes on elsewhere, up to
`retries` times, exactly. The project's folder must be the same on all machines. `expls` shows what
waits and what trains, `tagrun stop` cancels it; both through small files in __result__/.ray,
without Ray. This process stays until all runs have ended (-d: in the background). When it gets
Ctrl-C or is killed, the runs save and stop, and `continue` goes on with them. Ray asks for a token
(RAY_AUTH_MODE), and there is no dashboard of a cluster started here.
"""

import argparse
import contextlib
import importlib.util
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.git.repository import Repository
from tagrun.core.launch import detach, engines, jobs, launch
from tagrun.core.launch.engines import LaunchOptions
from tagrun.store import atomic, evaluations, layout, lock, safe_read, statistic

ENGINE = 'ray'
COUNT = '[1-9][0-9]{0,3}'
KNOWN = {  # setting: (pattern, example)
    'address': (r'(ray://)?[A-Za-z0-9][A-Za-z0-9.-]{0,250}:[0-9]{1,5}', '10.0.0.5:6379'),
    'cpus': (COUNT, '4 (for each run)'),
    'gpus': (r'[0-9]{1,3}|0\.[0-9]{1,3}', '1 or 0.5 (for each run)'),
    'retries': ('[0-9]{1,4}', '3'),
}
RETRIES, CONNECT_S, LOOK_S = '3', 5, 1
QUEUED, RUNNING, ENDED, CANCEL = jobs.QUEUED, jobs.RUNNING, 'ended', 'cancel'
FOLDER = '.ray'  # below __result__: a folder for each submission
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
VARIABLES = {  # read when ray is imported
    'RAY_AUTH_MODE': 'token',
    'RAY_USAGE_STATS_ENABLED': '0',
    'RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO': '0',
}


class RayOptions(NamedTuple):
    """Ray's own options."""

    words: tuple[str, ...] = ()  # of --ray, e.g. ('gpus=2',)


class Submission(NamedTuple):
    """Runs that are given to Ray together."""

    root: Path
    notes: Path  # the folder with a small file for each run: its state
    folders: list[Path]  # of the runs
    values: dict[str, str]  # {setting: value}

    def note(self, index: int) -> Path:
        """Return the file with the state of a run."""
        return self.notes / str(index)

    def is_cancelled(self, index: int) -> bool:
        """Return whether `tagrun stop` was asked to cancel the run."""
        return _cancel_file(self.note(index)).exists()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --ray, which chooses the engine, too."""
    parser.add_argument_group('Ray').add_argument(
        '--ray',
        metavar='KEY=VALUE',
        action=jobs.Option,
        help=f'on Ray, with a setting, as often as you like: {", ".join(KNOWN)}',
    )


def read_options(args: argparse.Namespace) -> RayOptions:
    """Return the values of what `add_options` added."""
    return RayOptions(tuple(args.ray or ()))


def check(repository: Repository, options: LaunchOptions) -> None:
    """Check that Ray can work; of a cluster only that it answers. Raises UserError."""
    if not importlib.util.find_spec('ray'):
        requirements = repository.root / 'code' / 'requirements-ray.txt'
        raise UserError(
            f'--on ray needs the package ray: {quote(sys.executable)} -m pip install -r '
            f'{quote(requirements)}'
        )
    values, cores = settings(repository, options), os.cpu_count() or 1
    if 'address' in values:
        _check_answers(values['address'])
    elif int(values.get('cpus', 1)) > cores:
        raise UserError(f'--ray cpus={values["cpus"]}: this machine has {cores}')


def submit(repository: Repository, folders: list[Path], options: LaunchOptions) -> int:
    """Train the prepared runs on Ray to their end; return the first exit code that is not 0.

    With -d that is in the background, and 0 is returned at once.
    """
    jobs.refuse_second(repository.root, folders)
    values = settings(repository, options)
    where = values.get('address', 'started here for it')
    echo(f'{engines.describe(folders)}: on Ray, {where};  {engines.words_to_show(folders[0])}')
    if options.detach and not detach.in_background():
        return 0
    number, notes = layout.claim(repository.root, FOLDER)
    owned = lock.Lock(notes)  # says that this process lives
    submission = Submission(repository.root, notes, folders, values)
    for index, folder in enumerate(folders):
        atomic.write(submission.note(index), QUEUED)
        jobs.write(folder, ENGINE, f'{number}.{index}')
    with connected(values) as ray:
        code = _train(ray, submission)
    owned.release()
    return code


def states(root: Path, ids: Collection[str]) -> dict[str, str]:
    """Return {id: QUEUED or RUNNING} of those whose submitting process is alive."""
    known = {}
    for job in filter(_is_id, ids):
        note = note_file(root, job)
        with contextlib.suppress(OSError, ValueError):
            state = safe_read.read_bytes(note).decode()
            if state in (QUEUED, RUNNING) and lock.owner(note.parent) is not None:
                known[job] = state
    return known


def cancel(root: Path, ids: Collection[str]) -> None:
    """Ask the submitting process. Training saves and ends, and can be continued."""
    for job in filter(_is_id, ids):
        atomic.write(_cancel_file(note_file(root, job)), '')


def settings(repository: Repository, options: LaunchOptions) -> dict[str, str]:
    """Return {setting: value} of git config and --ray, validated. Raises UserError."""
    return jobs.settings(repository, ENGINE, options.engine_options.words, KNOWN)


def note_file(root: Path, job: str) -> Path:
    """Return the file with the state of a job, whose id is '<submission>.<index>'."""
    submission, _, index = job.partition('.')
    return layout.result(root) / FOLDER / submission / index


def _is_id(job: str) -> bool:
    return re.fullmatch(r'[0-9]{1,9}\.[0-9]{1,9}', job) is not None


def _cancel_file(note: Path) -> Path:
    return note.with_name(f'{note.name}.{CANCEL}')


def _check_answers(address: str) -> None:
    host, _, port = address.removeprefix('ray://').rpartition(':')
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f'no Ray answers at {address} ({error}): run `ray status` on its head'
        ) from None


# --- with Ray ----------------------------------------------------------------------------------


@contextlib.contextmanager
def connected(values: dict[str, str]) -> Iterator[Any]:
    """Yield the module ray, connected. A cluster that was started here ends with it."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    import ray

    options: dict[str, Any] = {'log_to_driver': False, 'logging_level': logging.ERROR}
    if 'address' not in values:
        options['include_dashboard'] = False
    try:
        ray.init(values.get('address', 'local'), **options)
    except Exception as error:  # it raises of all kinds
        text = str(error).strip().partition('\n')[0]
        raise UserError(f'Ray: {type(error).__name__}: {text}') from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _train(ray: Any, submission: Submission) -> int:
    """Wait for all runs; return the first exit code that is not 0."""
    tasks = _begin(ray, submission)
    signals: list[int] = []
    for number in STOPPING:
        signal.signal(number, lambda number, _: signals.append(number))
    codes, cancelled = [0] * len(tasks), set()
    while tasks:
        done, _ = ray.wait(list(tasks), timeout=LOOK_S)
        for task in done:
            index = tasks.pop(task)
            codes[index] = _exit_code(ray, task)
            atomic.write(submission.note(index), ENDED)
            _report(submission.folders[index], codes[index])
        for task, index in tasks.items():
            if task not in cancelled and (signals or submission.is_cancelled(index)):
                ray.cancel(task)
                cancelled.add(task)
    if signal.SIGINT in signals:
        return launch.CTRL_C
    return next((code for code in codes if code), 0)


def _begin(ray: Any, submission: Submission) -> dict[Any, int]:
    """Return {task: index of its run}."""
    from tagrun.extra.ray import task

    # Python on the workers does not find our modules
    ray.cloudpickle.register_pickle_by_value(task)
    values, root = submission.values, str(submission.root)
    nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
    cpus, gpus = resources(nodes, values)
    remote = ray.remote(
        num_cpus=cpus,
        num_gpus=gpus,
        max_retries=int(values.get('retries', RETRIES)),
        retry_exceptions=[ChildProcessError],
    )(task.train)
    words = [sys.executable, str(submission.root / 'code' / 'tagrun')]
    guard, threads = str(Path(__file__).with_name('guard.py')), os.environ.get(task.THREADS)
    tasks = {}
    for index, folder in enumerate(submission.folders):
        command, note = [*words, *engines.command(folder)], str(submission.note(index))
        tasks[remote.remote(guard, command, root, str(folder), note, threads)] = index
    return tasks


def resources(nodes: list[dict[str, float]], values: dict[str, str]) -> tuple[int, float]:
    """Return (CPUs, GPUs) for each run, given what each of Ray's machines has.

    Raises UserError where this machine does not have so many. Of a cluster Ray waits for a machine
    that has.
    """
    default_gpus = 1 if any(node.get('GPU') for node in nodes) else 0
    cpus, gpus = int(values.get('cpus', 1)), float(values.get('gpus', default_gpus))
    if any(node.get('CPU', 0) >= cpus and node.get('GPU', 0) >= gpus for node in nodes):
        return cpus, gpus
    what = f"no machine of Ray's has {plural(cpus, 'CPU')} and {gpus:g} GPUs"
    if 'address' not in values:
        raise UserError(
            f'{what}: --ray cpus=… and gpus=… set what a run needs; `continue --on '
            'ray` then goes on with the recorded runs'
        )
    echo(f'tagrun: {what}: the runs wait until there is one')
    return cpus, gpus


def _exit_code(ray: Any, task: Any) -> int:
    """Return the exit code of a task that has ended; 75 if it was cancelled, or lost too often."""
    try:
        return int(ray.get(task))
    except ray.exceptions.RayError:
        return launch.RESUMABLE


def _report(folder: Path, code: int) -> None:
    name, state = evaluations.of_folder(folder), statistic.CREATED
    with contextlib.suppress(OSError, ValueError):
        state = statistic.state(folder)
    next_step = f':  {" ".join(engines.command(folder))}' if code == launch.RESUMABLE else ''
    echo(f'{name} {state}{next_step}')
