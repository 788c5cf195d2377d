"""statistic.json: what came out of a run.

Training writes it at its start, at each epoch's end and at the end.

    {"run": "t1/0", "status": "finished", "seed": 4242, "commit": "25d2582…",
     "epoch": 40, "epochs": 40,
     "monitor": "val/acc", "monitor_mode": "max", "best_epoch": 31,
     "metric": {"train/loss": 0.0312, …, "val/acc": 0.935},   at the best epoch
     "last": {"train/loss": 0.0287, …, "val/acc": 0.93},      at the last
     "hparam": {"model": "cnn", "lr": 0.01, …},               every argument, as trained
     "hparam_before": {"lr": 0.1},                            where it differed before a `continue`
     "digest": {"weights": "sha256 of the last epoch's weights"},
     "parameters": {"model": {"all": 7210, "trainable": 7210}},
     "samples": {"train": 3600, "val": 400},                  of each phase's data set
     "batch": {"train": {"0": "(100, 40) float32", "1": "(100,) int64"}},
     "time": {"started": "2026-11-21T09:00:00Z", "updated": "…",
              "seconds": 31.4}}                               of training, pauses left out

`status` is running, finished, failed, interrupted or pruned; `message` says why it failed or who
stopped it, or that the researcher's finish(run, state) failed after it was trained. A run that says
running while nobody holds its lock was killed: `state` says that. One with `fetched_from` (a
remote's name) ran elsewhere; its status is the last that was shared.

That of an evaluation (evaluations.py) has besides

    "evaluation": 2, "checkpoint": "epoch_3.pth", "phases": ["test"], "set": {"val_fraction": 0.5}

`metric` is what it measured, `digest` has `checkpoint` and `weights`, `epoch` those that the
checkpoint had finished; it has neither `epochs` nor `last`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagrun.store import jsonfile, lock
from tagrun.store.limits import Budget

NAME = 'statistic.json'
RUNNING = 'running'
FINISHED = 'finished'
FAILED = 'failed'
INTERRUPTED = 'interrupted'
KILLED = 'killed'
PRUNED = 'pruned'  # stopped at an epoch's end by its sweep, as not worth more
CREATED = 'created'  # recorded, and its training has written nothing yet
HOOK_FAILED = 'finish(run, state) failed'  # how the message of such a finished run begins
OBJECTS = ('metric', 'last', 'hparam', 'digest', 'time')
# what older runs call a key
FORMER = {'monitor': 'watch', 'monitor_mode': 'mode'}


def write(folder: str | Path, content: Mapping[str, Any]) -> None:
    """Replace the run's statistic.json."""
    jsonfile.write(Path(folder) / NAME, content)


def read(folder: str | Path, budget: Budget | None = None) -> dict[str, Any]:
    """Return the content, its keys named as today's. Raises OSError, or ValueError with the reason.

    metric, last, hparam, digest and time are there and are dicts, status is there; every other
    value is as somebody wrote it. budget: of an operation that reads many (limits.of_reading).
    """
    # not pathlib, which takes long for 10,000 runs
    content = jsonfile.read(os.path.join(folder, NAME), budget)
    for key in OBJECTS:
        if not isinstance(content.setdefault(key, {}), dict):
            raise ValueError(f'{key!r} is not an object')
    for key, former in FORMER.items():
        if former in content:
            content.setdefault(key, content.pop(former))
    content.setdefault('status', KILLED)
    return content


def read_or_none(folder: str | Path) -> dict[str, Any] | None:
    """Return the content; None where it cannot be read."""
    try:
        return read(folder)
    except (OSError, ValueError):
        return None


def hook_failed(content: Mapping[str, Any]) -> bool:
    """Return whether the run is finished, and the hook at its end failed."""
    message = content.get('message')
    is_ours = isinstance(message, str) and message.startswith(HOOK_FAILED)
    return content['status'] == FINISHED and is_ours


def progress(content: Mapping[str, Any], between: str = '/') -> str:
    """Return '3/60'; '3' of a run that goes on until it is stopped; '' where it has no epoch.

    An evaluation has none of its own.
    """
    if 'epoch' not in content or 'evaluation' in content:
        return ''
    total = content.get('epochs', '?')
    return str(content['epoch']) if total is None else f'{content["epoch"]}{between}{total}'


def state(folder: str | Path, content: Mapping[str, Any] | None = None) -> Any:
    """Return what the run is doing: its status, killed or created.

    Running: a process owns it, whatever an earlier start wrote. Killed: it says running and is
    dead. Created: its training wrote nothing yet. Raises as `read` where content is None. A str,
    unless somebody wrote another status by hand.
    """
    if content is None:
        try:
            content = read(folder)
        except FileNotFoundError:
            return RUNNING if lock.owner(folder) is not None else CREATED
    status = content['status']
    # most are finished: no look at their lock
    if status == FINISHED or 'fetched_from' in content:
        return status
    if lock.owner(folder) is not None:
        return RUNNING
    return KILLED if status == RUNNING else status
