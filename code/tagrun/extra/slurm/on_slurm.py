"""Slurm as an engine: `run t1 --on slurm` queues the run, and it trains on a node of the cluster.

    git config tagrun.slurm.partition gpu               for good: any setting of `--slurm`
    run t1 --slurm gpus=1 --slurm time=12:00:00         for this one

submitit (`pip install -r code/requirements-slurm.txt`) writes the batch script and submits it.
Several runs are one array. The project's folder must be the same on the nodes. A run that is
preempted, or whose time is up, is warned, saves, is requeued and goes on, exactly. With nodes=2
--nproc 4 eight processes train a run together. Slurm's commands get words and numbers of known
shape only. This process does not wait for the runs: `expls` shows them, `tagrun stop` cancels
them.
"""

import argparse
import functools
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.git.repository import Repository
from tagrun.core.launch import engines, jobs, training_environment
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.record import contract
from tagrun.extra.slurm import job
from tagrun.store import evaluations, layout, run_json

ENGINE = 'slurm'
COMMANDS = ('sbatch', 'squeue', 'scancel', 'scontrol')
NAMES = '[A-Za-z0-9_][A-Za-z0-9_.,+-]{0,199}'
NODES = r'[A-Za-z0-9_][A-Za-z0-9_.,\[\]-]{0,999}'
COUNT = '[1-9][0-9]{0,5}'
KNOWN = {  # setting: (pattern, example), and below the option of sbatch
    'partition': (NAMES, 'gpu'),
    'account': (NAMES, 'lab7'),
    'qos': (NAMES, 'normal'),
    'reservation': (NAMES, 'course'),
    'constraint': (r'[A-Za-z0-9_(\[][A-Za-z0-9_.,&|*()\[\]-]{0,199}', 'a100'),
    'nodelist': (NODES, 'node[3-5]'),
    'exclude': (NODES, 'node7'),
    'time': (r'([0-9]{1,4}-)?[0-9]{1,6}(:[0-9]{1,2}){0,2}', '90 (minutes), 12:00:00 or 2-00:00:00'),
    'nodes': ('[1-9][0-9]{0,3}', '2 (that train one run together)'),
    'gpus': (r'([A-Za-z0-9_.-]{1,50}:)?[0-9]{1,3}', '1 or a100:2 (on each node)'),
    'cpus': (COUNT, '8'),
    'mem': ('[1-9][0-9]{0,8}[KMGT]?', '32G'),
    'parallel': (COUNT, '10 (runs of an array at once)'),
    'warn': (COUNT, '120 (seconds before the end)'),
}
# where the option is not called as the setting
SBATCH = {'gpus': 'gpus-per-node', 'cpus': 'cpus-per-task'}
OURS = ('parallel', 'warn')
WARN_S = '120'
STATES = {
    'PENDING': jobs.QUEUED,
    'REQUEUED': jobs.QUEUED,
    'SUSPENDED': jobs.QUEUED,
    'CONFIGURING': jobs.RUNNING,
    'RUNNING': jobs.RUNNING,
}
PATIENCE_S = 60


class SlurmOptions(NamedTuple):
    """Slurm's own options."""

    words: tuple[str, ...] = ()  # of --slurm, e.g. ('gpus=1', 'time=12:00:00')


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --slurm, which chooses the engine, too."""
    parser.add_argument_group('Slurm').add_argument(
        '--slurm',
        metavar='KEY=VALUE',
        action=jobs.Option,
        help=f'on Slurm, with a setting, as often as you like: {", ".join(KNOWN)}',
    )


def read_options(args: argparse.Namespace) -> SlurmOptions:
    """Return the values of what `add_options` added."""
    return SlurmOptions(tuple(args.slurm or ()))


def check(repository: Repository, options: LaunchOptions) -> None:
    """Check that Slurm would take the job: sbatch is called with the very options, as a test."""
    absent = [name for name in COMMANDS if not shutil.which(name)]
    if absent:
        raise UserError(
            f'--on slurm: there is no {absent[0]} on this machine: submit from a node of '
            "the cluster that has Slurm's commands"
        )
    if not importlib.util.find_spec('submitit'):
        requirements = repository.root / 'code' / 'requirements-slurm.txt'
        raise UserError(
            f'--on slurm needs the package submitit: {quote(sys.executable)} -m pip '
            f'install -r {quote(requirements)}'
        )
    flags = sbatch_flags(repository.root, settings(repository, options))
    words = [f'--{name}' if value is True else f'--{name}={value}' for name, value in flags.items()]
    _ask('sbatch', '--test-only', *words, '--wrap=true')


def submit(repository: Repository, folders: list[Path], options: LaunchOptions) -> int:
    """Queue the prepared runs; return 0 as soon as that is done."""
    jobs.refuse_second(repository.root, folders)
    values = settings(repository, options)
    if int(values.get('nodes', 1)) > 1:
        check_nodes(folders[0])
    numbers = _submitted(repository, folders, values)
    for folder, number in zip(folders, numbers, strict=True):
        jobs.write(folder, ENGINE, number)
    echo(f'{engines.describe(folders)}: Slurm job {numbers[0].partition("_")[0]}')
    echo(f'  next     {engines.words_to_show(folders[0]):<30} how it goes')
    echo(f'           {engines.words_to_cancel(folders):<30} cancels it')
    return 0


def states(root: Path, ids: Collection[str]) -> dict[str, str]:
    """Return {id: QUEUED or RUNNING} of those of our jobs that Slurm has."""
    listing = _ask('squeue', '--me', '--noheader', '--array', '--format=%i %T')
    rows = [row.split() for row in listing.splitlines()]
    pairs = [(row[0], row[1]) for row in rows if len(row) == 2]
    return {job: STATES[state] for job, state in pairs if job in ids and state in STATES}


def cancel(root: Path, ids: Collection[str]) -> None:
    """Cancel these jobs. Their training saves and ends, and can be continued."""
    _ask('scancel', *sorted(ids))


def check_nodes(folder: Path) -> None:
    """Check that the code of a run can train on several nodes. Raises UserError."""
    if contract.NODES not in contract.frozen_features(folder):
        name = evaluations.of_folder(folder)
        raise UserError(f'{name}: its code trains on one node only: leave out nodes')


def settings(repository: Repository, options: LaunchOptions) -> dict[str, str]:
    """Return {setting: value} of git config and --slurm, validated. Raises UserError."""
    return jobs.settings(repository, ENGINE, options.engine_options.words, KNOWN)


def sbatch_flags(root: Path, values: dict[str, str]) -> dict[str, str | bool]:
    """Return {option of sbatch: value; True for one that takes none}."""
    flags: dict[str, str | bool] = {
        SBATCH.get(key, key): value for key, value in values.items() if key not in OURS
    }
    warning = f'USR1@{values.get("warn", WARN_S)}'
    return {**flags, 'chdir': str(root), 'requeue': True, 'signal': warning}


def _submitted(repository: Repository, folders: list[Path], values: dict[str, str]) -> list[str]:
    """Return the jobs' numbers: ['17'], or of an array ['17_0', '17_1', …]."""
    import cloudpickle
    import submitit

    # Python on the node does not find our modules
    for module in (job, training_environment):
        cloudpickle.register_pickle_by_value(module)
    root = repository.root
    todo = [_job(root, folder) for folder in folders]
    executor = submitit.SlurmExecutor(layout.result(root) / '.slurm')
    executor.update_parameters(**_parameters(root, folders, values))
    try:
        return [submitted.job_id for submitted in executor.submit_array(todo)]
    except submitit.core.utils.FailedSubmissionError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(
            f'Slurm did not take it: {reason}; it is recorded, and '
            f'`{" ".join(engines.command(folders[0]))} --on slurm` tries again'
        ) from None


def _job(root: Path, folder: Path) -> job.Job:
    """Return what Slurm runs for a run, or for an evaluation."""
    words = [sys.executable, str(root / 'code' / 'tagrun'), *engines.command(folder)]
    seed = run_json.read(folder)['seed']
    clean = functools.partial(training_environment.build, seed=seed)
    return job.Job(words, str(root), str(folder), clean)


def _parameters(root: Path, folders: list[Path], values: dict[str, str]) -> dict[str, Any]:
    """Return submitit's parameters of an array of runs."""
    return {
        'job_name': job_name(evaluations.of_folder(folders[0]).tag),
        'time': None,
        'wckey': None,
        'stderr_to_stdout': True,
        'array_parallelism': int(values.get('parallel', len(folders))),
        'additional_parameters': sbatch_flags(root, values),
    }


def job_name(tag: str) -> str:
    """Return what Slurm calls a job: the tag, where it is a word that Slurm takes."""
    return tag if re.fullmatch(NAMES, tag, re.ASCII) else 'tagrun'


def _ask(*words: str) -> str:
    """Return what a command of Slurm's prints. Raises UserError with its last line."""
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors='replace',
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f'{words[0]}: {error}') from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ['it failed without a message']
        raise UserError(re.sub('^(sbatch: )?(error: )?', f'{words[0]}: ', lines[-1]))
    return done.stdout
