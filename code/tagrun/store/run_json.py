"""run.json: what the command side tells the training side, and what either may know of a run.

    {"contract": 1, "root": "/home/me/proj", "tag": "t1", "id": 0, "commit": "25d2582…", "seed": 4242,
     "resume": null, "inputs": {}}

Further keys, each only where it applies: "rerun_of": "t1/0" and "exact": true for a rerun with the recorded seed, "verdict" when
that one has ended, "fast": 3 for a trial of three batches a phase, "continued_from": "t1/0" for a run that began with another's checkpoint.
"""
import re
from pathlib import Path

from tagrun.store import jsonfile, names

NAME = 'run.json'
CONTRACT = 1
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
        if type(content.get(key)) is not kind:
            raise ValueError(f'{key!r} is missing or wrong')
    if name(content) != f'{folder.parent.name}/{folder.name}':
        raise ValueError(f'it is that of {name(content)[:LONGEST]!r}')
    if not _is_commit(content.setdefault('commit', None)):
        raise ValueError("'commit' is no commit")
    if content.get('exact') and not names.split_run(str(content.get('rerun_of'))):
        raise ValueError("'rerun_of' is no run")
    return content


def name(content):
    return f'{content["tag"]}/{content["id"]}'


def _is_commit(value):
    """A commit's whole id, or None for a run by hand: nothing that git would take for an option or a name."""
    return value is None or isinstance(value, str) and re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', value) is not None
