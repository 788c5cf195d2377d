"""Write a set's table to a Google sheet; with --live, keep the rows of running experiments up to date.

Five steps, once:
  1. console.cloud.google.com: make a project, and in it enable the Google Sheets API
  2. there, under IAM, Service Accounts: make an account, and a key for it, of type JSON
  3. put the key outside of this folder, and: chmod 600 KEY; git config tagrun.gsheet.key KEY
  4. share the sheet with the account's address (…@….iam.gserviceaccount.com), as an editor
  5. git config tagrun.gsheet.sheet ADDRESS; pip install -r code/requirements-gsheet.txt

The worksheet has the set's name, or that of git config tagrun.gsheet.worksheet; what stood in it is replaced. --live only reads the files of
the runs, in a process of its own: it can neither slow nor stop a training. It ends when no run runs any more. Exit codes: 0 done, 1 refused, 2 usage.
"""
import math
import time
from pathlib import Path

from tagrun.command import formats, glance, table as table_verb
from tagrun.command.git import Repository
from tagrun.command.say import duration, parser, plural, say
from tagrun.store import jsonfile, layout, statistic, table

EXAMPLES = ('publish gsheet                          the whole table of the set',
            'publish gsheet paper --group            means over seeds; chosen as `table` does',
            'publish gsheet --live                   and again, as the running ones go on')
EXACT = 2 ** 53         # integers beyond are no numbers of a sheet: seeds stay texts
LONGEST = 50_000        # letters of a cell
LIVE = ('state', 'progress', 'left')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('publish', __doc__, EXAMPLES)
    options.add_argument('target', choices=('gsheet',), help='where to')
    table_verb.add_choice(options)
    options.add_argument('--live', action='store_true', help='go on while runs are running')
    options.add_argument('--every', metavar='SECONDS', type=float, default=15, help='with --live: between two looks (%(default)g)')
    found = table_verb.checked(options, options.parse_args(argv))
    if not 1 <= found.every <= 86400:
        options.error('--every takes 1 to 86400 s: Google counts requests')
    if found.live and found.group:
        options.error('--live has a row for each run: no --group')
    from tagrun.extra import gsheet
    repository = Repository.at(ROOT)
    running = _running() if found.live else []
    name, grid = _grid(found, running)
    worksheet = gsheet.opened(repository, name)
    gsheet.write(worksheet, grid)
    say(f'{plural(len(grid) - 1, "row")} in the worksheet {worksheet.title!r}: {worksheet.spreadsheet.url}')
    return _follow(gsheet, worksheet, found, running, grid) if found.live else 0


def _follow(gsheet, worksheet, options, seen, before):
    """Send what has changed, until no run is running; what Google cannot take for a moment is sent with the next look."""
    if not seen:
        say('no run is running')
    else:
        say(f'{plural(len(seen), "run")} running; a look every {options.every:g} s, Ctrl-C ends it')
    while running := _running():
        time.sleep(options.every)
        seen = list(dict.fromkeys([*seen, *running]))
        before = _send(gsheet, worksheet, options, seen, before)
    if seen:
        _send(gsheet, worksheet, options, seen, before)
        say('no run is running any more; the sheet has what they ended with')
    return 0


def _send(gsheet, worksheet, options, seen, before):
    """What the worksheet holds afterwards, as far as is known."""
    _, grid = _grid(options, seen)
    try:
        gsheet.write(worksheet, grid, before)
        return grid
    except gsheet.Temporary as error:
        say(f'tagrun: {error}')
        return ()       # a part may have come through: the whole table with the next look


def _running():
    """(tag, id) of the runs that are being trained."""
    return [(tag, number) for tag in layout.tags(ROOT) for number in layout.numbers(ROOT, tag) if _is_running(layout.run_folder(ROOT, tag, number))]


def _is_running(folder):
    try:
        return statistic.state(folder) == statistic.RUNNING
    except (OSError, ValueError):
        return False


# --- cells ----------------------------------------------------------------------------------------------------------


def _grid(options, seen):
    """(the set's name, the table as rows of plain values, its head first). seen: runs that are running, or were a moment ago."""
    name, columns, rows = table_verb.selected(options, seen)
    live = {f'{tag}/{number}': glance.look(ROOT, tag, number) for tag, number in seen}
    latest = list(dict.fromkeys(metric for found in live.values() for metric in ('train/loss', found.watch) if metric in found.content.get('last', {})))
    columns = [column for column in columns if not (options.live and column == table_verb.STATUS)]
    head = [table.NAME, *(LIVE if options.live else ()), *(f'latest {metric}' for metric in latest), *formats.flat_headers(columns, rows)]
    body = [[row.name, *(_progress(row, live.get(row.name)) if options.live else ()), *_latest(live.get(row.name), latest), *formats.flat(columns, row)]
            for row in rows]
    return name, [[_cell(value) for value in line] for line in (head, *body)]


def _progress(row, seen):
    """What the columns LIVE hold: 'running', '12/60', '3 min 20 s'."""
    if seen is None:
        return row.get(table_verb.STATUS), '', ''
    eta, content = seen.eta_s(time.time()), seen.content
    progress = f'{content["epoch"]}/{content.get("epochs", "?")}' if 'epoch' in content else ''
    return seen.state, progress, '' if eta is None else duration(eta)


def _latest(seen, metrics):
    """The metrics of the last epoch, of a run that is followed."""
    values = [jsonfile.number(seen.content.get('last', {}).get(metric)) if seen else None for metric in metrics]
    return [table.MISSING if value is None else value for value in values]


def _cell(value):
    """A value that JSON and a sheet have; text that a spreadsheet might take for a formula, once exported, is quoted as in CSV."""
    if isinstance(value, bool) or isinstance(value, int) and abs(value) <= EXACT or isinstance(value, float) and math.isfinite(value):
        return value
    return formats.cell(value).encode('utf-8', 'backslashreplace').decode()[:LONGEST]
