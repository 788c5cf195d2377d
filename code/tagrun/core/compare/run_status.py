"""How a run stands: its state, how far it is, how good.

    status = read_status(root, RunRef('t1', 0))      # status.state, status.best, status.eta_s(now)

It reads statistic.json, and the lock of a run that should be running. It reads nothing else, so
that ten thousand runs take half a second.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import echo
from tagrun.core.record import secret_rules
from tagrun.store import jsonfile, limits, statistic
from tagrun.store.evaluations import Ref
from tagrun.store.limits import Budget

UNREADABLE = 'unreadable'  # statistic.json cannot be read, or is not valid


class RunStatus(NamedTuple):
    """How one run stands."""

    run: Ref  # a run, or an evaluation of one
    state: str  # one of store/statistic.py, or UNREADABLE
    started: float  # Unix time in s
    content: dict[str, Any]  # of statistic.json, without secrets; {} where it cannot be read

    @property
    def name(self) -> str:
        return str(self.run)

    @property
    def tag(self) -> str:
        return self.run.tag

    @property
    def id(self) -> int:
        return self.run.number

    @property
    def monitor(self) -> str:
        """The metric that names the best epoch, or ''."""
        return str(self.content.get('monitor', ''))

    @property
    def best(self) -> float | None:
        """The monitored metric at its best epoch, or None."""
        return jsonfile.number(self.content.get('metric', {}).get(self.monitor))

    def eta_s(self, now: float) -> float | None:
        """Return the seconds until the last epoch ends, at the speed so far; None if unknown."""
        time = self.content.get('time', {})
        epoch = jsonfile.number(self.content.get('epoch'))
        epochs = jsonfile.number(self.content.get('epochs'))
        seconds = jsonfile.number(time.get('seconds'))
        if self.state != statistic.RUNNING or not epoch or not epochs or not seconds:
            return None
        since_update = now - unix_time(time.get('updated'), now)
        return max(0.0, (epochs - epoch) * seconds / epoch - since_update)


def read_statuses(root: Path, runs: Iterable[Ref]) -> list[RunStatus]:
    """Return how runs or evaluations stand, as `read_status` does, in bounded memory."""
    budget = limits.of_reading()
    return [read_status(root, run, budget) for run in runs]


def read_status(root: Path, run: Ref, budget: Budget | None = None) -> RunStatus:
    """Return how a run or an evaluation stands. One that cannot be read is named on stderr."""
    folder = run.folder(root)
    content: dict[str, Any] = {}
    state = UNREADABLE
    try:
        content = secret_rules.redact_value(statistic.read(folder, budget))
        state = str(statistic.state(folder, content))
    except FileNotFoundError:
        state = statistic.state(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        echo(f'tagrun: {run}: {statistic.NAME}: {reason}')
    started = unix_time(content.get('time', {}).get('started'))
    return RunStatus(run, state, started or _modified(folder), content)


def better(status: RunStatus, other: RunStatus) -> bool:
    """Return whether a run's best metric beats another's, in the direction of its monitor_mode.

    Any number beats none; NaN beats nothing.
    """
    best, other_best = _number_or_none(status.best), _number_or_none(other.best)
    if best is None or other_best is None:
        return best is not None
    is_min = status.content.get('monitor_mode') == 'min'
    return best < other_best if is_min else best > other_best


def differences(status: RunStatus, first: RunStatus) -> dict[str, Any]:
    """Return {name: value} of the hyperparameters in which a run differs from the first one.

    The value is None where the run lacks the hyperparameter.
    """
    hparam, of_first = status.content.get('hparam', {}), first.content.get('hparam', {})
    if not hparam or hparam == of_first:
        return {}
    return {
        name: hparam.get(name)
        for name in {**hparam, **of_first}
        if name not in hparam or name not in of_first or hparam[name] != of_first[name]
    }


def unix_time(text: object, default: float = 0.0) -> float:
    """Return the seconds since 1970 of '2026-11-21T09:00:00Z'; the default for anything else."""
    if not isinstance(text, str):
        return default
    try:
        return datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()
    except (ValueError, OverflowError, OSError):
        return default


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or value != value else value


def _modified(folder: Path) -> float:
    try:
        return os.stat(folder).st_mtime
    except OSError:
        # it was deleted meanwhile
        return 0.0
