"""Write a set's table to a Google sheet.

With --live it keeps the rows of running experiments up to date.

Five steps, once:
  1. console.cloud.google.com: make a project, and in it enable the Google Sheets API
  2. there, under IAM, Service Accounts: make an account, and a key for it, of type JSON
  3. put the key outside of this folder, and: chmod 600 KEY; git config tagrun.gsheet.key KEY
  4. share the sheet with the account's address (…@….iam.gserviceaccount.com), as an editor
  5. git config tagrun.gsheet.sheet ADDRESS; pip install -r code/requirements-gsheet.txt

The worksheet has the set's name, or that of git config tagrun.gsheet.worksheet. Its former content
is replaced. --live only reads the files of the runs, in a process of its own, so it can neither
slow nor stop a training. It ends when no run is running.

Exit codes: 0 done, 1 refused, 2 usage.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tagrun.core.cli.messages import duration, echo, plural
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.compare import run_status
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.core.tables import formats, selection
from tagrun.core.tables.selection import Selection
from tagrun.extra.publish import gsheet
from tagrun.extra.publish.gsheet import Cell, Grid
from tagrun.store import jsonfile, layout, statistic, table
from tagrun.store.run_ref import RunRef

if TYPE_CHECKING:
    from gspread import Worksheet

GROUP = 'Share', 3
EXAMPLES = (
    'tagrun publish gsheet                          the whole table of the set',
    'tagrun publish gsheet paper --group            means over seeds; chosen as `table` does',
    'tagrun publish gsheet --live                   and again, while runs are running',
)
MAX_INTEGER = 2**53  # a sheet rounds larger ones, such as seeds: they stay texts
MAX_CELL = 50_000  # characters
MAX_EVERY_S = 86400
LIVE = ('state', 'progress', 'left')


class Request(NamedTuple):
    """What the user wants in the worksheet."""

    selection: Selection  # which rows and columns, as `table` takes it
    live: bool
    every_s: float  # with live: between two looks


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    request = _request(argv)
    repository = Repository.at(ROOT)
    running = _running() if request.live else []
    name, grid = _grid(request, running)
    worksheet = gsheet.open_worksheet(repository, name)
    gsheet.write(worksheet, grid)
    echo(
        f'{plural(len(grid) - 1, "row")} in the worksheet {worksheet.title!r}: '
        f'{worksheet.spreadsheet.url}'
    )
    if request.live:
        _follow(worksheet, request, running, grid)
    return 0


def _request(argv: list[str]) -> Request:
    parser = build_parser()
    args = parser.parse_args(argv)
    if not 1 <= args.every <= MAX_EVERY_S:
        parser.error('--every takes 1 to 86400 s: Google counts requests')
    if args.live and args.group:
        parser.error('--live has a row for each run: no --group')
    choice, *others = selection.read_options(args)
    if others:
        parser.error('a worksheet shows one set: name one')
    return Request(choice, args.live, args.every)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('publish', __doc__, EXAMPLES)
    parser.add_argument('target', choices=('gsheet',), help='where to: gsheet, a Google sheet')
    parser.add_argument('--live', action='store_true', help='go on while runs are running')
    parser.add_argument(
        '--every',
        metavar='SECONDS',
        type=float,
        default=15,
        help='with --live: between two looks (%(default)g)',
    )
    selection.add_options(parser)
    return parser


def _follow(worksheet: 'Worksheet', request: Request, runs: Sequence[RunRef], before: Grid) -> None:
    """Send what has changed, until no run is running.

    What Google cannot take now is sent with the next look.
    """
    if not runs:
        echo('no run is running')
        return
    echo(f'{plural(len(runs), "run")} running; a look every {request.every_s:g} s, Ctrl-C ends it')
    while running := _running():
        time.sleep(request.every_s)
        runs = list(dict.fromkeys([*runs, *running]))
        before = _send(worksheet, request, runs, before)
    _send(worksheet, request, runs, before)
    echo('no run is running any more; the sheet has what they ended with')


def _send(worksheet: 'Worksheet', request: Request, runs: Sequence[RunRef], before: Grid) -> Grid:
    """Write the table; return what the worksheet holds afterwards, as far as is known."""
    _, grid = _grid(request, runs)
    try:
        gsheet.write(worksheet, grid, before)
        return grid
    except gsheet.TemporaryError as error:
        echo(f'tagrun: {error}')
        # a part may have arrived: the next look sends the whole table
        return []


def _running() -> list[RunRef]:
    """Return the runs that are being trained."""
    running = []
    for tag in layout.tags(ROOT):
        runs = [RunRef(tag, number) for number in layout.numbers(ROOT, tag)]
        running += [run for run in runs if _is_running(run)]
    return running


def _is_running(run: RunRef) -> bool:
    try:
        return statistic.state(run.folder(ROOT)) == statistic.RUNNING
    except (OSError, ValueError):
        return False


# --- cells ---


def _grid(request: Request, runs: Sequence[RunRef]) -> tuple[str, Grid]:
    """Return the set's name, and the table as rows of plain values, its head first.

    runs: those that are running, or were a moment ago.
    """
    name, columns, rows = selection.select(ROOT, request.selection, runs)
    statuses = {str(run): run_status.read_status(ROOT, run) for run in runs}
    metrics = _latest_metrics(statuses.values())
    head = [table.NAME]
    if request.live:
        columns = [column for column in columns if column != selection.STATUS]
        head += LIVE
    head += [f'latest {metric}' for metric in metrics]
    head += formats.flat_headers(columns, rows)
    grid = [[_cell(value) for value in head]]
    for row in rows:
        status = statuses.get(row.name)
        values = [row.name]
        if request.live:
            values += _progress(row, status)
        values += _latest(status, metrics)
        values += formats.flat(columns, row)
        grid.append([_cell(value) for value in values])
    return name, grid


def _latest_metrics(statuses: Iterable[RunStatus]) -> list[str]:
    """Return the metrics whose latest values are shown: the loss, and what is monitored."""
    metrics: dict[str, None] = {}
    for status in statuses:
        last = _last(status)
        metrics.update((name, None) for name in ('train/loss', status.monitor) if name in last)
    return list(metrics)


def _progress(row: table.Run, status: RunStatus | None) -> tuple[Any, str, str]:
    """Return what the columns LIVE hold: 'running', '12/60', '3 min 20 s'."""
    if status is None:
        return row.get(selection.STATUS), '', ''
    content = status.content
    progress = statistic.progress(content)
    eta_s = status.eta_s(time.time())
    return status.state, progress, '' if eta_s is None else duration(eta_s)


def _latest(status: RunStatus | None, metrics: Sequence[str]) -> list[Any]:
    """Return the metrics of the last epoch, of a run that is followed."""
    last = _last(status) if status else {}
    values = [jsonfile.number(last.get(metric)) for metric in metrics]
    return [table.MISSING if value is None else value for value in values]


def _last(status: RunStatus) -> Mapping[str, Any]:
    return status.content.get('last', {})


def _cell(value: Any) -> Cell:
    """Return a value that JSON and a sheet have.

    A text that a spreadsheet might take for a formula, once exported, is quoted as in CSV.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return formats.cell(value).encode('utf-8', 'backslashreplace').decode()[:MAX_CELL]
