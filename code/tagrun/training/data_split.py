"""Warn where a run and the one that it begins with have split the same data in two ways.

    warn(root, folder, info)        # info: the content of run.json; both have an environment.json

Where the seed splits the data, as in the template, a run with another seed validates on samples
that the other run was trained on: its metrics are better than they should be.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagrun.store import fingerprint, inputs, jsonfile, run_json
from tagrun.training.loader import TRAIN
from tagrun.training.report import info as say

ENVIRONMENT = 'environment.json'


def warn(root: Path, folder: Path, info: Mapping[str, Any]) -> None:
    """Say so of each run that it takes something from."""
    own = _data(folder)
    runs = {each.run for each in inputs.known(info.get('inputs')) if each.run}
    for run in sorted(runs):
        other = run_json.read_or_none(run.folder(root)) or {}
        phases = moved(own, _data(run.folder(root)))
        if phases and other.get('seed') != info['seed']:
            say(
                f'tagrun: {" and ".join(phases)} have as many samples as in {run}, but others:\n'
                f'  if the seed splits the data, this run is evaluated on samples that {run}\n'
                f'  was trained on. The same split: write its seed, {other.get("seed")}, into\n'
                '  code/seed, and `run -f`'
            )


def moved(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the phases, train among them, that have as many samples in both, and others."""
    phases = [phase for phase in one if phase in other]
    if any(_samples(one[phase]) != _samples(other[phase]) for phase in phases):
        return []
    changed = [phase for phase in phases if fingerprint.differs(one[phase], other[phase])]
    return changed if TRAIN in changed and len(changed) > 1 else []


def _data(folder: Path) -> dict[str, Any]:
    data = (jsonfile.read_or_none(folder / ENVIRONMENT) or {}).get('data')
    return data if isinstance(data, dict) else {}


def _samples(value: Any) -> Any:
    return value.get('samples') if isinstance(value, Mapping) else None
