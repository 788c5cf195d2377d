"""What the page of a report shows of each run, as plain values that fit into JSON.

    content = gather(root, repository, runs, columns)       # `data` of page.html

Equal texts (environments, patches, logs) stand in it once, long ones are cut, curves are thinned: a
thousand runs are some megabytes. What looks like a secret key or token is hidden.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.tables import formats
from tagrun.extra.report import patches, run_card, run_files, run_links, thinned_curves
from tagrun.extra.report.page_text import Texts, cell, figure, sortable
from tagrun.extra.report.patches import Commit
from tagrun.extra.report.run_files import RunFiles
from tagrun.store import table
from tagrun.store.run_ref import TAGS
from tagrun.store.table import Column, Run

POINTS = 200_000  # of all curves together
CURVE = (24, 600)  # points of a curve: at least and at most
LOGS = 3 << 19  # bytes of all logs' ends together
LOG = (1000, 16_384)  # bytes of a log's end: at least and at most
COUNTS = 400_000  # cells of all confusion matrices together
ENTRIES = 2000  # arguments and metrics
CURVES_AT_FIRST = 10  # runs whose curves are shown at first
LABEL = 60  # characters of a label
LABELLED = 3  # arguments in a label
STATES = ('running', 'finished', 'failed', 'interrupted', 'killed', 'pruned', 'created')


class Limits(NamedTuple):
    """How much room each run has, where all share what the page may hold."""

    log: int  # bytes
    curve: int  # points
    matrices: bool  # whether there is room for confusion matrices


class _Page(NamedTuple):
    """What the rows of the page are made of."""

    root: Path
    files: dict[str, RunFiles]  # of each run's name
    columns: Sequence[Column]  # of the table
    arguments: list[Column]
    metrics: list[Column]
    curves: list[str]
    links: dict[str, list[run_links.Link]]
    commits: dict[str, Commit]
    patches: dict[str, list[patches.TitledPatch]]
    reasons: dict[str, str]  # {tag: its message}
    limits: Limits
    texts: Texts
    environments: run_card.Environments


def gather(
    root: Path, repository: Repository | None, runs: list[Run], columns: Sequence[Column]
) -> dict[str, Any]:
    """Return the data of the page. columns: those of its table; repository: None without git."""
    page = _page(root, repository, runs, columns)
    rows = [_row(page, run) for run in runs]
    _label(rows, runs, page.arguments)
    return {
        'runs': rows,
        'texts': page.texts.all,
        'environments': page.environments.all,
        'first': CURVES_AT_FIRST,
        'top': _best(rows, runs),
        'args': [cell(column.name) for column in page.arguments],
        'metrics': [cell(column.name) for column in page.metrics],
        'curves': [cell(name) for name in page.curves],
        'monitor': cell(table.monitored(runs) or ''),
        'columns': [
            {'name': cell(column.name), 'better': table.direction(runs, column)}
            for column in columns
        ],
    }


def limits(files: Mapping[str, RunFiles], curves: int) -> Limits:
    """Return the room of each run. curves: metrics that have some."""
    count = max(1, len(files))
    cells = 0
    for of_run in files.values():
        _, matrices = of_run.matrices
        cells += sum(len(rows) ** 2 for _, rows in matrices.values())
    return Limits(
        log=_within(LOGS // count, LOG),
        curve=_within(POINTS // (count * max(1, curves)), CURVE),
        matrices=cells <= COUNTS,
    )


def _page(
    root: Path, repository: Repository | None, runs: list[Run], columns: Sequence[Column]
) -> _Page:
    """Read the files of the runs and ask git for their code."""
    files = {run.name: run_files.read(run.ref.folder(root)) for run in runs}
    commit_of = {name: of_run.info.get('commit') for name, of_run in files.items()}
    commits = patches.with_parents(repository, commit_of.values())
    names = [run.name for run in runs]
    histories = [of_run.history for of_run in files.values()]
    curves = thinned_curves.curve_names(histories, table.monitored(runs))
    return _Page(
        root=root,
        files=files,
        columns=columns,
        arguments=table.columns(runs, ('hparam',))[:ENTRIES],
        metrics=table.columns(runs, ('metric',))[:ENTRIES],
        curves=curves,
        links=run_links.of_runs(root, {name: of_run.info for name, of_run in files.items()}),
        commits=commits,
        patches=patches.gather(repository, names, commit_of, commits),
        reasons=_tag_messages(repository, {run.ref.tag for run in runs}),
        limits=limits(files, len(curves)),
        texts=Texts(),
        environments=run_card.Environments(),
    )


def _row(page: _Page, run: Run) -> dict[str, Any]:
    """Return what the page shows of one run."""
    files, texts = page.files[run.name], page.texts
    last, state = files.statistic.get('last', {}), run.values['run']['status']
    return {
        'name': run.name,
        'status': run_card.status(run, files.statistic),
        'kind': state if state in STATES else '',
        'label': '',
        'cells': [sortable(run.get(column)) for column in page.columns],
        'args': [_argument(run.get(column)) for column in page.arguments],
        'best': [figure(run.get(column)) for column in page.metrics],
        'last': [figure(last.get(column.name, table.MISSING)) for column in page.metrics],
        'message': texts.add(files.statistic.get('message')),
        'why': texts.add(page.reasons.get(run.ref.tag)),
        'facts': [
            [label, texts.add(value)] for label, value in run_card.facts(run, files, page.commits)
        ],
        'links': page.links[run.name],
        'patches': [
            [title, texts.add(patch, 2 * patches.LONGEST)]
            for title, patch in page.patches.get(run.name, ())
        ],
        'matrices': run_card.matrices(files) if page.limits.matrices else [],
        'environment': page.environments.add(files.environment),
        'log': texts.add(run_files.log_end(run.ref.folder(page.root), page.limits.log), LOG[1]),
        'curves': thinned_curves.of_run(files.history, page.curves, page.limits.curve),
        'unit': run_card.unit(files.info),
    }


def _argument(value: Any) -> str | None:
    return None if value is table.MISSING else cell(value)


def _within(value: int, bounds: tuple[int, int]) -> int:
    return min(max(value, bounds[0]), bounds[1])


def _best(rows: list[dict[str, Any]], runs: list[Run]) -> list[int]:
    """Return the places of the runs whose curves are shown at first: the best of the monitored."""
    monitored = table.monitored(runs)
    column = Column('metric', monitored or '')
    sign = -1 if monitored and table.direction(runs, column) == 'max' else 1
    numbers = [formats.as_number(run.get(column)) for run in runs]

    def rank(place: int) -> tuple[bool, float]:
        return numbers[place] is None, sign * (numbers[place] or 0)

    order = sorted(range(len(runs)), key=rank)
    return [place for place in order if rows[place]['curves']][:CURVES_AT_FIRST]


def _label(rows: list[dict[str, Any]], runs: list[Run], arguments: Sequence[Column]) -> None:
    """Set what a legend says beside a run's name: the first arguments in which the runs differ."""
    differing = [column for column in arguments if table.differs(runs, column)][:LABELLED]
    for row, run in zip(rows, runs, strict=True):
        words = []
        for column in differing:
            value = run.get(column)
            if value is not table.MISSING:
                words.append(f'{column.name}={formats.shown(value, column)}')
        row['label'] = cell(' '.join(words))[:LABEL]


def _tag_messages(repository: Repository | None, tags: set[str]) -> dict[str, str]:
    """Return {tag: its message} of those that say more than `run <tag>`."""
    if repository is None:
        return {}
    try:
        rows = repository.refs(TAGS.rstrip('/'), ('refname:strip=2', 'contents'))
    except GitError:
        return {}
    return {
        tag: message for tag, message in rows if tag in tags and message.strip() != f'run {tag}'
    }
