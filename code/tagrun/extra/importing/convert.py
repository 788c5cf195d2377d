"""Convert a run of another tool to what Tagrun's files hold.

content = statistic_content(run, Options(monitor='val/acc'))
rows = history_rows(renamed(run.points, Options()))
tag_of('my project/2')               # 'my-project-2'
"""

import bisect
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError
from tagrun.extra.importing.foreign import ForeignRun, Points
from tagrun.store import names, table
from tagrun.store.table import Column

PHASES = {
    'train': 'train',
    'training': 'train',
    'val': 'val',
    'valid': 'val',
    'validation': 'val',
    'dev': 'val',
    'eval': 'val',
    'test': 'test',
}
OF_PHASE = re.compile(rf'({"|".join(PHASES)})[/_.: -](.+)', re.IGNORECASE | re.DOTALL)
# the monitored metric, unless the options name one: the first that matches
MONITORED = ('val/.*acc', r'val/(?!.*loss)', 'val/', '.*acc', '.*loss', '')
MAX_POINTS = 10_000  # of a metric in history.csv
MAX_TAG_BYTES = 60
MAX_TIME = 2**37  # Unix time in s that a date can show


class Options(NamedTuple):
    """What the user chose for all runs of an import."""

    monitor: str | None = None  # the metric that names the best epoch
    mode: str | None = None  # 'min' or 'max': which of its values are better
    rename: Mapping[str, str] = {}  # {metric: its new name}
    keep_names: bool = False  # train_loss stays train_loss


def tag_of(text: str) -> str:
    """Return a tag for any text; what a tag cannot have becomes a hyphen."""
    characters = []
    for character in unicodedata.normalize('NFC', text):
        is_valid = character not in '@/' and not names.check_tag(f'a{character}a')
        replaced = character if is_valid else '-'
        characters.append(replaced)
    tag = re.sub('--+', '-', ''.join(characters))
    tag = re.sub(r'\.\.+', '.', tag)
    tag = tag.encode()[:MAX_TAG_BYTES].decode('utf-8', 'ignore').strip('-.@')
    for candidate in (tag, f'imported-{tag}'.rstrip('-.')):
        if not names.check_tag(candidate):
            return candidate
    return 'imported'


def statistic_content(run: ForeignRun, options: Options) -> dict[str, Any]:
    """Return the content of a run's statistic.json, without the run's name.

    Raises UserError where the run lacks the metric that is to be monitored.
    """
    points = renamed(run.points, options)
    monitor = _monitor(run, points, options)
    mode = options.mode or table.direction([], Column('metric', monitor))
    last = max(pairs[-1][0] for pairs in points.values())
    best = _best(points[monitor], mode)
    content: dict[str, Any] = {
        'status': run.status,
        'imported': {'kind': run.kind, 'id': run.id, 'name': run.name, 'x': run.x},
        'message': f'imported from {run.kind}' + (f': {run.name}' if run.name else ''),
        run.x: _whole(last),
        f'{run.x}s': _whole(last),
    }
    if best is None:
        best = last
    else:
        content[f'best_{run.x}'] = _whole(best)
    return {
        **content,
        'monitor': monitor,
        'monitor_mode': mode,
        'metric': _at(points, best),
        'last': _at(points, last),
        'hparam': run.hparam,
        'digest': {},
        'time': _time(run),
    }


def _monitor(run: ForeignRun, points: Points, options: Options) -> str:
    if not options.monitor:
        return _default_monitor(points)
    if options.monitor not in points:
        raise UserError(
            f'--monitor {options.monitor}: {run.kind} run {run.name or run.id} has '
            f'{", ".join(list(points)[:10])}'
        )
    return options.monitor


def _default_monitor(points: Points) -> str:
    for pattern in MONITORED:
        for name in points:
            if re.match(pattern, name, re.IGNORECASE | re.DOTALL):
                return name
    raise ValueError('no metric in it')


def _best(pairs: list[tuple[float, float]], mode: str | None) -> float | None:
    """Return the first x at which a metric is best; None where it is never a finite number."""
    finite = [(x, value) for x, value in pairs if math.isfinite(value)]
    if not finite:
        return None
    choose = max if mode == 'max' else min
    return choose(finite, key=lambda pair: pair[1])[0]


def renamed(points: Points, options: Options) -> Points:
    """Return the metrics under Tagrun's names, e.g. train/loss for train_loss.

    Where two metrics would have one name, both keep their own.
    """
    new_names = {name: _new_name(name, options) for name in points}
    counts = Counter(new_names.values())
    result = {}
    for name, pairs in points.items():
        new_name = new_names[name]
        result[new_name if counts[new_name] == 1 else name] = pairs
    return result


def _new_name(name: str, options: Options) -> str:
    match = OF_PHASE.fullmatch(name)
    usual = name
    if match and not options.keep_names:
        usual = f'{PHASES[match[1].lower()]}/{match[2]}'
    return options.rename.get(name, options.rename.get(usual, usual))


def _at(points: Points, x: float) -> dict[str, float]:
    """Return {metric: its last value at x or before}."""
    values = {}
    for name, pairs in points.items():
        count = bisect.bisect_right(pairs, x, key=lambda pair: pair[0])
        if count:
            values[name] = pairs[count - 1][1]
    return values


def history_rows(points: Points) -> list[dict[str, Any]]:
    """Return the rows of history.csv. Long metrics are thinned evenly.

    The column epoch holds steps, where the run was counted in steps.
    """
    by_x: dict[float, dict[str, float]] = {}
    for name, pairs in points.items():
        every = max(1, math.ceil(len(pairs) / MAX_POINTS))
        for x, value in [*pairs[::every], pairs[-1]]:
            by_x.setdefault(x, {})[name] = value
    rows = []
    for x in sorted(by_x):
        # each metric at its place: the first row names the columns
        values = {name: by_x[x][name] for name in points if name in by_x[x]}
        rows.append({'epoch': _whole(x), **values, 'seconds': ''})
    return rows


def _whole(x: float) -> float:
    return int(x) if x == int(x) else x


def _time(run: ForeignRun) -> dict[str, Any]:
    ended = run.started + run.seconds if run.started and run.seconds else run.started
    time: dict[str, Any] = {}
    for name, stamp in (('started', run.started), ('updated', ended)):
        if stamp and 0 < stamp < MAX_TIME:
            date = datetime.fromtimestamp(stamp, timezone.utc)
            time[name] = date.strftime('%Y-%m-%dT%H:%M:%SZ')
    if run.seconds is not None and math.isfinite(run.seconds):
        time['seconds'] = round(float(run.seconds), 3)
    return time
