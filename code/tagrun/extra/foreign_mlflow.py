"""MLflow: its folder of files (mlruns/, an experiment or a run in it) and its database (mlflow.db), for `tagrun import`.

Metrics, parameters, names, how a run ended and when. Artifacts and models stay where they are; what was deleted there is left out.
"""
import contextlib
import os
import sqlite3
from pathlib import Path

from tagrun.extra import foreign
from tagrun.store import reading, statistic

KIND = 'MLflow'
META = 'meta.yaml'
STATUS = {1: statistic.KILLED, 2: statistic.KILLED, 3: statistic.FINISHED, 4: statistic.FAILED, 5: statistic.KILLED}   # running, and it is not any more
NAMES = {'RUNNING': 1, 'SCHEDULED': 2, 'FINISHED': 3, 'FAILED': 4, 'KILLED': 5}
SQLITE = b'SQLite format 3\0'


def places(path):
    """{name: (folder, None) or (database, run's id)}."""
    path = Path(path)
    if path.is_file():
        return _of_database(path)
    folders = [Path(meta).parent for meta in foreign.files(path, lambda name: name == META)]
    return {str(folder): (folder, None) for folder in folders if (folder / 'metrics').is_dir() and '.trash' not in folder.parts}


def read(place):
    return _read_folder(place[0]) if place[1] is None else _read_database(*place)


# --- files ----------------------------------------------------------------------------------------------------------


def _read_folder(folder):
    meta = _yaml(folder / META)
    if meta.get('lifecycle_stage') == 'deleted':
        raise ValueError('deleted in MLflow')
    experiment = folder.parent / META
    group = _yaml(experiment).get('name') if experiment.is_file() and not experiment.is_symlink() else None
    params = {name: foreign.value(text.strip()) for name, text in _texts(folder / 'params')}
    points = {name: pairs for name, text in _texts(folder / 'metrics') if (pairs := _pairs(text))}
    return _old(str(meta.get('run_id') or meta.get('run_uuid') or folder.name), group or folder.parent.name, meta.get('run_name'), params, points,
                meta.get('status'), meta.get('start_time'), meta.get('end_time'))


def _texts(folder):
    """(name, content) of a folder's files; a name may have slashes."""
    for path in foreign.files(folder, lambda name: True):
        yield os.path.relpath(path, folder)[:foreign.LONGEST], reading.regular(path).decode('utf-8', 'replace')


def _pairs(text):
    """[(step, value), …] of lines '<milliseconds> <value> <step>'; of a step the last."""
    found = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            _, number, *step = line.split()
            found[int(step[0]) if step else len(found)] = float(number)
    return sorted(found.items())


def _yaml(path):
    try:
        import yaml
    except ModuleNotFoundError:
        raise foreign.absent('PyYAML') from None
    try:
        found = yaml.safe_load(reading.regular(path))
    except (yaml.YAMLError, RecursionError):
        raise ValueError(f'{META} is no YAML') from None
    if not isinstance(found, dict):
        raise ValueError(f'{META} is not what MLflow writes')
    return found


# --- database -------------------------------------------------------------------------------------------------------


def _of_database(path):
    with open(path, 'rb') as file:
        if file.read(len(SQLITE)) != SQLITE:
            return {}
    with contextlib.closing(_opened(path)) as database:
        try:
            runs = database.execute("select run_uuid from runs where lifecycle_stage = 'active' order by start_time, run_uuid")
            return {f'{path}: {run}': (path, run) for run, in runs}
        except sqlite3.Error:
            return {}       # somebody else's


def _read_database(path, run):
    with contextlib.closing(_opened(path)) as database:
        try:
            [found] = database.execute('select experiments.name, runs.name, runs.status, runs.start_time, runs.end_time from runs '
                                       'left join experiments using (experiment_id) where run_uuid = ?', (run,))
            params = {name: foreign.value(text) for name, text in database.execute('select key, value from params where run_uuid = ?', (run,))}
            points = {}
            rows = database.execute('select key, value, step, is_nan from metrics where run_uuid = ? order by timestamp', (run,))
            for name, number, step, is_nan in rows:
                points.setdefault(name, {})[step] = float('nan') if is_nan else float(number)
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise ValueError(f'no run that can be read ({error})') from None
    group, name, status, start, end = found
    return _old(run, group or path.stem, name, params, {name: sorted(pairs.items()) for name, pairs in points.items()}, NAMES.get(status), start, end)


def _opened(path):
    return sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro&immutable=1', uri=True)


def _old(run, group, name, params, points, status, start, end):
    """start, end: in ms."""
    start, end = (time / 1000 if isinstance(time, int) and 0 < time < 1e15 else None for time in (start, end))
    return foreign.Old(KIND, run, str(group), str(name or ''), params, points, 'step', STATUS.get(status, statistic.KILLED), start,
                       end - start if start and end else None)
