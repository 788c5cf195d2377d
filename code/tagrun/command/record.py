"""Add runs to a list, which `title` and `table` then use.

The list is __statistic__/exper-list/record.txt. A bare tag stands for all its runs; without any, it
is the latest run of the commit you stand on. The list is yours to edit: one <tag>/<id> a line, #
comments. Nothing is added twice.

Exit codes: 0 done, 1 refused, 2 usage.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.project import ROOT
from tagrun.store import experlist, layout, names, statistic
from tagrun.store.run_ref import RunRef

GROUP = 'Compare', 4
EXAMPLES = (
    "record                   the latest run recorded from the commit you stand on",
    "record five wide/2       all runs of `five`, and one of `wide`",
    "record five --to paper   into another list; `table paper` shows it",
)


def main(argv: Sequence[str]) -> int:
    args = build_parser().parse_args(argv)
    reason = names.check_set(args.to)
    if reason:
        raise UserError(f'{args.to!r} cannot be a set: {reason}')
    words = [word.removesuffix('/*') for word in args.run]
    runs = selectors.several(ROOT, words) or [_latest_of_head()]
    _refuse_unfinished(runs, args.to)
    path = layout.list_file(ROOT, args.to)
    try:
        added = experlist.add(ROOT, args.to, runs)
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from None
    _report(runs, added)
    total = len(experlist.read(ROOT, args.to).runs)
    echo(f'{quote(os.path.relpath(path))}: {plural(total, "run")}')
    return 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('record', __doc__, EXAMPLES)
    parser.add_argument('run', nargs='*', help='<tag>, <tag>/<id>, @last, or @<set>')
    parser.add_argument(
        '--to', metavar='SET', default='record', help='the list to add to (%(default)s)'
    )
    return parser


def _latest_of_head() -> RunRef:
    """Return the latest run of the commit that is checked out. Raises UserError if it has none."""
    # imported here: `record <tag>` does not load GitPython
    from tagrun.core.git.repository import Repository
    from tagrun.core.record import runs_of_head

    repository = Repository.at(ROOT)
    runs = runs_of_head.runs(repository)
    if not runs:
        commit = (repository.resolve('HEAD') or 'none yet')[:10]
        raise UserError(
            f'no run here was recorded from the commit you stand on ({commit}): '
            '`run <tag>` makes one, `record <tag>` adds another'
        )
    return runs[-1]


def _refuse_unfinished(runs: Sequence[RunRef], name: str) -> None:
    """Raise UserError for a run that is not finished, where the set is `finished`."""
    if name != experlist.FINISHED:
        return
    states = {run: _state(run.folder(ROOT)) for run in runs}
    for run, state in states.items():
        if state != statistic.FINISHED:
            raise UserError(
                f'{run} is not finished ({state}), and finished.txt lists what is: '
                f'`record {run} --to <another set>`'
            )


def _report(runs: Sequence[RunRef], added: Sequence[RunRef]) -> None:
    """Name the runs that were added, those that the list had already, and those not finished."""
    new = set(added)
    old = [run for run in runs if run not in new]
    if old:
        echo(f'there already: {experlist.compact(old)}')
    if added:
        echo(f'added: {experlist.compact(added)}')
    for run in added:
        state = _state(run.folder(ROOT))
        if state != statistic.FINISHED:
            echo(f'  {run} is not finished: {state}')


def _state(folder: Path) -> str:
    try:
        return str(statistic.state(folder))
    except (OSError, ValueError) as error:
        return f'its statistic.json cannot be read ({error})'
