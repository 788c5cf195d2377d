"""Tagrun: every run tagged in git with its code, config and seed. See README.md in this folder.

from tagrun import load, runs        # in a notebook or script: extra/*/notebook.py has them
"""


def __getattr__(name: str) -> object:
    """Return `load` or `runs`; they are imported here, for a command must not pay for them."""
    if name in ('load', 'runs'):
        try:
            from tagrun.core import finder
        except ModuleNotFoundError:
            raise ImportError(
                f"{name} is for notebooks and scripts, not for a run's code"
            ) from None
        for path in finder.modules('notebook.py'):
            return getattr(finder.load(path), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
