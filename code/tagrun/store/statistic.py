"""statistic.json: what came out of a run. Written by training at its start, at each epoch's end and at the end.

    {"run": "t1/0", "status": "finished", "seed": 4242, "commit": "25d2582…", "epoch": 40, "epochs": 40,
     "watch": "val/acc", "mode": "max", "best_epoch": 31,
     "metric": {"train/loss": 0.0312, …, "val/acc": 0.935},          at the best epoch
     "last": {"train/loss": 0.0287, …, "val/acc": 0.93},             at the last
     "hparam": {"model": "cnn", "lr": 0.01, …},                      every argument of config.py
     "digest": {"weights": "sha256 of the last epoch's weights"},
     "time": {"started": "2026-11-21T09:00:00Z", "updated": "…", "seconds": 31.4}}    seconds of training, pauses left out

`status` is running, finished, failed, interrupted or pruned; `message` says why it failed or who stopped it. A run that says
running while nobody holds its lock was killed: `state` says that. One with `fetched_from` (a remote's name) ran elsewhere, and says
what that told last.
"""
import os
from pathlib import Path

from tagrun.store import jsonfile, lock

NAME = 'statistic.json'
RUNNING, FINISHED, FAILED, INTERRUPTED, KILLED = 'running', 'finished', 'failed', 'interrupted', 'killed'
PRUNED = 'pruned'    # stopped at an epoch's end by its sweep, as not worth more
CREATED = 'created'  # recorded, and its training has written nothing yet


def write(folder, content):
    jsonfile.write(Path(folder) / NAME, content)


def read(folder):
    """The content, with every key of the newest version there. Raises OSError, or ValueError with the reason."""
    content = jsonfile.read(os.path.join(folder, NAME))     # not pathlib, which 10,000 runs would feel
    for key in ('metric', 'last', 'hparam', 'digest', 'time'):
        if not isinstance(content.setdefault(key, {}), dict):
            raise ValueError(f'{key!r} is not an object')
    content.setdefault('status', KILLED)
    return content


def state(folder, content=None):
    """What the run is doing: its status, but killed where it says running and is dead, created where it never spoke."""
    if content is None:
        try:
            content = read(folder)
        except FileNotFoundError:
            return RUNNING if lock.owner(folder) is not None else CREATED
    if content['status'] == RUNNING and 'fetched_from' not in content and lock.owner(folder) is None:
        return KILLED
    return content['status']
