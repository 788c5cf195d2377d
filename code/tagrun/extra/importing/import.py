"""Import runs of MLflow, TensorBoard, Weights & Biases or CSV files.

Your tables and plots then have them too. Each run becomes __result__/<tag>/<id>/ with
statistic.json, history.csv and run.json, marked as imported. Its code was not recorded, so it has
no commit, and `continue` and `rerun` refuse it. The tag is the experiment's, project's or file's
name unless --tag names one. train_loss and the like become train/loss, as Tagrun has it. The same
run is imported once.

Exit codes: 0 done, 1 refused, 2 usage.
"""

import os
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from tagrun.core import finder
from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.extra.importing import convert
from tagrun.extra.importing.foreign import ForeignRun
from tagrun.store import experlist, history, layout, names, run_json, statistic
from tagrun.store.run_ref import TAGS, RunRef

GROUP = 'Share', 4
EXAMPLES = (
    'tagrun import mlruns                            every run of MLflow there; mlflow.db does too',
    'tagrun import runs/ --tag tensorboard           a run for each folder with event files',
    'tagrun import wandb/ --dry-run                  what would be imported',
    'tagrun import log.csv --monitor val/acc         one line an epoch or a step',
    'tagrun import log.csv --rename accuracy=val/acc',
)
SHOWN = 20  # runs that are named


class Imported(NamedTuple):
    """A run that was imported, or would be."""

    run: RunRef
    status: str


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    options = convert.Options(
        args.monitor, args.mode, _renames(parser, args.rename), args.keep_names
    )
    _check_name('tag', args.tag, names.check_tag)
    _check_name('set', args.to, names.check_set)
    by_tag: dict[str, list[ForeignRun]] = {}
    for source in args.source:
        for foreign_run in _read_all(source):
            by_tag.setdefault(args.tag or convert.tag_of(foreign_run.group), []).append(foreign_run)
    if not by_tag:
        raise UserError('nothing was imported')
    repository = Repository.at(ROOT)
    for tag in by_tag:
        _check_unrecorded(repository, tag)
    imported: list[Imported] = []
    for tag, runs in by_tag.items():
        imported += _import(tag, runs, options, args.dry_run)
    if imported and not args.dry_run:
        _list(imported, args.to)
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


def _read_all(source: str) -> list[ForeignRun]:
    """Return the runs at a path; one that cannot be read is named, and stops no other.

    Raises UserError where there is none of any kind.
    """
    if not os.path.exists(source):
        raise UserError(f'{source}: there is no such file or folder')
    runs: list[ForeignRun] = []
    is_any = False
    for path in finder.modules('foreign_*.py'):
        kind = finder.load(path)
        for label, location in kind.find_runs(source).items():
            is_any = True
            try:
                runs.append(_read(kind, location))
            except (OSError, ValueError) as error:
                why = getattr(error, 'strerror', None) or error
                echo(f'{label}: {kind.KIND}: {why}; left out')
    if not is_any:
        raise UserError(
            f'{source}: neither a folder or database of MLflow, nor TensorBoard\'s event '
            'files, nor runs of W&B (*.wandb), nor CSV'
        )
    return sorted(runs, key=lambda run: (run.started or 0, run.name))


def _read(kind: ModuleType, location: Any) -> ForeignRun:
    run = kind.read_run(location)
    if not run.points:
        raise ValueError('no metric in it')
    return run


def _check_unrecorded(repository: Repository, tag: str) -> None:
    """Raise UserError for a tag of runs that were recorded here: their code is not the others'."""
    is_recorded = repository.resolve(f'{TAGS}{tag}') or any(
        _origin(RunRef(tag, number)) is None for number in layout.numbers(ROOT, tag)
    )
    if is_recorded:
        raise UserError(f'{tag!r} is a tag of runs that were recorded here: --tag names another')


def _origin(run: RunRef) -> dict[str, Any] | None:
    """Return where a run was imported from; None if it was trained here or cannot be read."""
    try:
        origin = run_json.read(run.folder(ROOT)).get('imported')
    except (OSError, ValueError):
        return None
    return origin if isinstance(origin, dict) else None


def _import(
    tag: str, runs: Sequence[ForeignRun], options: convert.Options, dry_run: bool
) -> list[Imported]:
    """Import the runs that this project lacks, or only show them; return them."""
    known = _known(tag)
    new = [run for run in runs if (run.kind, run.id) not in known]
    if len(new) < len(runs):
        echo(f'{tag}: {plural(len(runs) - len(new), "run")} imported before')
    imported = []
    for number, foreign_run in enumerate(new):
        content = convert.statistic_content(foreign_run, options)
        rows = convert.history_rows(convert.renamed(foreign_run.points, options))
        run = RunRef(tag, number) if dry_run else _write(tag, content, rows)
        imported.append(Imported(run, foreign_run.status))
        if number < SHOWN:
            echo(f'{run}  {_summary(foreign_run, content, len(rows))}')
    if len(new) > SHOWN:
        echo(f'… and {len(new) - SHOWN:,} more')
    return imported


def _known(tag: str) -> set[tuple[Any, Any]]:
    """Return (kind, id) of the runs that were imported under a tag."""
    origins = [_origin(RunRef(tag, number)) for number in layout.numbers(ROOT, tag)]
    return {(origin.get('kind'), origin.get('id')) for origin in origins if origin}


def _summary(run: ForeignRun, content: dict[str, Any], row_count: int) -> str:
    parts = [run.kind, run.name, f'{plural(row_count, run.x)} with a metric', run.status]
    monitor = content['monitor']
    best = content['metric'].get(monitor)
    if best is not None:
        parts.append(f'{monitor} {best:.4g} at {run.x} {content["best_" + run.x]}')
    return '  '.join(part for part in parts if part)


def _write(tag: str, content: dict[str, Any], rows: list[dict[str, Any]]) -> RunRef:
    """Write the files of a new run, read-only; return the run.

    run.json comes last: with it the run is complete.
    """
    try:
        number, folder = layout.claim(ROOT, tag)
        run = RunRef(tag, number)
        statistic.write(folder, {'run': str(run), **content})
        history.write(folder, rows)
        origin = content['imported']
        run_json.write(folder, run_json.build(ROOT, tag, number, None, None, imported=origin))
        for path in folder.iterdir():
            path.chmod(0o444)
    except OSError as error:
        raise UserError(f'{layout.result(ROOT)}: {error}') from None
    return run


def _list(imported: Sequence[Imported], name: str) -> None:
    """Add the runs to a list; to finished only those that ended well."""
    runs = [
        each.run for each in imported if each.status == statistic.FINISHED or name != 'finished'
    ]
    experlist.add(ROOT, name, runs)
    tag = imported[0].run.tag
    echo(
        f'{plural(len(runs), "run")} added to the set {name!r}: `table {name}`, `expls {tag}`, '
        f'`plot {tag}` show them'
    )
