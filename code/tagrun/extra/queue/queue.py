"""Show the queued runs, and train them in the background.

`run -q`, `continue -q`, `rerun -q` and `sweep -q` queue runs, with the code as it is then. Workers
train the lowest `--priority` first. They survive the terminal and end when the queue is empty. If a
worker was killed, the next one continues its run. A run that failed stays in the queue as failed
until you remove it or queue it again. After a reboot: `queue start`.
"""

import os
import re
import signal
import time
from typing import Any

from tagrun.core.cli import aligned, selectors
from tagrun.core.cli.messages import UserError, duration, echo, plural, printable, put, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.launch import detach
from tagrun.core.launch.local_pool import gpus
from tagrun.core.project import ROOT
from tagrun.extra.queue import entries, worker
from tagrun.extra.queue.entries import Entry
from tagrun.store import experlist, jsonfile, lock, safe_read, statistic
from tagrun.store.evaluations import Ref
from tagrun.store.run_ref import RunRef

GROUP = 'Many runs', 2
EXAMPLES = (
    'tagrun queue                  what is queued, and what is trained',
    'tagrun queue start            train it, one after the other, in the background',
    'tagrun queue start -j 4       four at once; each with a GPU of its own, where there are GPUs',
    'tagrun queue stop             the workers save what they train, and end',
    'tagrun queue priority t1/0 -5  train it earlier: lower comes first, 0 is the default',
    'tagrun queue remove t1/0      remove it from the queue',
    'tagrun queue logs t1/0        the end of its log; without a run, of all that are trained',
)
ACTIONS = ('show', 'start', 'stop', 'remove', 'priority', 'logs')
HEAD = ('run', 'status', 'priority', 'queued for', 'why')
STOP_S = 60  # at most, until the workers have saved
TAIL = 20  # lines of a log


def main(argv: list[str]) -> int:
    """Run the command; return the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.jobs is not None and args.jobs < 1:
        parser.error('-j takes a number of 1 or more')
    if args.action == 'remove' and not args.run:
        parser.error('queue remove needs a run: queue remove t1/0')
    if args.action in ('start', 'stop') and args.run:
        parser.error(f'queue {args.action} takes no run')
    if args.action == 'start':
        return _start(args.jobs)
    if args.action == 'stop':
        return _stop()
    if args.action == 'remove':
        return _remove(args.run)
    if args.action == 'priority':
        return _set_priority(parser, args.run)
    if args.action == 'logs':
        return _show_logs(args.run)
    return _show(args.run, args.json)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('queue', __doc__, EXAMPLES)
    parser.add_argument(
        'action',
        nargs='?',
        choices=ACTIONS,
        default='show',
        help=f'{", ".join(ACTIONS)}; show if you name none',
    )
    parser.add_argument('run', nargs='*', help='<tag> (all its runs) or <tag>/<id>')
    parser.add_argument(
        '-j', '--jobs', metavar='N', type=int, help='so many at once; else one, or one for each GPU'
    )
    parser.add_argument('--json', action='store_true', help='as JSON')
    return parser


# --- what is queued ----------------------------------------------------------------------------


def _show(words: list[str], as_json: bool) -> int:
    queued = _selected(words) if words else entries.entries(ROOT)
    statuses = [run_status.read_status(ROOT, entry.run) for entry in queued]
    pairs, now = list(zip(queued, statuses, strict=True)), time.time()
    if as_json:
        content = [_json(entry, status, now) for entry, status in pairs]
        put(jsonfile.dumps(content), end='')
        return 0
    rows = [_row(entry, status, now) for entry, status in pairs]
    if rows:
        put('\n'.join(aligned.lines(HEAD, rows, ('priority',))))
    workers = len(worker.alive(ROOT))
    hint = '' if workers or not queued else ': `tagrun queue start`'
    echo(f'{plural(len(queued), "run")} queued, {plural(workers, "worker")} at work{hint}')
    return 0


def _json(entry: Entry, status: RunStatus, now: float) -> dict[str, Any]:
    return {
        'run': str(entry.run),
        'status': _state(entry, status),
        'priority': entry.priority,
        'why': entry.reason,
        'since': entry.since / 1e9,
        'eta_s': status.eta_s(now),
    }


def _row(entry: Entry, status: RunStatus, now: float) -> tuple[str, ...]:
    queued_s = max(0.0, now - entry.since / 1e9)
    text = _status_text(entry, status, now)
    return str(entry.run), text, str(entry.priority), duration(queued_s), entry.reason


def _state(entry: Entry, status: RunStatus) -> str:
    if entry.state == entries.FAILED or status.state != statistic.RUNNING:
        return entry.state
    return status.state


def _status_text(entry: Entry, status: RunStatus, now: float) -> str:
    """Return 'running 3/40, 12 s left', or 'waiting, killed 3/40' for a run that will go on."""
    state, epoch = _state(entry, status), ''
    if status.content.get('epoch'):
        epoch = f' {statistic.progress(status.content)}'
    if state == entries.WAITING and status.state in (statistic.INTERRUPTED, statistic.KILLED):
        return f'waiting, {status.state}{epoch}'
    eta = status.eta_s(now)
    left = '' if eta is None else f', {duration(eta)} left'
    return f'{state}{epoch}{left}'


def _selected(words: list[str]) -> list[Entry]:
    """Return the entries of runs on the command line. Raises UserError for one without."""
    queued = entries.entries(ROOT)
    selected: dict[Entry, None] = {}
    for word in words:
        matching = _matching(queued, word)
        if not matching:
            raise UserError(f'{word} is not queued: `tagrun queue` shows what is')
        selected.update(dict.fromkeys(matching))
    return list(selected)


def _matching(queued: list[Entry], word: str) -> list[Entry]:
    """Return the entries of a run, an evaluation, or all of a tag."""
    evaluation = selectors.evaluation(ROOT, word)
    if evaluation:
        return [entry for entry in queued if entry.run == evaluation]
    tag, number = selectors.parts(ROOT, word)
    if number is None:
        return [entry for entry in queued if entry.run.tag == tag]
    return [entry for entry in queued if entry.run == RunRef(tag, number)]


def _show_logs(words: list[str]) -> int:
    if words:
        shown = _selected(words)
    else:
        shown = [entry for entry in entries.entries(ROOT) if entries.is_trained(ROOT, entry.run)]
    for entry in shown:
        _show_log(entry)
    if not shown:
        echo('nothing is being trained')
    return 0


def _show_log(entry: Entry) -> None:
    path = entry.folder(ROOT) / 'log'
    try:
        text = safe_read.read_bytes(path).decode('utf-8', 'replace')
    except FileNotFoundError:
        echo(f'{entry.run}: there is no log yet')
    except (OSError, ValueError) as error:
        echo(f'{entry.run}: {error}')
    else:
        echo(f'{entry.run}:  tail -f {quote(os.path.relpath(path))}')
        put('\n'.join(printable(line) for line in text.splitlines()[-TAIL:]))


def _remove(words: list[str]) -> int:
    removed: list[Ref] = []
    trained: list[Ref] = []
    for entry in _selected(words):
        (removed if entries.remove(ROOT, entry) else trained).append(entry.run)
    if removed:
        echo(f'removed from the queue: {_compact(removed)}; `continue` still trains them')
    if trained:
        names, verb = ', '.join(map(str, trained)), 'is' if len(trained) == 1 else 'are'
        raise UserError(
            f'{names} {verb} being trained: `tagrun stop {trained[0]}` stops it, '
            '`tagrun queue stop` all'
        )
    return 0


def _compact(refs: list[Ref]) -> str:
    """Return 'mlp/0-2 cnn/0' of runs, and evaluations one by one."""
    runs = [ref for ref in refs if isinstance(ref, RunRef)]
    others = [str(ref) for ref in refs if ref not in runs]
    return ' '.join(filter(None, [experlist.compact(runs), *others]))


def _set_priority(parser: Parser, words: list[str]) -> int:
    if len(words) < 2 or not re.fullmatch('-?[0-9]{1,9}', words[-1]):
        parser.error('queue priority takes runs and a whole number: queue priority t1/0 -5')
    priority, selected = int(words[-1]), _selected(words[:-1])
    trained = [entry.run for entry in selected if not entries.set_priority(ROOT, entry, priority)]
    if trained:
        raise UserError(f'{_compact(trained)} is being trained: it has come first')
    runs = _compact([entry.run for entry in selected])
    echo(f'priority {priority}: {runs}; lower comes first')
    return 0


# --- workers -----------------------------------------------------------------------------------


def _start(jobs: int | None) -> int:
    check.require()
    repository, devices = Repository.at(ROOT), gpus()
    alive, waiting = worker.alive(ROOT), entries.waiting(ROOT)
    if not waiting:
        echo('nothing waits: `run <tag> -q` queues a run')
        return 0
    free = [slot for slot in range(jobs or max(1, len(devices))) if slot not in alive]
    if not free:
        echo(f'{plural(len(alive), "worker")} at work already; -j {len(alive) + 1} adds one')
        return 0
    echo(
        f'{plural(len(waiting), "run")} queued, {plural(len(free) + len(alive), "worker")} '
        'at work in the background:  tagrun queue'
    )
    for slot in free:
        if detach.in_background():
            return worker.work(repository, slot, devices)
    return 0


def _stop() -> int:
    alive = worker.alive(ROOT)
    if not alive:
        echo('no worker is at work')
        return 0
    for slot, owner in alive.items():
        folder = worker.folder(ROOT, slot)
        if not lock.signal_owner(folder, signal.SIGTERM):
            raise UserError(
                f'{os.path.relpath(folder)}/lock names process {owner.get("pid")} on '
                f'{owner.get("host")}, which is not a worker on this machine: stop it there'
            )
    end = time.monotonic() + STOP_S
    while worker.alive(ROOT) and time.monotonic() < end:
        time.sleep(0.05)
    left = worker.alive(ROOT)
    if left:
        echo(f'{plural(len(left), "worker")} still saving')
    else:
        echo(
            f'{plural(len(alive), "worker")} stopped; what was trained is saved, `tagrun queue '
            'start` goes on'
        )
    return 0
