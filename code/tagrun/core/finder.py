"""Find commands and the parts of extra/ by their file names: the only place that imports either.

module = finder.command('table')                # command/table.py or extra/*/table.py
engines = finder.modules('on_*.py')             # [PosixPath('…/extra/slurm/on_slurm.py'), …]

A folder of extra/ that was deleted is not found, and nothing else notices.
"""

import importlib
from pathlib import Path
from types import ModuleType

from tagrun.core.project import EXTRA, TOOL


def command(name: str) -> ModuleType | None:
    """Return the module of a command, which has main(argv); None where there is no such command."""
    if not name.isidentifier():
        return None
    for path in (TOOL / 'command' / f'{name}.py', *modules(f'{name}.py')):
        if path.is_file() and _has_main(path):
            return load(path)
    return None


def command_files() -> dict[str, Path]:
    """Return {name: file} of all commands, sorted by name, without importing them."""
    paths = [*TOOL.glob('command/*.py'), *modules('*.py')]
    return {path.stem: path for path in sorted(paths, key=_name) if _has_main(path)}


def modules(pattern: str) -> list[Path]:
    """Return the files of extra/ whose name matches, one folder down, sorted by name."""
    return sorted(EXTRA.glob(f'*/{pattern}'), key=_name)


def load(path: Path) -> ModuleType:
    """Import one of Tagrun's own files."""
    parts = path.relative_to(TOOL.parent).with_suffix('').parts
    return importlib.import_module('.'.join(parts))


def _has_main(path: Path) -> bool:
    return b'\ndef main(argv' in path.read_bytes()


def _name(path: Path) -> str:
    return path.stem
