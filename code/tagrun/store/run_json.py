"""run.json: what the command side tells the training side, and what either may know of a run.

    {"contract": 1, "root": "/home/me/proj", "tag": "t1", "id": 0, "commit": "25d2582…", "seed": 4242,
     "resume": null, "inputs": {}}

Further keys, each only where it applies: "rerun_of": "t1/0" and "exact": true for a rerun with the recorded seed, "verdict" when
that one has ended, "fast": 3 for a trial of three batches a phase, "continued_from": "t1/0" for a run that began with another's checkpoint.
"""
from pathlib import Path

from tagrun.store import jsonfile

NAME = 'run.json'
CONTRACT = 1
ENVIRONMENT = 'TAGRUN_RUN'  # the one variable that goes into training: the run's folder


def build(root, tag, number, commit, seed, **more):
    """The content of a new run.json; `commit` is None for a run by hand."""
    return {'contract': CONTRACT, 'root': str(root), 'tag': tag, 'id': number, 'commit': commit, 'seed': seed,
            'resume': None, 'inputs': {}, **more}


def write(folder, content):
    jsonfile.write(Path(folder) / NAME, content)


def read(folder):
    """Raises OSError, or ValueError if it is not what `build` makes."""
    content = jsonfile.read(Path(folder) / NAME)
    for key, kind in (('contract', int), ('tag', str), ('id', int), ('seed', int)):
        if not isinstance(content.get(key), kind):
            raise ValueError(f'{key!r} is missing or wrong')
    return content


def name(content):
    return f'{content["tag"]}/{content["id"]}'
