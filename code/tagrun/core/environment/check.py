"""Say which Python has the project's packages, and which of them are missing.

    check.require()                      # refuses if a package of requirements.txt is missing
    check.python()                       # '/…/.venv/bin/python', or the environment that you chose

An environment of yours is one that is active, or named in TAGRUN_PYTHON. Else the packages are in
.venv. Its copy of requirements.txt, the stamp, says that all of them are installed; source.sh
compares the two files. This module needs no package and installs none: install.py does.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tagrun.core.cli.messages import UserError, quote
from tagrun.core.project import CODE
from tagrun.store import layout

REQUIREMENTS = CODE / 'requirements.txt'
FOR_TESTS = CODE / 'requirements-test.txt'
ENVIRONMENT = layout.root_of(CODE) / '.venv'
LOCK = ENVIRONMENT / 'lock'
STAMP = ENVIRONMENT / REQUIREMENTS.name
REQUIREMENT = re.compile(r'([A-Za-z0-9][\w.-]*)\s*(\[|@|[=<>!~]|$)')
VERSION_MARKER = re.compile(r'''python_version\s*(>=|<)\s*["'](\d+)\.(\d+)["']''')


def require() -> None:
    """Raise UserError if the running Python lacks a package of requirements.txt."""
    refuse_if_incomplete([REQUIREMENTS])


def refuse_if_incomplete(files: Sequence[Path]) -> None:
    """Raise UserError, with the command that installs what the running Python lacks."""
    names: list[str] = []
    options: list[str] = []
    for file in files:
        absent = missing(file)
        names += absent
        options += [f'-r {quote(file)}'] if absent else []
    if names:
        pip = f'{quote(sys.executable)} -m pip install {" ".join(options)}'
        raise UserError(f'{sys.executable} lacks {", ".join(names)}: {pip}')


def python() -> str:
    """Return the Python that has the packages: of the user's environment, else of .venv."""
    return sys.executable if is_yours() else str(ENVIRONMENT / 'bin' / 'python')


def is_yours() -> bool:
    """Return whether the running Python belongs to an environment that the user chose.

    source.sh chooses by the same rule.
    """
    if _is_our_environment(sys.prefix):
        return False
    if os.environ.get('TAGRUN_PYTHON'):
        return True
    for name in ('VIRTUAL_ENV', 'CONDA_PREFIX'):
        active = os.environ.get(name)
        if active and _is_our_environment(active):
            return False
        if active and os.access(Path(active, 'bin', 'python'), os.X_OK):
            return True
    return False


def _is_our_environment(folder: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(ENVIRONMENT)


# ---- The packages ----


def missing(file: Path) -> list[str]:
    """Return the names in a requirements file that the running Python lacks, in any version."""
    return [name for name in required(file) if not _is_installed(name)]


def required(file: Path) -> list[str]:
    """Return the packages that a requirements file names for this Python; [] without the file.

    Of markers it knows python_version with >= and <; any other counts as true. It skips options
    (-r …) and addresses without a name.
    """
    text = read_or_none(file) or ''
    return [name for name in map(package, text.splitlines()) if name]


def package(line: str) -> str | None:
    """Return the package that a line of a requirements file names for this Python, or None."""
    requirement, _, marker = re.sub(r'(^|\s)#.*', '', line).partition(';')
    name = REQUIREMENT.match(requirement.strip())
    return name[1] if name and _holds(marker) else None


def _holds(marker: str) -> bool:
    match = VERSION_MARKER.fullmatch(marker.strip())
    if not match:
        return True
    is_new_enough = sys.version_info[:2] >= (int(match[2]), int(match[3]))
    return is_new_enough if match[1] == '>=' else not is_new_enough


def _is_installed(name: str) -> bool:
    # here, for it is a third of the time of -h
    from importlib import metadata

    try:
        metadata.distribution(name)
        return True
    except metadata.PackageNotFoundError:
        return False


# ---- .venv ----


def is_complete(files: Sequence[Path]) -> bool:
    """Return whether .venv has the packages of these files, by its stamps, and its Python works."""
    are_stamped = all(read_or_none(file) == read_or_none(stamp(file)) for file in files)
    return are_stamped and can_run('pass')


def stamp(file: Path) -> Path:
    """Return where .venv keeps the text of a requirements file whose packages it has."""
    return ENVIRONMENT / file.name


def read_or_none(path: Path) -> str | None:
    """Return the text of a file; None where there is no file."""
    return path.read_text(encoding='utf-8') if path.is_file() else None


def can_run(statement: str) -> bool:
    """Return whether the Python of .venv runs a statement.

    It does not where that Python is gone, or finds no pyvenv.cfg: it is then the system's own.
    """
    program = f'import sys; assert sys.prefix != sys.base_prefix; {statement}'
    words = [str(ENVIRONMENT / 'bin' / 'python'), '-I', '-c', program]
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False
