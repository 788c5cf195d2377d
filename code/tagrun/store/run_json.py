"""run.json: what the command side tells the training side, and what either may know of a run.

    {"contract": 1, "root": "/home/me/proj", "tag": "t1", "id": 0, "commit": "25d2582…",
     "seed": 4242, "resume": null, "inputs": {}}

inputs.py explains `inputs`. Further keys, each only where it applies:

    "created": "2026-11-21T09:19:27.123456Z"
                                        when a command made it, in UTC; older runs lack it
    "rerun_of": "t1/0", "exact": true   a rerun with the recorded seed; "verdict" when it has ended
    "fetched_from": "origin"            a run that came through git: no code/, no checkpoints here
    "fast": 3                           a trial of three batches a phase
    "continued_from": "t1/0"            a run that began with another's checkpoint
    "set": {"lr": 0.1}                  values that were asked for, by `run --set` or a sweep:
                                        training compares config.py's with them
    "nproc": 2                          a run that was asked to train in two processes
    "variant": "fast.patch"             a trial of `sweep --vary`
    "log": "plain"                      lines of the log have no times (git config tagrun.log)
    "imported": {"kind": "MLflow", "id": "83e0…", "name": "lr 0.1", "x": "step"}
                                        a run of another tool: no commit, no seed
    "selftest": {"args": {"epochs": 6, "num_workers": 2}, "batches": 40, "save": 6,
                 "kill": [1, 57, "train", 17]}
                                        a training of `selftest`: values that replace config.py's,
                                        so many batches of each phase, a save after each sixth, a
                                        kill after one epoch, 57 steps and 17 batches of `train`
                                        (training/short_run.py)
    "evaluate": {"id": 2, "checkpoint": "epoch_3.pth", "sha256": "8f75…", "phases": ["test"],
                 "set": {"val_fraction": 0.5}, "rerun_of": 0}
                                        an evaluation: tag, id, commit, seed and `set` are its
                                        run's. phases: null for all of config.py's but train. set:
                                        values that replace config.py's. rerun_of: the evaluation
                                        that it repeats, or null
"""

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tagrun.store import inputs, jsonfile
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef, split

NAME = 'run.json'
CONTRACT = 1
MOST = 1024  # processes of one training
PLAIN = 'plain'  # the value of `log`
CREATED = 'created'
EVALUATE = 'evaluate'  # the key that only an evaluation has
LONGEST = 80  # characters of a wrong value that are shown
ENVIRONMENT = 'TAGRUN_RUN'  # the one variable that goes into training: the run's folder


def build(
    root: str | Path, tag: str, number: int, commit: str | None, seed: int | None, **more: Any
) -> dict[str, Any]:
    """Return the content of a new run.json; `commit` is None for a run by hand."""
    return {
        'contract': CONTRACT,
        'root': str(root),
        'tag': tag,
        'id': number,
        'commit': commit,
        'seed': seed,
        'resume': None,
        'inputs': {},
        **more,
    }


def now() -> str:
    """Return the value of the key CREATED: '2026-11-21T09:19:27.123456Z'."""
    return datetime.now(timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def write(folder: str | Path, content: Mapping[str, Any]) -> None:
    """Replace the run's run.json."""
    jsonfile.write(Path(folder) / NAME, content)


def read(folder: str | Path) -> dict[str, Any]:
    """Return the content.

    Raises OSError, or ValueError if it is not what `build` makes for that folder.
    """
    folder = Path(folder)
    content = jsonfile.read(folder / NAME)
    kinds = {'contract': int, 'tag': str, 'id': int, 'seed': int}
    if content.get('imported'):
        del kinds['seed']
    for key, kind in kinds.items():
        if type(content.get(key)) is not kind:
            raise ValueError(f'{key!r} is missing or wrong')
    _check_values(content)
    own = name(content).split('/')
    if own != list(folder.parts[-len(own) :]):
        raise ValueError(f'it is that of {name(content)[:LONGEST]!r}')
    return content


def read_or_none(folder: str | Path) -> dict[str, Any] | None:
    """Return the content; None where it cannot be read."""
    try:
        return read(folder)
    except (OSError, ValueError):
        return None


def name(content: Mapping[str, Any]) -> str:
    """Return the run's name: 't1/0'; of an evaluation 't1/0/evaluation/2'."""
    if EVALUATE in content:
        return str(EvaluationRef(ref(content), content[EVALUATE]['id']))
    return str(ref(content))


def ref(content: Mapping[str, Any]) -> RunRef:
    """Return which run it is, of an evaluation that which it is of."""
    return RunRef(content['tag'], content['id'])


def settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return {'set': …, 'inputs': …} for another run of the same code; {} where nothing is set."""
    return {key: content[key] for key in ('set', 'inputs') if content.get(key)}


def _check_values(content: dict[str, Any]) -> None:
    """Raise ValueError for a value that must not reach git or a launcher."""
    if not _is_commit(content.setdefault('commit', None)):
        raise ValueError("'commit' is not a commit's id")
    count = content.get('nproc', 1)
    if type(count) is not int or not 0 < count <= MOST:
        raise ValueError(f"'nproc' is not a number of processes from 1 to {MOST}")
    if not isinstance(content.get('set', {}), dict):
        raise ValueError("'set' is not an object")
    inputs.parse(content.get('inputs', {}))
    original = content.get('rerun_of')
    if content.get('exact') and not (isinstance(original, str) and split(original)):
        raise ValueError("'rerun_of' is not a run")
    if EVALUATE in content:
        _check_evaluate(content[EVALUATE])


def _check_evaluate(value: Any) -> None:
    """Raise ValueError for a value of `evaluate` that the two sides do not take."""
    if not isinstance(value, dict) or type(value.get('id')) is not int:
        raise ValueError(f'{EVALUATE!r} is not an evaluation')
    for key in ('checkpoint', 'sha256'):
        if not isinstance(value.get(key), str):
            raise ValueError(f'{EVALUATE!r} has no {key}')
    # it becomes a part of a path
    if Path(value['checkpoint']).name != value['checkpoint']:
        raise ValueError(f"'checkpoint' of {EVALUATE!r} is not a file's name")
    phases = value.setdefault('phases', None)
    is_list = isinstance(phases, list) and all(isinstance(phase, str) for phase in phases)
    if phases is not None and not is_list:
        raise ValueError(f"'phases' of {EVALUATE!r} is not a list of names")
    if not isinstance(value.setdefault('set', {}), dict):
        raise ValueError(f"'set' of {EVALUATE!r} is not an object")
    before = value.setdefault('rerun_of', None)
    if before is not None and type(before) is not int:
        raise ValueError(f"'rerun_of' of {EVALUATE!r} is not an evaluation")


def _is_commit(value: Any) -> bool:
    """Return whether it is a commit's whole id, or None for a run by hand.

    So it is nothing that git would take for an option or a name.
    """
    if value is None:
        return True
    return isinstance(value, str) and bool(re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', value))
