"""run.json: what the command side tells the training side, and what either may know of a run.

    {"contract": 1, "root": "/home/me/proj", "tag": "t1", "id": 0, "commit": "25d2582…", "seed": 4242,
     "resume": null, "inputs": {}}

Further keys, each only where it applies: "rerun_of": "t1/0" and "exact": true for a rerun with the recorded seed, "verdict" when
that one has ended, "fetched_from": "origin" for a run that came through git and has neither code/ nor checkpoints here, "fast": 3 for a
trial of three batches a phase, "continued_from": "t1/0" for a run that began with another's checkpoint, "imported": {"kind": "MLflow",
"id": "83e0…", "name": "lr 0.1", "x": "step"} for a run of another tool, which has no commit and no seed, "selftest": {"args":
{"epochs": 6, "workers": 2}, "batches": 40, "save": 6, "kill": [1, 57]} for a training of `selftest`: values that stand in for config.py's,
so many batches of each phase, a save after each sixth, a kill after one epoch and 57 steps in all (training/trial.py), "nproc": 2 for
a run that was asked to train in two processes, "variant": "fast.patch" for a trial of `sweep --vary`.
"""
import re
from pathlib import Path

from tagrun.store import jsonfile, names

NAME = 'run.json'
CONTRACT = 1
MOST = 1024             # processes of one training
LONGEST = 80            # letters of a wrong value that are shown
ENVIRONMENT = 'TAGRUN_RUN'  # the one variable that goes into training: the run's folder


def build(root, tag, number, commit, seed, **more):
    """The content of a new run.json; `commit` is None for a run by hand."""
    return {'contract': CONTRACT, 'root': str(root), 'tag': tag, 'id': number, 'commit': commit, 'seed': seed,
            'resume': None, 'inputs': {}, **more}


def write(folder, content):
    jsonfile.write(Path(folder) / NAME, content)


def read(folder):
    """Raises OSError, or ValueError if it is not what `build` makes for that folder."""
    folder = Path(folder)
    content = jsonfile.read(folder / NAME)
    for key, kind in (('contract', int), ('tag', str), ('id', int), ('seed', int)):
        if type(content.get(key)) is not kind and not (key == 'seed' and content.get('imported')):
            raise ValueError(f'{key!r} is missing or wrong')
    if name(content) != f'{folder.parent.name}/{folder.name}':
        raise ValueError(f'it is that of {name(content)[:LONGEST]!r}')
    if not _is_commit(content.setdefault('commit', None)):
        raise ValueError("'commit' is no commit")
    if type(content.get('nproc', 1)) is not int or not 0 < content.get('nproc', 1) <= MOST:
        raise ValueError(f"'nproc' is no number of processes from 1 to {MOST}")
    if content.get('exact') and not names.split_run(str(content.get('rerun_of'))):
        raise ValueError("'rerun_of' is no run")
    return content


def name(content):
    return f'{content["tag"]}/{content["id"]}'


def _is_commit(value):
    """A commit's whole id, or None for a run by hand: nothing that git would take for an option or a name."""
    return value is None or isinstance(value, str) and re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', value) is not None
