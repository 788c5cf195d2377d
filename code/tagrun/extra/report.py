"""A set of runs as one HTML file, to be sent to somebody: table, curves, and of each run its config, code, environment and log.

It needs no server and loads nothing; what others wrote in it is shown and never run. The set is a list of runs as in `table`, or tags and
runs. The file goes to __statistic__/report/, which git ignores, unless -o says otherwise. It tells a run's files as they are now: a
report of running ones is made again. What looks like a key or token is hidden, but look through it before you give it away.
"""
import base64
import hashlib
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

from tagrun.command import choose, formats, sets
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, duration, parser, plural, quote, say
from tagrun.store import atomic, jsonfile, layout, names, run_json, statistic, table, title
from tagrun.store.table import Column

EXAMPLES = ('report                      all of record.txt, else of finished.txt',
            'report paper -o paper.html  a list of runs, into a file of one\'s own',
            'report base wide/2          the runs of a tag, and one more')
ROOT = Path(__file__).resolve().parents[3]
PAGE = Path(__file__).with_name('page')
VERDICT = Column('run', 'verdict')
COLUMNS = 60        # of the table; the single runs tell the rest
CURE = f'{quote(sys.executable)} -m pip install -r {quote(ROOT / "code" / "requirements-report.txt")}'


def main(argv):
    options = parser('report', __doc__, EXAMPLES)
    options.add_argument('run', metavar='set', nargs='*', help='a list of runs; or <tag>, <tag>/<id>, @last, several of them too')
    options.add_argument('-o', '--output', metavar='FILE', help='write it there, - for stdout')
    options = options.parse_args(argv)
    _require()
    name, words = _named(options.run)
    runs = _load(words)
    content = _page(name, runs)
    if options.output == '-':
        sys.stdout.buffer.write(content)
        return 0
    path = Path(os.path.realpath(options.output)) if options.output else layout.statistic(ROOT) / 'report' / f'{name}.html'
    _write(path, content)
    say(f'{quote(os.path.relpath(path))}: {plural(len(runs), "run")}, {len(content) / 1e6:.1f} MB; open it in a browser, or send it')
    return 0


def _require():
    try:
        import jinja2  # noqa: F401
    except ModuleNotFoundError:
        raise Refusal(f'a report needs the package jinja2: {CURE}') from None


# --- which runs ---------------------------------------------------------------------------------------------------------


def _named(words):
    """(what the report is called, the words of choose.several): a word that names a list means it, as in `table`."""
    if not words:
        name = sets.name(ROOT, None)
        return name, [f'@{name}']
    meant = [f'@{word}' if not names.check_set(word) and layout.list_file(ROOT, word).is_file() else word for word in words]
    if len(words) == 1 and meant[0].startswith('@') and not names.check_set(meant[0][1:]) and meant[0] != '@last':
        return meant[0][1:], meant
    return 'report' if len(words) > 1 or names.check_set(words[0]) else words[0], meant


def _load(words):
    """The table.Runs of some words, each that cannot be read told. Raises Refusal if none can."""
    place = layout.result(ROOT)
    found = choose.several(ROOT, words)
    linked = [(tag, number) for tag, number in found if (place / tag / str(number) / statistic.NAME).is_symlink()]
    runs, damaged = table.load(ROOT, [run for run in found if run not in linked])
    damaged += [(f'{tag}/{number}', f'{statistic.NAME} is a link') for tag, number in linked]
    for name, reason in damaged[:sets.SHOWN]:
        say(f'{name}: {reason}; left out')
    if len(damaged) > sets.SHOWN:
        say(f'… and {len(damaged) - sets.SHOWN:,} more runs')
    if not runs:
        raise Refusal('no run of these can be read')
    for run in runs:
        said = _verdict(place / run.name)
        if said:
            run.values['run'][VERDICT.name] = said
    return runs


def _verdict(folder):
    """'the same as base/0' of a rerun that has one; the single run tells where it first differs."""
    try:
        info = {} if (folder / run_json.NAME).is_symlink() else run_json.read(folder)
    except (OSError, ValueError):
        return ''
    found = info.get('verdict')
    return f'{"the same" if found.get("same") is True else "not the same"} as {info.get("rerun_of")}' if isinstance(found, dict) else ''


# --- the page -----------------------------------------------------------------------------------------------------------


def _page(name, runs):
    """The file's bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from tagrun.extra import reported
    columns, left_out = _columns(name, runs)
    parts = {part: (PAGE / file).read_text() for part, file in
             {'chart_style': 'uPlot.min.css', 'style': 'page.css', 'chart_script': 'uPlot.iife.min.js', 'script': 'page.js'}.items()}
    style = parts.pop('chart_style') + parts['style']
    environment = Environment(loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined)
    environment.policies['json.dumps_kwargs'] = {'separators': (',', ':'), 'allow_nan': False}     # |tojson escapes < > & and all that is not ASCII
    text = environment.get_template('page.html').render(
        title=name, summary=_summary(runs), made=f'{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC',
        policy=_policy(style, parts['chart_script'], parts['script']), first=reported.COLOURED,
        columns=_heads(columns, runs), runs=_rows(columns, runs), notes=_notes(left_out, runs),
        data=reported.gather(ROOT, _repository(), runs, columns),
        style=Markup(style), chart_script=Markup(parts['chart_script']), script=Markup(parts['script']))     # our own files: as they are
    return text.encode('utf-8', 'backslashreplace')


def _policy(style, *scripts):
    """What a browser may do with the page: run these scripts, take this style, and nothing else; no text may become markup or a script."""
    allowed = ' '.join(map(_digest, scripts))
    return (f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; img-src data:; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'")


def _digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _repository():
    """None where there is no git: the files of the runs tell enough for a report."""
    try:
        return Repository.at(ROOT)
    except Refusal as refusal:
        say(f'without the code: {refusal}')
        return None


def _columns(name, runs):
    """(columns, how many were left out): those of the set's title file; or of the arguments those that differ, and the metrics."""
    first = [Column('run', 'status'), Column('run', 'seed')]
    try:
        wanted = title.read(ROOT, name)[0]
    except (OSError, ValueError) as error:
        say(f'{os.path.relpath(layout.title_file(ROOT, name))}: {getattr(error, "strerror", None) or error}; all columns')
        wanted = []
    if not wanted:
        wanted = [column for column in table.columns(runs) if column.group == 'metric' or table.differs(runs, column)]
        wanted += [Column('run', 'epoch'), Column('run', 'seconds'), *[VERDICT] * any(VERDICT.name in run.values['run'] for run in runs)]
    wanted = list(dict.fromkeys(first + wanted))
    return wanted[:COLUMNS], max(0, len(wanted) - COLUMNS)


def _heads(columns, runs):
    from tagrun.extra.reported import cell
    return [{'head': cell(name), 'title': f'{cell(column.name)}: {column.group}', 'right': side == 'right'}
            for name, column, side in zip(formats.headers(columns), columns, formats.alignment(columns, runs))]


def _rows(columns, runs):
    from tagrun.extra.reported import STATES, cell
    best, sides = formats.best_rows(columns, runs), formats.alignment(columns, runs)
    rows = []
    for place, run in enumerate(runs):
        cells = []
        for column, side in zip(columns, sides):
            text = cell(formats.shown(run.get(column), column))
            status = [text] if column == Column('run', 'status') and text in STATES else []
            cells.append({'text': text, 'class': ' '.join(['right'] * (side == 'right') + ['best'] * (place in best.get(column, ())) + status)})
        rows.append({'name': run.name, 'cells': cells})
    return rows


def _summary(runs):
    """'12 runs of 4 tags: 11 finished, 1 failed; 3 min 20 s of training'."""
    states = {}
    for run in runs:
        states[run.values['run']['status']] = states.get(run.values['run']['status'], 0) + 1
    seconds = sum(value for value in (jsonfile.number(run.values['run'].get('seconds')) for run in runs) if value is not None and 0 <= value < 1e12)
    tags = len({run.values['run']['tag'] for run in runs})
    from tagrun.extra.reported import cell
    told = ', '.join(f'{count:,} {cell(state)}' for state, count in sorted(states.items(), key=lambda pair: -pair[1])[:8])
    return f'{plural(len(runs), "run")} of {plural(tags, "tag")}: {told}; {duration(seconds)} of training'


def _notes(left_out, runs):
    watched = table.watched(runs)
    if watched:
        from tagrun.extra.reported import cell
        yield f'Metrics are those at the best epoch by {cell(watched)}; bold: the best of a column.'
    if left_out:
        yield f'{plural(left_out, "further column")}: the single runs tell them.'


def _write(path, content):
    if path.exists() and not path.is_file():
        raise Refusal(f'{path} is no file: name one, or - for stdout')
    try:
        if path.parent == layout.statistic(ROOT) / 'report':
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, content)
    except OSError as error:
        raise Refusal(f'{path} cannot be written: {error.strerror}') from None
