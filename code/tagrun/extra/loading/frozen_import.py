"""Import a run's own code beside that of other runs, and beside today's, in one process.

    code = FrozenCode('first/0', folder)     # of its model.py, config.py, tagrun/, …
    code.module('model').build_model(args)

Its modules are called _tagrun_runs.<run>.model and so on. Each gets an `__import__` of its own:
what lies in the folder is imported from there, at the start and later inside functions, and all
else as usual. sys.path stays as it is, and `import model` elsewhere finds what it found before. No
bytecode is read or written: the folder is a frozen copy.
"""

import builtins
import importlib
import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from tagrun.core.project import CODE

PREFIX = '_tagrun_runs'
_numbers = itertools.count(1)
_by_package: dict[str, 'FrozenCode'] = {}


class FrozenCode:
    """The code folder of a run, from which modules can be imported.

    name: the run's, e.g. 'first/0'. folder: where model.py and the others lie.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.package = f'{PREFIX}.{re.sub(r"[^A-Za-z0-9]", "_", name)}_{next(_numbers)}'
        self._is_own: dict[str, bool] = {}  # by top-level name
        self._is_elsewhere: set[str] = set()  # top-level names that are not today's either
        self._importlib = _Importlib('importlib')
        self._importlib.import_module = self._import_module
        self.builtins = {**vars(builtins), '__import__': self._import}
        _register(self)

    def module(self, name: str) -> ModuleType:
        """Return a module of the run, e.g. 'model' or 'tagrun.training'.

        Raises ModuleNotFoundError where the run's code has no such file.
        """
        try:
            return importlib.import_module(f'{self.package}.{name}')
        except ModuleNotFoundError as error:
            if not (error.name or '').startswith(f'{self.package}.'):
                raise
            raise self._missing(str(error.name).removeprefix(f'{self.package}.')) from error

    def has(self, name: str) -> bool:
        """Return whether the run's code has a module or package of this top-level name."""
        if name not in self._is_own:
            self._is_own[name] = name not in sys.builtin_module_names and self._find(name)
        return self._is_own[name]

    def _find(self, name: str) -> bool:
        spec = PathFinder.find_spec(f'{self.package}.{name}', [str(self.folder)])
        if spec is None or spec.loader is not None:
            return spec is not None
        # a folder without __init__.py: as everywhere, any installed package comes before it
        other = _spec(name)
        return other is None or other.loader is None or _is_todays(other)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import as Python's `__import__` does, what the run's code has from there."""
        top = name.partition('.')[0]
        if level or not self.has(top):
            if not level:
                self._refuse_todays(top)
            module = builtins.__import__(name, globals, locals, fromlist or (), level)
            return self._importlib if module is importlib else module
        own = f'{self.package}.{name}'
        if fromlist:
            return builtins.__import__(own, globals, locals, fromlist, 0)
        importlib.import_module(own)
        return sys.modules[f'{self.package}.{top}']

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        """Import as importlib.import_module does, what the run's code has from there."""
        if not name.startswith('.') and self.has(name.partition('.')[0]):
            name = f'{self.package}.{name}'
        return importlib.import_module(name, package)

    def _refuse_todays(self, name: str) -> None:
        """Raise ModuleNotFoundError for a file of today's checkout that the run's code lacks."""
        if name in self._is_elsewhere:
            return
        spec = _spec(name)
        if spec is not None and _is_todays(spec):
            raise self._missing(name)
        self._is_elsewhere.add(name)

    def _missing(self, name: str) -> ModuleNotFoundError:
        return ModuleNotFoundError(f'the code of {self.name} has no {name}', name=name)


class _Importlib(ModuleType):
    """Stands for importlib in the code of a run; its import_module is the run's."""

    import_module: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)


class _Loader(SourceFileLoader):
    """Loads a file of a run's code; it reads and writes no bytecode."""

    def __init__(self, name: str, path: str, code: FrozenCode) -> None:
        super().__init__(name, path)
        self._code = code

    def path_stats(self, path: Any) -> Any:
        """Raise OSError: without the age of a source file Python uses no bytecode of it."""
        raise OSError

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, with the `__import__` of its run."""
        vars(module)['__builtins__'] = self._code.builtins
        super().exec_module(module)


class _Finder:
    """Finds the modules of runs, and nothing else."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module of a run is; None for any other name."""
        code = _by_package.get('.'.join(name.split('.')[:2]))
        if code is None or path is None:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, code)
        return spec


def _register(code: FrozenCode) -> None:
    """Make the package of a run, whose files are in its folder."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    for name, folders in ((PREFIX, []), (code.package, [str(code.folder)])):
        if name not in sys.modules:
            package = ModuleType(name, f'The code of {code.name}.')
            package.__path__ = folders
            sys.modules[name] = package
    _by_package[code.package] = code


def _spec(name: str) -> ModuleSpec | None:
    """Return where an ordinary import finds, or found, a top-level name."""
    try:
        return find_spec(name)
    except (ImportError, ValueError):  # ValueError: __main__ and its like
        return None


def _is_todays(spec: ModuleSpec) -> bool:
    """Return whether a module lies in today's code/."""
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return any(Path(place).is_relative_to(CODE) for place in places)
