"""Import runs of MLflow, TensorBoard, Weights & Biases or CSV files.

Your tables and plots then have them too. Each run becomes __result__/<tag>/<id>/ with
statistic.json, history.csv and run.json, marked as imported. Its code was not recorded, so it has
no commit, and `continue` and `rerun` refuse it. The tag is the experiment's, project's or file's
name unless --tag names one. train_loss and the like become train/loss, as Tagrun has it. The same
run is imported once.

Exit codes: 0 done, 1 refused, 2 usage.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tagrun.core import finder
from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.extra.importing import convert
from tagrun.extra.importing.foreign import ForeignRun, checked
from tagrun.store import atomic, experlist, history, layout, limits, names, run_json, statistic
from tagrun.store.incoming import Incoming
from tagrun.store.limits import Budget
from tagrun.store.run_ref import TAGS, RunRef

GROUP = 'Share', 4
EXAMPLES = (
    'tagrun import mlruns                            every run of MLflow there; mlflow.db does too',
    'tagrun import runs/ --tag tensorboard           a run for each folder with event files',
    'tagrun import wandb/ --dry-run                  what would be imported',
    'tagrun import log.csv --monitor val/acc         one line an epoch or a step',
    'tagrun import log.csv --rename accuracy=val/acc',
)
TEXT = 'bytes of metrics in one import'
SHOWN = 20  # runs that are named
FILES = (run_json.NAME, history.NAME, statistic.NAME)  # of an imported run


class Ready(NamedTuple):
    """A run that was read, as its files will be."""

    run: ForeignRun  # its points left out: those of a thousand runs fill the memory
    content: dict[str, Any]  # of statistic.json
    history: str  # the text of history.csv
    row_count: int

    @property
    def summary(self) -> str:
        """One line: what came from where."""
        run, content = self.run, self.content
        parts = [run.kind, run.name, f'{plural(self.row_count, run.x)} with a metric', run.status]
        monitor = content['monitor']
        best = content['metric'].get(monitor)
        if best is not None:
            parts.append(f'{monitor} {best:.4g} at {run.x} {content["best_" + run.x]}')
        return '  '.join(part for part in parts if part)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    options = convert.Options(
        args.monitor, args.mode, _renames(parser, args.rename), args.keep_names
    )
    _check_name('tag', args.tag, names.check_tag)
    _check_name('set', args.to, names.check_set)
    by_tag: dict[str, list[Ready]] = {}
    budget = Budget(**{TEXT: limits.TEXT})
    for source in args.source:
        for ready in _read_all(source, options, budget):
            by_tag.setdefault(args.tag or convert.tag_of(ready.run.group), []).append(ready)
    if not by_tag:
        raise UserError('nothing was imported')
    repository = Repository.at(ROOT)
    for tag in by_tag:
        _check_unrecorded(repository, tag)
    if args.dry_run:
        for tag, runs in by_tag.items():
            _report(_lacking(tag, runs))
        return 0
    try:
        with Incoming(ROOT, on_wait=_report_wait) as incoming:
            _import(by_tag, args.to, incoming)
    except OSError as error:
        raise UserError(f'{error.filename or layout.result(ROOT)}: {error.strerror}') from None
    return 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('import', __doc__, EXAMPLES)
    parser.add_argument(
        'source', nargs='+', help='a folder or file; Tagrun recognizes the tool by itself'
    )
    parser.add_argument('--tag', help='of all of them, instead of their experiments\' names')
    parser.add_argument(
        '--to',
        metavar='SET',
        default='finished',
        help='the list they are added to (%(default)s: those that ended well)',
    )
    parser.add_argument('--monitor', metavar='METRIC', help='the one that names the best epoch')
    parser.add_argument(
        '--mode',
        choices=('min', 'max'),
        help='which values of it are better, if its name does not say',
    )
    parser.add_argument(
        '--rename', metavar='OLD=NEW', action='append', default=[], help='rename a metric'
    )
    parser.add_argument('--keep-names', action='store_true', help='train_loss stays train_loss')
    parser.add_argument(
        '-n', '--dry-run', action='store_true', help='show what would be imported, and do nothing'
    )
    return parser


def _renames(parser: Parser, pairs: Sequence[str]) -> dict[str, str]:
    renames = dict(pair.partition('=')[::2] for pair in pairs)
    if not all(renames.values()):
        parser.error('--rename takes OLD=NEW')
    return renames


def _check_name(what: str, name: str | None, check: Callable[[str], str]) -> None:
    why = check(name) if name is not None else ''
    if why:
        raise UserError(f'{name!r} cannot be a {what}: {why}', code=2)


def _read_all(source: str, options: convert.Options, budget: Budget) -> list[Ready]:
    """Return the runs at a path; one that cannot be read is named, and stops no other.

    Raises UserError where there is none of any kind.
    """
    if not os.path.exists(source):
        raise UserError(f'{source}: there is no such file or folder')
    runs: list[Ready] = []
    is_any = False
    for path in finder.modules('foreign_*.py'):
        kind = finder.load(path)
        try:
            locations = kind.find_runs(source)
        except (OSError, ValueError) as error:
            echo(f'{source}: {kind.KIND}: {_why(error)}; left out')
            is_any = True
            continue
        for label, location in locations.items():
            is_any = True
            try:
                runs.append(_read(kind, location, options, budget))
            except (OSError, ValueError, MemoryError) as error:
                echo(f'{label}: {kind.KIND}: {_why(error)}; left out')
    if not is_any:
        raise UserError(
            f'{source}: neither a folder or database of MLflow, nor TensorBoard\'s event '
            'files, nor runs of W&B (*.wandb), nor CSV'
        )
    return sorted(runs, key=lambda ready: (ready.run.started or 0, ready.run.name))


def _why(error: Exception) -> object:
    return getattr(error, 'strerror', None) or error or type(error).__name__


def _read(kind: ModuleType, location: Any, options: convert.Options, budget: Budget) -> Ready:
    """Return a run, converted. Raises OSError, ValueError with the reason, UserError."""
    run = checked(kind.read_run(location))
    content = convert.statistic_content(run, options)
    rows = convert.history_rows(convert.renamed(run.points, options))
    text = history.Text().of(rows)
    budget.take(**{TEXT: len(text)})
    return Ready(run._replace(points={}), content, text, len(rows))


def _check_unrecorded(repository: Repository, tag: str) -> None:
    """Raise UserError for a tag of runs that were recorded here: their code is not the others'."""
    is_recorded = repository.resolve(f'{TAGS}{tag}') or any(
        _is_recorded(RunRef(tag, number).folder(ROOT)) for number in layout.numbers(ROOT, tag)
    )
    if is_recorded:
        raise UserError(f'{tag!r} is a tag of runs that were recorded here: --tag names another')


def _is_recorded(folder: Path) -> bool:
    """Return whether a folder is of a run that was trained here, or cannot be read."""
    return _origin(folder) is None and any(folder.iterdir())


def _origin(folder: Path) -> dict[str, Any] | None:
    """Return where a run was imported from; None if it was not, or cannot be read.

    Older versions wrote run.json last: a kill left a folder without it.
    """
    for read in (run_json.read_or_none, statistic.read_or_none):
        origin = (read(folder) or {}).get('imported')
        if isinstance(origin, dict):
            return origin
    return None


def _lacking(tag: str, runs: Sequence[Ready]) -> list[tuple[RunRef, Ready]]:
    """Return the runs that this project lacks, with the names that they get."""
    known: dict[tuple[Any, Any], RunRef] = {}
    numbers = layout.numbers(ROOT, tag)
    for number in numbers:
        run = RunRef(tag, number)
        origin = _origin(run.folder(ROOT))
        if origin is not None:
            known[origin.get('kind'), origin.get('id')] = run
    free = (number for number in itertools.count() if number not in numbers)
    lacking = []
    for ready in runs:
        key = (ready.run.kind, ready.run.id)
        run = known.get(key) or RunRef(tag, next(free))
        if not _is_whole(run.folder(ROOT)):
            lacking.append((run, ready))
    if len(lacking) < len(runs):
        echo(f'{tag}: {plural(len(runs) - len(lacking), "run")} imported before')
    return lacking


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)


def _import(by_tag: dict[str, list[Ready]], list_name: str, incoming: Incoming) -> None:
    """Import the runs that this project lacks, each as a whole. Raises OSError, UserError."""
    imported: list[RunRef] = []
    listed = 0
    for tag, runs in by_tag.items():
        lacking = _lacking(tag, runs)
        for run, ready in lacking:
            if ready.run.status == statistic.FINISHED or list_name != experlist.FINISHED:
                incoming.add_to(list_name, run)
                listed += 1
            _write(run, ready, incoming)
            imported.append(run)
        _report(lacking)
    if imported:
        tag = imported[0].tag
        echo(
            f'{plural(listed, "run")} added to the set {list_name!r}: `table {list_name}`, '
            f'`expls {tag}`, `plot {tag}` show them'
        )


def _report(runs: Sequence[tuple[RunRef, Ready]]) -> None:
    """Print a line for each run that came, or would come."""
    for run, ready in runs[:SHOWN]:
        echo(f'{run}  {ready.summary}')
    if len(runs) > SHOWN:
        echo(f'… and {len(runs) - SHOWN:,} more')


def _write(run: RunRef, ready: Ready, incoming: Incoming) -> None:
    """Write the files of a run, read-only, and give them their name at once. Raises OSError.

    run.json comes first: it says where the run is from.
    """
    origin = ready.content['imported']
    new = incoming.new_folder()
    run_json.write(new, run_json.build(ROOT, *run, None, None, imported=origin))
    atomic.write(new / history.NAME, ready.history)
    statistic.write(new, {'run': str(run), **ready.content})
    for path in new.iterdir():
        path.chmod(0o444)
    folder = run.folder(ROOT)
    if _origin(folder):
        incoming.take_away(folder)  # the half that an older version left
    if not incoming.place(new, run):
        raise UserError(f'{folder}: another process made it. Import again')
    incoming.is_whole(run)


def _report_wait() -> None:
    echo('another `fetch` or `import` is at work here: this one waits for it')
