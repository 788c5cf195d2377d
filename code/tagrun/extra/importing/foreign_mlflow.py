"""MLflow's runs, for `tagrun import`: its folder of files (mlruns/, an experiment or a run in it)
and its database (mlflow.db).

    find_runs('mlruns')                  # {'mlruns/1/ab…': Location(path=…/mlruns/1/ab…, run=None)}

It takes metrics, parameters, names, how a run ended and when. Artifacts and models stay where they
are; what was deleted in MLflow is left out.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun, Points
from tagrun.store import safe_read, statistic

KIND = 'MLflow'
META = 'meta.yaml'
# of a run that says RUNNING or SCHEDULED, and does not run any more, too
STATUS = {
    1: statistic.KILLED,
    2: statistic.KILLED,
    3: statistic.FINISHED,
    4: statistic.FAILED,
    5: statistic.KILLED,
}
STATUS_NUMBERS = {'RUNNING': 1, 'SCHEDULED': 2, 'FINISHED': 3, 'FAILED': 4, 'KILLED': 5}
SQLITE = b'SQLite format 3\0'


class Location(NamedTuple):
    """Where a run lies: in a folder, or in a database under an id."""

    path: Path
    run: str | None = None


def find_runs(path: str | os.PathLike[str]) -> dict[str, Location]:
    """Return {name: Location} of the runs at or below a folder, or in a database."""
    path = Path(path)
    if path.is_file():
        return _runs_of_database(path)
    folders = [Path(meta).parent for meta in foreign.find_files(path, lambda name: name == META)]
    return {
        str(folder): Location(folder)
        for folder in folders
        if (folder / 'metrics').is_dir() and '.trash' not in folder.parts
    }


def read_run(location: Location) -> ForeignRun:
    """Return the run of a location. Raises OSError, or ValueError with the reason."""
    if location.run is None:
        return _read_folder(location.path)
    return _read_database(location.path, location.run)


# --- files ---


def _read_folder(folder: Path) -> ForeignRun:
    meta = _yaml(folder / META)
    if meta.get('lifecycle_stage') == 'deleted':
        raise ValueError('deleted in MLflow')
    hparam = {name: foreign.parse_value(text.strip()) for name, text in _texts(folder / 'params')}
    points = {}
    for name, text in _texts(folder / 'metrics'):
        pairs = _pairs(text)
        if pairs:
            points[name] = pairs
    started, seconds = _times(meta.get('start_time'), meta.get('end_time'))
    return ForeignRun(
        kind=KIND,
        id=str(meta.get('run_id') or meta.get('run_uuid') or folder.name),
        group=_experiment(folder.parent),
        name=str(meta.get('run_name') or ''),
        hparam=hparam,
        points=points,
        x='step',
        status=_status(meta.get('status')),
        started=started,
        seconds=seconds,
    )


def _experiment(folder: Path) -> str:
    meta = folder / META
    name = _yaml(meta).get('name') if meta.is_file() and not meta.is_symlink() else None
    return str(name or folder.name)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, content) of a folder's files; a name may have slashes."""
    for path in foreign.find_files(folder, lambda name: True):
        name = os.path.relpath(path, folder)[: foreign.MAX_NAME]
        yield name, safe_read.read_bytes(path).decode('utf-8', 'replace')


def _pairs(text: str) -> list[tuple[float, float]]:
    """Return [(step, value), …] of lines '<milliseconds> <value> <step>'; the last of each step."""
    values: dict[float, float] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            _, number, *step = line.split()
            values[int(step[0]) if step else len(values)] = float(number)
    return sorted(values.items())


def _yaml(path: Path) -> dict[str, Any]:
    try:
        import yaml
    except ModuleNotFoundError:
        raise foreign.missing_package('PyYAML') from None
    try:
        content = yaml.safe_load(safe_read.read_bytes(path))
    except (yaml.YAMLError, RecursionError):
        raise ValueError(f'{META} is not YAML') from None
    if not isinstance(content, dict):
        raise ValueError(f'{META} is not what MLflow writes')
    return content


# --- database ---


def _runs_of_database(path: Path) -> dict[str, Location]:
    with open(path, 'rb') as file:
        if file.read(len(SQLITE)) != SQLITE:
            return {}
    query = (
        "select run_uuid from runs where lifecycle_stage = 'active' order by start_time, run_uuid"
    )
    with contextlib.closing(_connect(path)) as database:
        try:
            return {f'{path}: {run}': Location(path, run) for (run,) in database.execute(query)}
        except sqlite3.Error:
            # a database of another program
            return {}


def _read_database(path: Path, run: str) -> ForeignRun:
    with contextlib.closing(_connect(path)) as database:
        try:
            group, name, status, start, end = _facts(database, run)
            hparam = _hparam(database, run)
            points = _points(database, run)
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise ValueError(f'its run cannot be read ({error})') from None
    started, seconds = _times(start, end)
    return ForeignRun(
        kind=KIND,
        id=run,
        group=str(group or path.stem),
        name=str(name or ''),
        hparam=hparam,
        points=points,
        x='step',
        status=_status(STATUS_NUMBERS.get(status)),
        started=started,
        seconds=seconds,
    )


def _facts(database: sqlite3.Connection, run: str) -> tuple[Any, ...]:
    [row] = database.execute(
        'select experiments.name, runs.name, runs.status, runs.start_time, runs.end_time '
        'from runs left join experiments using (experiment_id) where run_uuid = ?',
        (run,),
    )
    return row


def _hparam(database: sqlite3.Connection, run: str) -> dict[str, Any]:
    rows = database.execute('select key, value from params where run_uuid = ?', (run,))
    return {name: foreign.parse_value(text) for name, text in rows}


def _points(database: sqlite3.Connection, run: str) -> Points:
    rows = database.execute(
        'select key, value, step, is_nan from metrics where run_uuid = ? order by timestamp',
        (run,),
    )
    values: dict[str, dict[float, float]] = {}
    for name, number, step, is_nan in rows:
        values.setdefault(name, {})[step] = float('nan') if is_nan else float(number)
    return {name: sorted(by_step.items()) for name, by_step in values.items()}


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro&immutable=1', uri=True)


# --- both ---


def _status(number: Any) -> str:
    return STATUS.get(number, statistic.KILLED)


def _times(start_ms: Any, end_ms: Any) -> tuple[float | None, float | None]:
    """Return (start in s, seconds that the run took)."""
    start, end = _seconds(start_ms), _seconds(end_ms)
    return start, end - start if start and end else None


def _seconds(milliseconds: Any) -> float | None:
    if isinstance(milliseconds, int) and 0 < milliseconds < 1e15:
        return milliseconds / 1000
    return None
