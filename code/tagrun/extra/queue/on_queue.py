"""The queue of this machine as an engine: `run t1 -q` queues a run for `tagrun queue start`.

    run t1 -q; run t2 -q --priority -1; sweep t3 lr=0.1,0.01 -q; tagrun queue start -j 2

The files are in entries.py, the command in queue.py. The code is what it was when the run was
queued. It waits for nothing.
"""

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import echo, plural
from tagrun.core.git.repository import Repository
from tagrun.core.launch import engines, jobs
from tagrun.core.launch.engines import LaunchOptions
from tagrun.extra.queue import entries, worker
from tagrun.store import evaluations

ENGINE = 'queue'


class QueueOptions(NamedTuple):
    """The queue's own options."""

    priority: int = 0  # lower first


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add -q, which chooses the engine, and --priority."""
    group = parser.add_argument_group('queue')
    group.add_argument(
        '-q',
        '--queue',
        dest='on',
        action='store_const',
        const=ENGINE,
        help='queue it, for `tagrun queue start`',
    )
    group.add_argument(
        '--priority',
        metavar='N',
        type=int,
        default=0,
        help='its place in the queue: lower first (0)',
    )


def read_options(args: argparse.Namespace) -> QueueOptions:
    """Return the values of what `add_options` added."""
    return QueueOptions(args.priority)


def check(repository: Repository, options: LaunchOptions) -> None:
    """Do nothing: the queue needs nothing."""


def submit(repository: Repository, folders: list[Path], options: LaunchOptions) -> int:
    """Queue the prepared runs; return 0 as soon as that is done."""
    jobs.refuse_second(repository.root, folders)
    runs = [evaluations.of_folder(folder) for folder in folders]
    priority = options.engine_options.priority
    for run, folder in zip(runs, folders, strict=True):
        jobs.write(folder, ENGINE, entries.add(repository.root, run, priority))
    ahead = [
        entry
        for entry in entries.waiting(repository.root)
        if entry.run not in runs and entry.priority <= priority
    ]
    comma = ',' if len(runs) > 1 else ''
    what = f'{engines.describe(folders)}{comma}'
    echo(f'{what} queued' + (f', behind {plural(len(ahead), "other")}' if ahead else ''))
    _tell_next(len(worker.alive(repository.root)))
    return 0


def states(root: Path, ids: Collection[str]) -> dict[str, str]:
    """Return {id: QUEUED or RUNNING} of those that are in the queue."""
    waiting = {entry.id for entry in entries.waiting(root)}
    queued = [
        entry.id
        for entry in entries.entries(root)
        if entry.id in ids and entry.state != entries.FAILED
    ]
    return {number: jobs.QUEUED if number in waiting else jobs.RUNNING for number in queued}


def cancel(root: Path, ids: Collection[str]) -> None:
    """Remove them from the queue. Training is asked to save and end, and can be continued."""
    for entry in entries.entries(root):
        if entry.id in ids:
            entries.remove(root, entry, stop=True)


def _tell_next(worker_count: int) -> None:
    if worker_count:
        echo(f'  {plural(worker_count, "worker")} at work:  tagrun queue')
    else:
        why = 'trains them in the background, one after the other'
        echo(f'  next     {"tagrun queue start":<30} {why}')
