"""The arguments: every public name of config.py, and the run's seed.

    args = load(config, seed=4242); args.lr
"""
from types import FunctionType, ModuleType, SimpleNamespace

PLAIN = (int, float, str, bool, type(None))


def load(config, seed):
    """A namespace of config's names. Raises TypeError, naming the argument, for a value that JSON could not record."""
    named = {name: value for name, value in vars(config).items()
             if not name.startswith('_') and not isinstance(value, (ModuleType, FunctionType, type))}
    for name, value in named.items():
        if not _plain(value):
            raise TypeError(f'config.py: {name} is a {type(value).__name__}; numbers, strings, booleans, None, '
                            'and tuples, lists or dicts of them can be recorded')
    return SimpleNamespace(**named, seed=seed)


def _plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_plain(item) for item in value)
    return isinstance(value, PLAIN)
