"""Registries: what an experiment's file may name, and how that is made.

    @register('model')
    def mlp(hidden, dropout): …

    model = Experiment(args).part('model')()    # experiments/<args.experiment>.yaml says which

The file has a line for each kind: `model: {name: mlp, hidden: $hidden, dropout: 0.1}`. A value such
as $hidden is the argument `hidden` of config.py. So each number stands in one place, and --set and
sweeps hold.
"""
import functools
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / 'experiments'      # in the run's frozen copy of the code
REGISTRIES = {}                                     # {'model': {'mlp': mlp, …}, 'loss': …}


def register(kind):
    """Return a decorator that registers a function or class under its own name."""
    def put(function):
        REGISTRIES.setdefault(kind, {})[function.__name__] = function
        return function
    return put


class Experiment:
    """What an experiment's file says: {'model': {'name': 'mlp', …}, 'loss': …}."""

    def __init__(self, args):
        self.args, self.file = args, f'{args.experiment}.yaml'
        if not (FOLDER / self.file).is_file():
            known = ', '.join(sorted(path.stem for path in FOLDER.glob('*.yaml')))
            raise ValueError(f'config.py: experiment is {args.experiment!r}; one of {known}')
        self.parts = yaml.safe_load((FOLDER / self.file).read_text())

    def part(self, kind):
        """Return the function that the file names, with the file's values as its arguments."""
        values = dict(self.parts[kind])
        name = values.pop('name')
        if name not in REGISTRIES[kind]:
            known = ', '.join(REGISTRIES[kind])
            raise ValueError(f'{self.file}: {kind} is {name!r}; one of {known}')
        values = {key: self._value(value) for key, value in values.items()}
        return functools.partial(REGISTRIES[kind][name], **values)

    def _value(self, value):
        """Return the argument for '$hidden', and any other value as it is."""
        if not isinstance(value, str) or not value.startswith('$'):
            return value
        if not hasattr(self.args, value[1:]):
            raise ValueError(f'{self.file}: {value}: config.py has no argument {value[1:]!r}')
        return getattr(self.args, value[1:])
