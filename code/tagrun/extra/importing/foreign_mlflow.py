"""MLflow's runs, for `tagrun import`: its folder of files (mlruns/, an experiment or a run in it)
and its database (mlflow.db).

    find_runs('mlruns')                  # {'mlruns/1/ab…': Location(path=…/mlruns/1/ab…, run=None)}

It takes metrics, parameters, names, how a run ended and when. Artifacts and models stay where they
are; what was deleted in MLflow is left out.
"""

import contextlib
import io
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun, Points
from tagrun.store import limits, safe_read, statistic
from tagrun.store.limits import Budget, Exceeded

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
LONGEST_LINE = 1000  # bytes of a line of a metric: three numbers
LONGEST_CELL = 1 << 20  # bytes of a database's value or row
STEPS = 10_000  # of SQLite's machine between two looks at the clock
TABLES = ('runs', 'experiments', 'params', 'metrics')
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
    hparam = {name: _param(path) for name, path in _files(folder / 'params')}
    budget = Budget(values=limits.VALUES)
    points = {}
    for name, path in _files(folder / 'metrics'):
        pairs = _pairs(safe_read.read_bytes(path), budget)
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


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, path) of a folder's files; a name may have slashes. Raises Exceeded."""
    # params as a link would be followed: os.walk follows none but the first
    if folder.is_symlink():
        return
    paths = foreign.find_files(folder, lambda name: True)
    if len(paths) > limits.NAMES:
        raise Exceeded(f'more than {limits.NAMES:,} {folder.name}')
    for path in paths:
        yield os.path.relpath(path, folder)[: foreign.MAX_NAME], path


def _param(path: str) -> Any:
    """Return the value that a file of a parameter holds."""
    content = safe_read.start(path, foreign.MAX_VALUE)
    return foreign.parse_value(content.decode('utf-8', 'replace').strip())


def _pairs(content: bytes, budget: Budget) -> list[tuple[float, float]]:
    """Return [(step, value), …] of lines '<milliseconds> <value> <step>'; the last of each step."""
    values: dict[float, float] = {}
    for line in io.BytesIO(content):
        if len(line) > LONGEST_LINE:
            continue
        budget.take(values=1)
        with contextlib.suppress(ValueError):
            _, number, *step = line.split()
            values[int(step[0]) if step else len(values)] = float(number)
    return sorted(values.items())


def _yaml(path: Path) -> dict[str, Any]:
    """Return what a file of a few simple lines says. Raises OSError, ValueError."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise foreign.missing_package('PyYAML') from None
    content = safe_read.read_bytes(path)
    if len(content) > limits.META:
        raise Exceeded(f'{META} has more than {limits.META >> 10} kB')
    if content.count(b'[') + content.count(b'{') > limits.DEPTH:
        # the time that PyYAML takes grows with their square
        raise Exceeded(f'{META} has more than {limits.DEPTH} brackets')
    try:
        # an alias stands for as much as its writer likes; MLflow writes none
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content)):
            raise ValueError(f'{META} has aliases, which MLflow does not write')
        value = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError):
        raise ValueError(f'{META} is not YAML') from None
    if not isinstance(value, dict):
        raise ValueError(f'{META} is not what MLflow writes')
    return value


# --- database ---


def _runs_of_database(path: Path) -> dict[str, Location]:
    with open(path, 'rb') as file:
        if file.read(len(SQLITE)) != SQLITE:
            return {}
    query = (
        "select run_uuid from runs where lifecycle_stage = 'active' order by start_time, run_uuid"
    )
    budget = Budget(limits.SECONDS, runs=limits.RUNS)
    views = "select name from sqlite_master where type = 'view' and name in (?, ?, ?, ?)"
    locations: dict[str, Location] = {}
    with contextlib.closing(_connect(path, budget)) as database:
        try:
            for (name,) in database.execute(views, TABLES):
                raise ValueError(f'{name} is a view there; MLflow has a table')
            for (run,) in database.execute(query):
                budget.take(runs=1)
                locations[f'{path}: {run}'] = Location(path, str(run))
        except sqlite3.Error:
            _check_time(budget)
            # a database of another program
            return {}
    return locations


def _read_database(path: Path, run: str) -> ForeignRun:
    budget = Budget(limits.SECONDS, values=limits.VALUES)
    with contextlib.closing(_connect(path, budget)) as database:
        try:
            group, name, status, start, end = _facts(database, run)
            hparam = _hparam(database, run, budget)
            points = _points(database, run, budget)
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            _check_time(budget)
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
        status=_status(STATUS_NUMBERS.get(str(status))),
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


def _hparam(database: sqlite3.Connection, run: str, budget: Budget) -> dict[str, Any]:
    rows = database.execute('select key, value from params where run_uuid = ?', (run,))
    hparam = {}
    for name, text in rows:
        budget.take(values=1)
        hparam[name] = foreign.parse_value(str(text))
    return hparam


def _points(database: sqlite3.Connection, run: str, budget: Budget) -> Points:
    rows = database.execute(
        'select key, value, step, is_nan from metrics where run_uuid = ? order by timestamp',
        (run,),
    )
    values: dict[str, dict[float, float]] = {}
    for name, number, step, is_nan in rows:
        budget.take(values=1)
        values.setdefault(str(name), {})[int(step)] = float('nan') if is_nan else float(number)
    return {name: sorted(by_step.items()) for name, by_step in values.items()}


def _connect(path: Path, budget: Budget) -> sqlite3.Connection:
    """Open a database that ends each query when the time of the budget is over.

    A table may be a view that never ends, and a value may be made as long as it likes.
    """
    database = sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro&immutable=1', uri=True)
    database.set_progress_handler(budget.is_late, STEPS)
    if hasattr(database, 'setlimit'):  # Python 3.11
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)
    return database


def _check_time(budget: Budget) -> None:
    """Raise Exceeded where the time of a query was over."""
    budget.take()


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
