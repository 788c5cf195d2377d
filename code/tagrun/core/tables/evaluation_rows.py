"""The rows and columns of `table --evaluations`: one for each finished evaluation of a set's runs.

    rows = load(root, 'paper', [RunRef('t1', 0)])       # rows[0].name is 't1/0/evaluation/2'
    columns(rows)           # the checkpoint, the arguments that any of them set, what was measured

A row has all arguments of its run, too, for --where and --keep.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.store import evaluations, statistic, table
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Column, Run

CHECKPOINT = Column('run', 'checkpoint')
# of a row, besides those of statistic.json under the same name
FACTS = ('evaluation', 'checkpoint', 'seed', 'commit', 'epoch')


def load(root: Path, name: str, runs: Iterable[RunRef]) -> list[Run]:
    """Return a row for each finished evaluation of the runs of the set `name`.

    Print how many did not finish. Raises UserError if not one did.
    """
    refs = evaluations.of_runs(root, runs)
    statuses = run_status.read_statuses(root, refs)
    rows = [_row(status) for status in statuses if status.state == statistic.FINISHED]
    left_out = len(statuses) - len(rows)
    if left_out:
        echo(
            f'{plural(left_out, "evaluation")} left out that did not finish: '
            '`tagrun expls --evaluations` shows them'
        )
    if not rows:
        raise UserError(
            f'no run of {name} has a finished evaluation: `tagrun evaluate @{name}` makes them'
        )
    return rows


def columns(rows: Sequence[Run]) -> list[Column]:
    """Return the checkpoint, the arguments that any row sets, and the metrics."""
    settings: dict[str, None] = {}
    for row in rows:
        settings.update(dict.fromkeys(row.values['run']['set']))
    set_columns = [Column('hparam', name) for name in settings]
    return [CHECKPOINT, *set_columns, *table.columns(rows, ('metric',))]


def _row(status: RunStatus) -> Run:
    content = status.content
    facts: dict[str, Any] = {'tag': status.run.tag, 'status': status.state}
    facts |= {key: content[key] for key in FACTS if key in content}
    facts |= {key: content['time'].get(key, table.MISSING) for key in ('seconds', 'updated')}
    settings = content.get('set')
    facts['set'] = settings if isinstance(settings, dict) else {}
    values = {'hparam': content['hparam'], 'metric': content['metric'], 'run': facts}
    monitor = content.get('monitor')
    if not isinstance(monitor, str):
        monitor = None
    return Run(status.name, values, monitor, content.get('monitor_mode'))
