"""Read what a report shows of a run's folder, and nothing that a link in it leads to.

    files = read(folder); files.info['commit']; log_end(folder, 4096)

A link may lead out of the folder, and the page is made to be given away. What cannot be read is
empty.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tagrun.core.record import secret_rules
from tagrun.store import confusion, history, jsonfile, run_json, safe_read, statistic

ENVIRONMENT = 'environment.json'
Content = TypeVar('Content')


class RunFiles(NamedTuple):
    """The content of a run's files; {} or [] for what cannot be read."""

    statistic: dict[str, Any]
    info: dict[str, Any]  # run.json
    history: list[dict[str, str]]
    matrices: tuple[Any, dict[str, confusion.Matrix]]  # (epoch, {name: (classes, rows)})
    environment: dict[str, Any]


def read(folder: Path) -> RunFiles:
    """Return the content of the files in a run's folder."""
    return RunFiles(
        _read(folder, statistic.NAME, statistic.read) or {},
        read_info(folder),
        _read(folder, history.NAME, history.read) or [],
        _read(folder, confusion.NAME, confusion.read) or (None, {}),
        _read(folder, ENVIRONMENT, _environment) or {},
    )


def read_info(folder: Path) -> dict[str, Any]:
    """Return the content of run.json; {} if it cannot be read."""
    return _read(folder, run_json.NAME, run_json.read) or {}


def log_end(folder: Path, longest: int) -> str | None:
    """Return the last whole lines of the log, in at most `longest` bytes, without secrets."""
    path = folder / 'log'
    if path.is_symlink():
        return None
    try:
        with safe_read.open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            # more, so that no secret begins before it
            file.seek(max(0, size - longest - secret_rules.LONGEST_SECRET))
            content = secret_rules.redact(file.readall())[-longest:]
    except (OSError, ValueError):
        return None
    text = content.decode('utf-8', 'replace').rstrip()
    return text if size <= longest else '…\n' + text.partition('\n')[2]


def _read(folder: Path, name: str, reader: Callable[[Path], Content]) -> Content | None:
    if os.path.islink(folder / name):
        return None
    try:
        return reader(folder)
    except (OSError, ValueError):
        return None


def _environment(folder: Path) -> dict[str, Any]:
    return jsonfile.read(folder / ENVIRONMENT)
