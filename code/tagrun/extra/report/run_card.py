"""What the card of a single run says: its state, facts, environment and confusion matrices.

facts(run, files, commits); Environments().add(files.environment)
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from tagrun.core.cli.messages import duration
from tagrun.core.record import input_files, runs_of_head
from tagrun.extra.report.page_text import cell
from tagrun.extra.report.patches import Commit
from tagrun.extra.report.run_files import RunFiles
from tagrun.store import jsonfile, statistic, table
from tagrun.store.table import Run

ENTRIES = 2000  # facts and packages of an environment
Fact = tuple[str, str]  # (label, value)


class Environments:
    """Environments of which each stands in the page once."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def add(self, content: Mapping[str, Any]) -> int | None:
        """Return the place of environment.json's content in `all`; None for an empty one."""
        if not content:
            return None
        environment = _environment(content)
        key = json.dumps(environment)
        if key not in self._places:
            self._places[key] = len(self.all)
            self.all.append(environment)
        return self._places[key]


def status(run: Run, content: Mapping[str, Any]) -> str:
    """Return 'finished', or 'failed after 3 of 40 epochs'."""
    word, epoch = cell(run.values['run']['status']), content.get('epoch')
    if word == statistic.FINISHED or type(epoch) is not int:
        return word
    return f'{word} after {cell(statistic.progress(content, " of "))} epochs'


def facts(run: Run, files: RunFiles, commits: Mapping[str, Commit]) -> list[Fact]:
    """Return the facts that are known of a run. commits: {id: commit} as far as git has them."""
    every = [*_origin(run, files), *_commit(files, commits), *_training(run, files)]
    return [(label, value) for label, value in every if value]


def unit(info: Mapping[str, Any]) -> str:
    """Return what a line of the run's history counts."""
    imported = info.get('imported')
    return 'step' if isinstance(imported, dict) and imported.get('x') == 'step' else 'epoch'


def matrices(files: RunFiles) -> list[dict[str, Any]]:
    """Return the confusion matrices of the run's best epoch."""
    epoch, of_run = files.matrices
    return [
        {
            'title': f'{cell(name)} at epoch {cell(epoch)}',
            'classes': list(map(cell, classes)),
            'counts': rows,
        }
        for name, (classes, rows) in of_run.items()
    ]


def _origin(run: Run, files: RunFiles) -> Iterator[Fact]:
    of_run, imported = run.values['run'], files.info.get('imported')
    seed = of_run.get('seed')
    yield 'seed', '' if seed is None else cell(seed)
    by_hand = '' if imported else 'none: a run by hand'
    yield 'commit', cell(of_run.get('commit') or by_hand)
    if isinstance(imported, dict):
        words = [table.text(imported.get(key, '')) for key in ('kind', 'name', 'id')]
        yield 'imported from', cell(' '.join(words))
    yield 'began with', cell('; '.join(input_files.lines(files.info.get('inputs'))))
    yield 'fetched from', cell(files.info.get('fetched_from') or '')


def _commit(files: RunFiles, commits: Mapping[str, Commit]) -> Iterator[Fact]:
    commit = commits.get(files.info.get('commit', ''))
    if commit is None:
        return
    parent = commits.get(commit.parent)
    # a side commit has the uncommitted changes, and its parent is what the user wrote
    if commit.message.startswith(runs_of_head.SIDE) and parent:
        yield 'made from', f'{commit.parent[:10]} {parent.message}'
    else:
        yield 'message', commit.message
    yield 'author', cell(commit.author)
    yield 'recorded', _date(commit.time)


def _training(run: Run, files: RunFiles) -> Iterator[Fact]:
    content, time = files.statistic, files.statistic.get('time', {})
    best = cell(content.get('best_epoch', '?'))
    yield 'epochs', f'{cell(statistic.progress(content, " of ") or "?")}, best {best}'
    yield 'watched', f'{cell(run.monitor or "nothing")}, {cell(run.monitor_mode)}'
    seconds = jsonfile.number(time.get('seconds'))
    yield 'trained', duration(seconds) if seconds is not None and seconds >= 0 else ''
    yield 'started', cell(time.get('started', ''))
    yield 'weights', cell(content.get('digest', {}).get('weights', ''))


def _environment(content: Mapping[str, Any]) -> dict[str, Any]:
    packages = content.get('packages')
    if not isinstance(packages, dict):
        packages = {}
    others = {name: value for name, value in content.items() if name != 'packages'}
    return {'facts': _cells(others), 'packages': _cells(packages)}


def _cells(pairs: Mapping[str, Any]) -> list[list[str]]:
    return [[cell(name), cell(value)] for name, value in pairs.items()][:ENTRIES]


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
    except (OverflowError, ValueError, OSError):
        return ''
