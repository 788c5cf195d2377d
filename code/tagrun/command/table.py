"""One row a run: hyperparameters and metrics of a set, as CSV in __statistic__/table/ and on the screen.

The set is a list of runs in __statistic__/exper-list/: record.txt if there is one, else finished.txt. Its title file, if any, says which
columns (`tagrun title`). With --format or -o the table goes where they say, and the CSV file stays as it is.
Exit codes: 0 a table came out, 1 not one run could be read, 2 usage.
"""
import os
import re
import shutil
import sys
from pathlib import Path

from tagrun.command import formats, sets, where
from tagrun.command.say import Refusal, parser, plural, quote, say
from tagrun.store import atomic, experlist, layout, statistic, table, title
from tagrun.store.table import Column

EXAMPLES = ("table                                   all of record.txt, else of finished.txt",
            "table paper --sort-by acc --top 10      acc: val/acc, where that is what is watched",
            "table --where \"acc > 0.9 and model in ('cnn', 'mlp')\"",
            "table --group --format latex            mean ± std (n) over seeds, to paste into a paper",
            "table --drop '.*' --keep 'model|test'   these columns alone",
            "table --only-changed -o runs.html")
FORMATS = {'csv': '.csv', 'md': '.md', 'latex': '.tex', 'html': '.html', 'json': '.json'}
STATUS = Column('run', 'status')
ROWS_SHOWN = 1000   # on the screen and in a pipe; the file has all
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    return _deliver(*selected(options), options)


def selected(options, more=()):
    """(the set's name, columns, rows) that the options of `add_choice` ask for. more: (tag, id) of runs besides those of the set."""
    name = sets.name(ROOT, options.set) if options.set or not more else experlist.default(ROOT) or 'finished'
    runs = _with(sets.load(ROOT, name) if not more or layout.list_file(ROOT, name).is_file() else [], more)
    columns = _columns(name, runs, options)
    if options.where:
        holds = where.condition(options.where, runs)
        runs = _some([run for run in runs if holds(run)], f'of {plural(len(runs), "run")} none has {options.where}')
    rows = _rows(runs, options)
    if options.only_changed and len(rows) > 1:
        columns = [column for column in columns if _matches(options.keep, column) or table.differs(rows, column)]
    if not options.group and any(run.get(STATUS) != statistic.FINISHED for run in runs):
        columns = [STATUS, *(column for column in columns if column != STATUS)]
    for run in runs:
        if run.name.startswith(f'{layout.SCRATCH}/'):
            say(f'{run.name} is a run by hand: no commit tells its code')
    return name, columns, _ordered(rows, runs, options)


def _with(runs, more):
    there = {run.name for run in runs}
    return [*runs, *table.load(ROOT, [name for name in more if f'{name[0]}/{name[1]}' not in there])[0]]


def add_choice(options):
    """The set, and what chooses its rows and columns."""
    options.add_argument('set', nargs='?', help='record (if it is there), finished, or any other list of runs')
    options.add_argument('--sort-by', metavar='COL', help='a column, or the end of its name; the best first where it is a metric')
    options.add_argument('--sort-order', choices=('asc', 'desc'), help='rising or falling, instead')
    options.add_argument('--where', metavar='CONDITION', help="only runs of which it is true: \"acc > 0.9 and model == 'cnn'\"")
    options.add_argument('--group', action='store_true', help='one row for runs that differ in nothing but the seed')
    options.add_argument('--top', metavar='N', type=int, help='the first N rows; without --sort-by the best of the watched metric')
    options.add_argument('--keep', metavar='REGEX', help='have these columns, whatever else leaves them out; seed, commit, seconds, … too')
    options.add_argument('--drop', metavar='REGEX', help='leave these columns out')
    options.add_argument('--only-changed', action='store_true', help='leave out columns that are the same in all rows')


def checked(options, found):
    """What the parser found, its patterns compiled. Ends with 2, or raises Refusal, for what makes no sense."""
    found.keep, found.drop = _pattern(found.keep), _pattern(found.drop)
    if found.top is not None and found.top < 1:
        options.error('--top takes 1 or more')
    return found


def _options(argv):
    options = parser('table', __doc__, EXAMPLES)
    add_choice(options)
    options.add_argument('--precision', metavar='N', type=int, default=formats.PRECISION,
                         help='decimals of a metric (%(default)s); CSV and JSON have all')
    options.add_argument('--format', choices=FORMATS, help='print it so, instead')
    options.add_argument('--json', dest='format', action='store_const', const='json', help='the same as --format json')
    options.add_argument('-o', '--output', metavar='FILE', help='write it there, - for stdout; the format goes by the ending')
    found = checked(options, options.parse_args(argv))
    if not 0 <= found.precision <= 17:
        options.error('--precision takes 0 to 17')
    if found.output and not found.format:
        found.format = next((name for name, ending in FORMATS.items() if found.output.endswith(ending)), 'csv')
    return found


def _pattern(text):
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise Refusal(f'{text!r} is no regular expression: {error}', code=2) from None


def _columns(name, runs, options):
    """Those of the title file, or all; then --drop; then --keep, which brings back what either left out."""
    wanted = _titled(name) or table.columns(runs)
    columns = [column for column in wanted if not _matches(options.drop, column)]
    if not options.keep:
        return columns
    known = list(dict.fromkeys([*wanted, *table.columns(runs, table.GROUPS)]))
    return [column for column in known if column in columns or _matches(options.keep, column)]


def _titled(name):
    path = layout.title_file(ROOT, name)
    try:
        return title.read(ROOT, name)[0]
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None
    except ValueError as error:
        raise Refusal(f'{os.path.relpath(path)}: {error}') from None


def _matches(pattern, column):
    return bool(pattern and pattern.search(column.name))


def _some(rows, why):
    if not rows:
        raise Refusal(why)
    return rows


def _rows(runs, options):
    if not options.group:
        return runs
    from tagrun.command import group    # here: a table of single runs need not load GitPython
    from tagrun.command.git import Repository
    return group.rows(Repository.at(ROOT), runs)


def _ordered(rows, runs, options):
    """Sorted if that was asked for; rows without the value come last."""
    by = options.sort_by or options.top and table.watched(runs)
    if by:
        column = where.column(by, runs)
        falling = options.sort_order == 'desc' if options.sort_order else table.direction(runs, column) == 'max'
        keyed = [(_key(row.get(column)), row) for row in rows]
        there = sorted((pair for pair in keyed if pair[0]), key=lambda pair: pair[0], reverse=falling)
        rows = [row for _, row in [*there, *(pair for pair in keyed if not pair[0])]]
    return rows[:options.top]


def _key(value):
    """What a cell is sorted by: numbers before words; () where there is nothing."""
    number = formats.as_number(value)
    if number is not None:
        return 0, number
    return () if value is table.MISSING or isinstance(value, (float, table.Mean)) else (1, table.text(value))     # such a float is NaN


def _deliver(name, columns, rows, options):
    """Write and print what was asked for."""
    if options.format:
        content = _content(columns, rows, options)
        if options.output and options.output != '-':
            _write(_destination(options.output), content)
            say(f'{quote(options.output)}: {plural(len(rows), "row")}, {plural(len(columns), "column")}')
        else:
            sys.stdout.buffer.write(content.removeprefix(b'\xef\xbb\xbf'))
        return 0
    path = layout.table_file(ROOT, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, formats.csv(columns, rows))
    _print(columns, rows, options)
    say(f'{quote(os.path.relpath(path))}: {plural(len(rows), "row")}, {plural(len(columns), "column")}')
    return 0


def _destination(output):
    """Where -o writes: behind the user's own links. Raises Refusal for a device or a FIFO, which a file would take the place of."""
    path = Path(os.path.realpath(output))
    if os.path.exists(path) and not os.path.isfile(path):
        raise Refusal(f'{output} is no file: name one, or - for stdout')
    return path


def _content(columns, rows, options):
    """Bytes of a file of the format."""
    if options.format == 'csv':
        return formats.csv(columns, rows)
    if options.format == 'json':
        return formats.json(columns, rows).encode('utf-8', 'backslashreplace')
    if options.format == 'latex':
        from tagrun.command import latex
        text = latex.tabular(columns, rows, options.precision)
    else:
        text = {'md': formats.markdown, 'html': formats.html}[options.format](columns, rows, options.precision)
        for note in formats.footnotes(columns, rows):
            say(note)
    return text.encode('utf-8', 'backslashreplace')


def _write(path, content):
    try:
        atomic.write(path, content)
    except OSError as error:
        raise Refusal(f'{path} cannot be written: {error.strerror}') from None


def _print(columns, rows, options):
    """The table as text; on a terminal what fits its width."""
    from tagrun.command import screen
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    wanted = [column for column in columns if _matches(options.keep, column)]
    text, left_out = screen.fitted(columns, rows[:ROWS_SHOWN], options.precision, width, wanted)
    sys.stdout.reconfigure(errors='backslashreplace')   # a name in letters that the terminal's encoding lacks
    print(text)
    sys.stdout.flush()
    for note in formats.footnotes(columns, rows):
        say(note)
    if left_out:
        same = [column for column in left_out if not table.differs(rows, column)]
        say(f'{plural(len(left_out), "column")} left out to fit{f", {len(same)} of them the same in all rows" if same else ""}: '
            '`table | less -S` shows all, --keep and --drop choose')
    if len(rows) > ROWS_SHOWN:
        say(f'the first {ROWS_SHOWN:,} of {len(rows):,} rows; --where and --top choose, --format prints all')
