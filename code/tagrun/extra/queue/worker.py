"""The queue's workers: processes that train queued runs one after another.

    if detach.in_background(): return work(repository, slot=0, devices=[])
    alive(root)                           # {0: {'pid': 4711, 'host': 'node1', 'since': …}}

A worker's folder is __result__/.queue/worker-<slot>: its lock lies there, and its log. It ends when
the queue is empty, or when it is asked to stop.
"""

import os
import time
import traceback
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError
from tagrun.core.compare import run_status
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch, training_process, unfinished
from tagrun.core.launch.local_pool import VISIBLE, device_slice, train
from tagrun.extra.queue import entries
from tagrun.extra.queue.entries import Taken
from tagrun.store import atomic, beneath, lock, statistic
from tagrun.store.evaluations import EvaluationRef, Ref

PREFIX = 'worker-'  # how the folder of a worker begins
KILLED = 'often for lack of memory; `continue <run> -q` queues it again'
LOOK_S = 1.0  # between two looks at a training that is somebody else's


def folder(root: Path, slot: int) -> Path:
    """Return the folder of a worker."""
    return entries.folder(root) / f'{PREFIX}{slot}'


def alive(root: Path) -> dict[int, dict[str, Any]]:
    """Return {slot: {'pid', 'host', 'since'}} of the workers that are alive."""
    texts = [path.name.removeprefix(PREFIX) for path in entries.folder(root).glob(f'{PREFIX}*')]
    slots = sorted(int(text) for text in texts if text.isdecimal())
    owners = {slot: lock.owner(folder(root, slot)) for slot in slots}
    return {slot: owner for slot, owner in owners.items() if owner is not None}


def work(repository: Repository, slot: int, devices: list[str]) -> int:
    """Train queued runs until there are none; return the exit code.

    An exception that ends the worker is written to its log.
    """
    own_folder = folder(repository.root, slot)
    beneath.make_folder(own_folder)
    try:
        owned = lock.Lock(own_folder)
    except lock.Held:  # started twice at the same moment
        return 0
    try:
        return _work_off(repository, slot, devices)
    except BaseException:
        _append(own_folder / 'log', traceback.format_exc())
        raise
    finally:
        owned.release()


def _append(path: Path, text: str) -> None:
    with open(atomic.open_to_append(path), 'a', encoding='utf-8') as log:
        log.write(text)


def _work_off(repository: Repository, slot: int, devices: list[str]) -> int:
    """Train what is queued. Runs that somebody else trains are waited for."""
    root, has_looked_twice = repository.root, False
    while True:
        elsewhere = _trained_elsewhere(root)
        taken = entries.take(root, skip=elsewhere)
        if taken:
            has_looked_twice = False
            _choose_devices(taken.entry.folder(root), slot, devices)
            code = _train(repository, taken)
            # it was asked to stop
            was_stopped = code in (launch.RESUMABLE, launch.CTRL_C)
            if was_stopped and entries.is_queued(root, taken.entry.run):
                return code
        elif any(_has_no_worker(root, run) for run in elsewhere):
            time.sleep(LOOK_S)
        elif has_looked_twice or not entries.waiting(root):
            return 0
        else:
            # `queue priority` holds an entry for an instant
            has_looked_twice = True
            time.sleep(LOOK_S)


def _trained_elsewhere(root: Path) -> list[Ref]:
    queued = [entry.run for entry in entries.entries(root) if entry.state == entries.WAITING]
    return [run for run in queued if entries.is_trained(root, run)]


def _choose_devices(run_folder: Path, slot: int, devices: list[str]) -> None:
    """Give the run the GPUs of this worker's slot, where there are GPUs."""
    if devices:
        processes = launch.process_count(run_folder) or 1
        os.environ[VISIBLE] = device_slice(devices, slot, processes)


def _has_no_worker(root: Path, run: Ref) -> bool:
    """Return whether a trained run has lost its worker: nobody holds its entry."""
    others = [entry.run for entry in entries.entries(root) if entry.run != run]
    taken = entries.take(root, skip=others)
    if taken is None:
        return False
    entries.put_back(taken)
    return True


def _train(repository: Repository, taken: Taken) -> int:
    """Train a run that was taken, and remove it from the queue if it has ended."""
    run_folder, code, reason = taken.entry.folder(repository.root), 0, ''
    try:
        code = _train_unless_done(repository, taken.entry.run)
    except UserError as error:
        code, reason = 1, str(error)
    _settle(repository.root, taken, code, reason, unfinished.state(run_folder))
    return code


def _train_unless_done(repository: Repository, run: Ref) -> int:
    run_folder = run.folder(repository.root)
    if isinstance(run, EvaluationRef):
        return train(repository, run_folder)
    if unfinished.state(run_folder) in unfinished.DONE:
        unfinished.record_results(repository, [run_folder])
        return 0
    unfinished.complete(repository, run)
    return train(repository, run_folder)


def _settle(root: Path, taken: Taken, code: int, reason: str, state: str) -> None:
    """Remove the entry, mark it as failed, or leave it for the next worker."""
    run = taken.entry.run
    if state in unfinished.DONE:
        entries.finish(root, taken)
    elif code > training_process.KILLED and not entries.is_trained(root, run):
        entries.fail(root, taken, f'killed by signal {code - training_process.KILLED}: {KILLED}')
    elif state == statistic.FAILED or (code == 1 and not entries.is_trained(root, run)):
        content = run_status.read_status(root, run).content
        reason = reason or str(content.get('message') or 'it failed; the reason is in its log')
        entries.fail(root, taken, reason)
    else:
        entries.put_back(taken)
