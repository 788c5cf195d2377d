"""List the tags, or the runs of some: status, progress, metrics.

The newest is the last line, next to the prompt. Status: created, queued (e.g. on Slurm), running,
finished, failed, interrupted, killed, pruned; `continue` goes on with the last four. The remark
column shows the run that it began with, what differs from the tag's first run, and how it ended.
Runs by hand, which nothing records, are those of `scratch`.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tagrun.core.cli import aligned, selectors
from tagrun.core.cli.messages import UserError, duration, echo, figure, put
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.git.repository import Repository
from tagrun.core.launch import jobs
from tagrun.core.project import ROOT
from tagrun.core.record import secret_rules
from tagrun.store import evaluations, inputs, jsonfile, layout, run_ref, statistic
from tagrun.store.run_ref import RunRef

GROUP = 'Look', 1
EXAMPLES = (
    'expls                   one line a tag',
    'expls first             its runs',
    'expls -r                the runs of all tags',
    'expls @record           the runs of a list',
    'expls --json | jq .     for a program',
    'expls --evaluations     what `tagrun evaluate` measured, of these runs or of all',
)
BY_HAND = {layout.SCRATCH: 'by hand, not recorded'}
# … of an evaluation
EVALUATED = ('checkpoint', 'phases', 'set', 'metric', 'seed', 'commit', 'message')
# of statistic.json, as --json has them
KEYS = ('epoch', 'epochs', 'monitor', 'monitor_mode', 'best_epoch', 'seed', 'commit', 'message')


def main(argv: Sequence[str]) -> None:
    args = build_parser().parse_args(argv)
    runs = selectors.several(ROOT, args.run) if args.run else _all()
    if not runs and not args.run:
        echo('no run exists yet: `run first` makes one')
    if args.evaluations:
        return _show_evaluations(runs, time.time(), args.json)
    statuses = run_status.read_statuses(ROOT, runs)
    statuses = jobs.with_engine_states(ROOT, statuses)
    if args.run or args.runs:
        statuses.sort(key=lambda status: status.started)
        return _show_runs(statuses, time.time(), args.json)
    return _show_tags(_by_tag(statuses), time.time(), args.json)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('expls', __doc__, EXAMPLES)
    parser.add_argument('run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    parser.add_argument('-r', '--runs', action='store_true', help='the runs of all tags')
    help_evaluations = 'the evaluations of these runs, or of all'
    parser.add_argument('-e', '--evaluations', action='store_true', help=help_evaluations)
    parser.add_argument('--json', action='store_true', help='as JSON, with all digits')
    return parser


def _all() -> list[RunRef]:
    runs: list[RunRef] = []
    for tag in layout.tags(ROOT):
        runs += [RunRef(tag, number) for number in layout.numbers(ROOT, tag)]
    return runs


# --- tags ---


def _by_tag(statuses: Iterable[RunStatus]) -> dict[str, list[RunStatus]]:
    """Return {tag: its runs}; the tag whose latest run is the newest comes last."""
    groups: dict[str, list[RunStatus]] = {}
    for status in statuses:
        groups.setdefault(status.tag, []).append(status)
    return dict(sorted(groups.items(), key=lambda group: group[1][-1].started))


def _show_tags(groups: Mapping[str, list[RunStatus]], now: float, as_json: bool) -> None:
    messages = _messages()
    why = {tag: _why(messages.get(tag, ''), runs) for tag, runs in groups.items()}
    best = {tag: _best(runs) for tag, runs in groups.items()}
    if as_json:
        _print_json(_plain_tag(runs, why[tag], best[tag], now) for tag, runs in groups.items())
        return
    label = _label(best.values())
    rows = []
    for tag, runs in groups.items():
        cells = (_status_of_tag(runs, now), _figure(best[tag], label), _age(runs[-1], now))
        rows.append((tag, str(len(runs)), *cells, why[tag]))
    _print(('tag', 'runs', 'status', label, 'age', 'why'), ('runs', label), rows)


def _messages() -> dict[str, str]:
    """Return {tag: the first line of its message}, without the message of a `run` without -m.

    Outside a git repository no tag has a message.
    """
    try:
        fields = ('refname:strip=2', 'contents:subject')
        rows = Repository.at(ROOT).refs(run_ref.TAGS.rstrip('/'), fields)
    except UserError:
        return BY_HAND
    redact = secret_rules.redact_text
    return {tag: redact(text) for tag, text in rows if text != f'run {tag}'} | BY_HAND


def _why(message: str, runs: Sequence[RunStatus]) -> str:
    """Return the tag's message, or where its runs are from, and what they began with."""
    return '   '.join(filter(None, [message or _imported(runs), _origin(runs[-1])]))


def _origin(status: RunStatus) -> str:
    """Return 'from pre/0:epoch_3.pth' for a run that takes a file of another; '' for others."""
    names = inputs.names(status.content.get('inputs'))
    return f'from {names}' if names else ''


def _imported(runs: Sequence[RunStatus]) -> str:
    """Return 'imported from MLflow' for runs that another tool recorded, '' for others."""
    imported = runs[-1].content.get('imported')
    return f'imported from {imported.get("kind")}' if isinstance(imported, dict) else ''


def _best(runs: Sequence[RunStatus]) -> RunStatus:
    """Return the best of a tag's runs; the first of equals."""
    best = runs[0]
    for status in runs[1:]:
        if run_status.better(status, best):
            best = status
    return best


def _plain_tag(runs: Sequence[RunStatus], why: str, best: RunStatus, now: float) -> dict[str, Any]:
    """Return a tag as --json has it."""
    return {
        'tag': runs[0].tag,
        'runs': len(runs),
        'why': why,
        'latest': _plain(runs[-1], now),
        'best': _plain(best, now),
    }


# --- runs ---


def _show_runs(statuses: Sequence[RunStatus], now: float, as_json: bool) -> None:
    first = _first_runs(statuses)
    differs = [run_status.differences(status, first[status.tag]) for status in statuses]
    pairs = list(zip(statuses, differs, strict=True))
    if as_json:
        _print_json({**_plain(status, now), 'differs': differing} for status, differing in pairs)
        return
    label = _label(statuses)
    rows = []
    for status, differing in pairs:
        cells = (_state(status, now), _epoch(status), _figure(status, label))
        seed = str(status.content.get('seed', ''))
        rows.append((status.name, *cells, seed, _age(status, now), _remark(status, differing)))
    head = ('run', 'status', 'epoch', label, 'seed', 'age', 'remark')
    _print(head, ('epoch', label, 'seed'), rows)


def _first_runs(statuses: Iterable[RunStatus]) -> dict[str, RunStatus]:
    """Return {tag: its first run of those in __result__}."""
    known = {status.run: status for status in statuses}
    first: dict[str, RunStatus] = {}
    for tag in dict.fromkeys(run.tag for run in known):
        run = RunRef(tag, layout.numbers(ROOT, tag)[0])
        first[tag] = known.get(run) or run_status.read_status(ROOT, run)
    return first


def _remark(status: RunStatus, differing: Mapping[str, Any]) -> str:
    """Return what it began with, what differs from the tag's first run, then how it ended."""
    pairs = ' '.join(f'{name}={value}' for name, value in differing.items())
    message = str(status.content.get('message', ''))
    return '   '.join(filter(None, [_origin(status), pairs, message]))


# --- evaluations ---


def _show_evaluations(runs: Iterable[RunRef], now: float, as_json: bool) -> None:
    refs = evaluations.of_runs(ROOT, runs)
    statuses = run_status.read_statuses(ROOT, refs)
    statuses = jobs.with_engine_states(ROOT, statuses)
    statuses.sort(key=lambda status: status.started)
    if as_json:
        _print_json(_plain_evaluation(status) for status in statuses)
        return
    rows = []
    for status in statuses:
        checkpoint = str(status.content.get('checkpoint', '')).removesuffix('.pth')
        cells = (status.state, checkpoint, _age(status, now), _measured(status.content))
        rows.append((status.name, *cells))
    _print(('evaluation', 'status', 'checkpoint', 'age', 'measured'), (), rows)
    if not rows:
        echo('there is no evaluation yet: `tagrun evaluate <run>` makes one')


def _measured(content: Mapping[str, Any]) -> str:
    """Return what was set for an evaluation, its metrics, and why it failed."""
    settings, metrics = (content.get(key) for key in ('set', 'metric'))
    parts = [f'{name}={value}' for name, value in (settings or {}).items()]
    for name, value in (metrics or {}).items():
        parts.append(f'{name} {figure(jsonfile.number(value))}')
    return '  '.join([*parts, str(content.get('message', ''))]).rstrip()


def _plain_evaluation(status: RunStatus) -> dict[str, Any]:
    """Return an evaluation as --json has it."""
    values = {key: status.content.get(key) for key in EVALUATED}
    return {'evaluation': status.name, 'status': status.state, **values}


# --- cells ---


def _status_of_tag(runs: Sequence[RunStatus], now: float) -> str:
    """Return the latest run's status: 'running 3/8, 12 s left; 2 more running'."""
    latest = runs[-1]
    others = sum(status.state == statistic.RUNNING for status in runs[:-1])
    epoch = _epoch(latest) if latest.state != statistic.FINISHED else ''
    text = _state(latest, now, epoch)
    return f'{text}; {others} more running' if others else text


def _state(status: RunStatus, now: float, epoch: str = '') -> str:
    """Return 'finished', 'running, 12 s left'."""
    text = f'{status.state} {epoch}'.rstrip()
    eta = status.eta_s(now)
    return text if eta is None else f'{text}, {duration(eta)} left'


def _epoch(status: RunStatus) -> str:
    return statistic.progress(status.content)


def _label(runs: Iterable[RunStatus]) -> str:
    """Return the monitored metric's name, if it is the same of all."""
    monitored = {status.monitor for status in runs} - {''}
    return monitored.pop() if len(monitored) == 1 else 'best'


def _figure(status: RunStatus, label: str) -> str:
    if status.best is None:
        return ''
    number = figure(status.best)
    return number if label == status.monitor else f'{status.monitor} {number}'


def _age(status: RunStatus, now: float) -> str:
    """Return the time since the run was last started, in its largest unit: '3 min'."""
    return ' '.join(duration(max(0, now - status.started)).split()[:2])


def _plain(status: RunStatus, now: float) -> dict[str, Any]:
    """Return a run as --json has it: full digits, null where there is nothing."""
    content = status.content
    times = content.get('time', {})
    return {
        'run': status.name,
        'status': status.state,
        **{key: content.get(key) for key in KEYS},
        'best': content.get('metric', {}).get(status.monitor),
        'eta_s': status.eta_s(now),
        'started': times.get('started'),
        'updated': times.get('updated'),
        'seconds': times.get('seconds'),
        'inputs': content.get('inputs', {}),
    }


# --- output ---


def _print(head: Sequence[str], right: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        put('\n'.join(aligned.lines(head, rows, right)))


def _print_json(objects: Iterable[dict[str, Any]]) -> None:
    put(jsonfile.dumps(list(objects)), end='')
