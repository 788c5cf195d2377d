"""The arguments: every public name of config.py, and the run's seed.

args = load(config, seed=4242); args.lr
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

from tagrun.store import arguments, jsonfile, statistic

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


def load(
    config: ModuleType, seed: int, settings: Mapping[str, Any] = NO_SETTINGS
) -> SimpleNamespace:
    """Return a namespace of config's arguments and the seed.

    settings: the values that were asked for, run.json's `set`. Raises TypeError, with the
    argument's name, for a value that JSON could not record, and ValueError where config has another
    value than was asked for: the record would not be what trains.
    """
    try:
        values = arguments.of_module(config)
    except (TypeError, ValueError) as error:
        raise type(error)(f'config.py: {error}') from None
    for name, value in arguments.differing(values, settings).items():
        raise ValueError(
            f'config.py: {name} is {value!r}, and this run was asked for {settings[name]!r}: '
            'something sets it after its own line (a later line, a file, a variable of the '
            'environment, main.py). Nothing was trained'
        )
    return SimpleNamespace(**values, seed=seed)


def former(folder: Path, args: SimpleNamespace) -> dict[str, Any]:
    """Return {name: value} of an earlier start of the run, of the arguments that have another now.

    config.py takes those from its surroundings, and they have changed.
    """
    content = statistic.read_or_none(folder) or {}
    values = json.loads(jsonfile.dumps(vars(args)))
    recorded = {name: value for name, value in content.get('hparam', {}).items() if name in values}
    changed = arguments.differing(values, recorded)
    for name, value in changed.items():
        print(
            f'tagrun: {name} was {recorded[name]!r} when the run was begun, and is {value!r} now: '
            'config.py takes it from its surroundings',
            file=sys.stderr,
        )
    return {name: recorded[name] for name in changed} | content.get('hparam_before', {})
