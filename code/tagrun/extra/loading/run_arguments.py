"""The arguments of a run, as it was trained.

    args = of_run(code, root, content)       # args.lr, args.phases, args.seed

Their values are those that statistic.json recorded. JSON has no tuples: a value that config.py of
the run's code still has is taken from there.
"""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tagrun.extra.loading.frozen_import import FrozenCode
from tagrun.extra.loading.surroundings import as_in_training
from tagrun.store import arguments, jsonfile
from tagrun.store.table import NOT_FINITE


def of_run(code: FrozenCode, root: Path, content: dict[str, Any]) -> SimpleNamespace:
    """Return the arguments and the seed. content: of the run's statistic.json."""
    recorded, seed = content['hparam'], content['seed']
    values = _of_config(code, root, seed)
    changed = arguments.differing(json.loads(jsonfile.dumps(values)), recorded)
    values.update({name: _number(recorded[name]) for name in changed})
    if recorded:
        values = {name: values.get(name) for name in recorded}
    return SimpleNamespace(**{**values, 'seed': seed})


def _of_config(code: FrozenCode, root: Path, seed: int) -> dict[str, Any]:
    """Return config.py's values; {} where it cannot be imported here and now."""
    try:
        with as_in_training(root, seed):
            return arguments.of_module(code.module('config'))
    # the researcher's own, which may depend on the machine, or parse the words of a command line
    except (Exception, SystemExit) as error:
        warnings.warn(
            f"{code.name}: its config.py fails here ({type(error).__name__}: {error}): "
            'the arguments are those recorded, with lists in place of tuples',
            stacklevel=2,
        )
        return {}


def _number(value: Any) -> Any:
    """Return a recorded value, with the number that 'inf' or 'nan' stands for in JSON."""
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value
