"""What `tagrun report` tells of each run, as plain values that fit into JSON.

    content = reported.gather(root, repository, runs, columns)      # of table.Runs; `data` of page.html

Equal texts (environments, patches, logs) stand in it once, long ones are cut, curves thinned: a thousand runs are some megabytes. What
looks like a secret key or token is hidden. It writes nothing, and reads no file that a link in a run's folder leads to.
"""
import json
import math
import os
import re
from datetime import datetime, timezone

from tagrun.command import formats, here, leaks, verdict
from tagrun.command.git import Failed
from tagrun.command.say import duration, printable
from tagrun.extra import patches
from tagrun.store import confusion, history, jsonfile, layout, names, reading, run_json, statistic, table

POINTS = 200_000        # of all curves together
A_CURVE = (24, 600)     # at least and at most
LOGS = 3 << 19          # bytes of all logs' ends together
A_LOG = (1000, 16_384)  # at least and at most
COUNTS = 400_000        # cells of all confusion matrices together
CURVES = 60             # metrics with curves
ENTRIES = 2000          # arguments, metrics, packages
A_CELL = 300            # letters of a name or value
A_TEXT = 6000           # letters of a message
COLOURED = 10           # runs whose curves are shown at first
RELATED = (('rerun_of', 'made again from', 'made again by'), ('continued_from', 'began with a checkpoint of', 'a checkpoint of it began'))
NO_CURVE = ('epoch', 'seconds')
STATES = ('running', 'finished', 'failed', 'interrupted', 'killed', 'pruned', 'created')
PRIVATE_KEY = re.compile(rb'-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)', re.S)


def gather(root, repository, runs, columns):
    texts = _Texts()
    told = {run.name: _files(layout.run_folder(root, *names.split_run(run.name))) for run in runs}
    commits, tags = _recorded(repository, told)
    codes = patches.gather(repository, runs, {name: files['run'].get('commit') for name, files in told.items()}, commits)
    known = {group: table.columns(runs, (group,))[:ENTRIES] for group in ('hparam', 'metric')}
    curves = _curve_names(told, table.watched(runs))
    environments, size = {}, _sizes(told, curves)
    links = _links(root, told)
    rows = [{
        'name': run.name,
        'status': _status(run, told[run.name]['statistic']),
        'kind': run.values['run']['status'] if run.values['run']['status'] in STATES else '',
        'label': '',
        'cells': [_sortable(run.get(column)) for column in columns],
        'args': [None if run.get(column) is table.MISSING else cell(run.get(column)) for column in known['hparam']],
        'best': [_number(run.get(column)) for column in known['metric']],
        'last': [_number(told[run.name]['statistic'].get('last', {}).get(column.name, table.MISSING)) for column in known['metric']],
        'message': texts.add(told[run.name]['statistic'].get('message')),
        'why': texts.add(tags.get(run.values['run']['tag'])),
        'facts': [[label, texts.add(value)] for label, value in _facts(run, told[run.name], commits) if value not in (None, '')],
        'links': links[run.name],
        'patches': [[title, texts.add(patch, 2 * patches.LARGEST)] for title, patch in codes.get(run.name, ())],
        'matrices': _matrices(told[run.name], size),
        'environment': _environment(environments, told[run.name]['environment']),
        'log': texts.add(_log_end(layout.run_folder(root, *names.split_run(run.name)), size['log']), A_LOG[1]),
        'curves': _curves(told[run.name]['history'], curves, size['curve']),
        'unit': _unit(told[run.name]['run'].get('imported')),
    } for run in runs]
    _label(rows, runs, known['hparam'])
    return {
        'runs': rows, 'texts': texts.all, 'environments': [told for _, told in environments.values()], 'first': COLOURED, 'top': _top(rows, runs),
        'args': [cell(column.name) for column in known['hparam']], 'metrics': [cell(column.name) for column in known['metric']],
        'curves': [cell(name) for name in curves], 'watch': cell(table.watched(runs) or ''),
        'columns': [{'name': cell(column.name), 'better': table.direction(runs, column)} for column in columns]}


# --- values -----------------------------------------------------------------------------------------------------------


class _Texts:
    """Texts of which each stands in the page once."""

    def __init__(self):
        self.all, self._places = [], {}

    def add(self, value, longest=A_TEXT):
        """The text's place, or None for an empty one."""
        value = clean(value, longest) if value not in (None, '') else ''
        if not value:
            return None
        if value not in self._places:
            self._places[value] = len(self.all)
            self.all.append(value)
        return self._places[value]


def clean(value, longest=A_TEXT):
    """A text of somebody's: no control characters, no secrets, not without end."""
    text = printable(table.text(value))
    if len(text) > 9:       # what is to be hidden is not shorter
        text = leaks.hidden(PRIVATE_KEY.sub(b'(hidden)', text.encode('utf-8', 'backslashreplace'))).decode()
    return text if len(text) <= longest else text[:longest] + ' …'


def cell(value):
    """A name or a value on one line."""
    return clean(value, A_CELL).replace('\n', ' ').replace('\t', ' ')


def _sortable(value):
    """What the page sorts and filters by: a number, a text, or None."""
    number = formats.as_number(value)
    if number is not None:
        return number if math.isfinite(number) else math.copysign(1e308, number)
    return None if value is table.MISSING or isinstance(value, float) else cell(value)


def _number(value):
    """A figure as one reads it; None where there is none."""
    if value is table.MISSING:
        return None
    value = table.NOT_FINITE.get(value, value) if type(value) is str else value
    return formats.rounded(value, formats.PRECISION) if type(value) is float and math.isfinite(value) else cell(value)


# --- files of a run ---------------------------------------------------------------------------------------------------


def _files(folder):
    """What can be read in a run's folder: {} or [] for what cannot."""
    return {'statistic': _read(folder, statistic.NAME, statistic.read) or {},
            'run': _read(folder, run_json.NAME, run_json.read) or {},
            'history': _read(folder, history.NAME, history.read) or [],
            'matrices': _read(folder, confusion.NAME, confusion.read) or (None, {}),
            'environment': _read(folder, 'environment.json', lambda place: jsonfile.read(place / 'environment.json')) or {}}


def _read(folder, name, read):
    if os.path.islink(folder / name):   # it may lead out of the folder, and the page is made to be given away
        return None
    try:
        return read(folder)
    except (OSError, ValueError):
        return None


def _log_end(folder, longest):
    """The last lines of the log, in bytes no more than that."""
    path = folder / 'log'
    if path.is_symlink():
        return None
    try:
        with reading.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - longest))
            content = file.readall()[:longest]
    except (OSError, ValueError):
        return None
    text = content.decode('utf-8', 'replace').rstrip()
    return text if size <= longest else '…\n' + text.partition('\n')[2]


def _sizes(told, curves):
    """How much room a single run has, where all share what the page may hold."""
    count = max(1, len(told))
    cells = sum(len(rows) ** 2 for files in told.values() for _, rows in files['matrices'][1].values())
    return {'log': min(max(LOGS // count, A_LOG[0]), A_LOG[1]), 'matrices': cells <= COUNTS,
            'curve': min(max(POINTS // (count * max(1, len(curves))), A_CURVE[0]), A_CURVE[1])}


# --- what a card says --------------------------------------------------------------------------------------------------


def _status(run, content):
    """'finished', 'failed after 3 of 40 epochs'."""
    status, epoch = cell(run.values['run']['status']), content.get('epoch')
    if status == statistic.FINISHED or type(epoch) is not int:
        return status
    return f'{status} after {epoch} of {cell(content.get("epochs", "?"))} epochs'


def _facts(run, files, commits):
    facts, content, time = run.values['run'], files['statistic'], files['statistic'].get('time', {})
    commit = commits.get(files['run'].get('commit'))
    seconds = jsonfile.number(time.get('seconds'))
    old = files['run'].get('imported')
    yield 'seed', cell('' if facts.get('seed') is None else facts.get('seed', ''))
    yield 'commit', cell(facts.get('commit') or ('' if old else 'none: a run by hand'))
    yield 'imported from', cell(' '.join(table.text(old.get(key, '')) for key in ('kind', 'name', 'id'))) if isinstance(old, dict) else ''
    yield 'fetched from', cell(files['run'].get('fetched_from') or '')
    if commit:
        side = commit.message.startswith(here.SIDE) and commits.get(commit.parent)
        yield 'made from', f'{commit.parent[:10]} {side.message}' if side else ''
        yield 'says', '' if side else commit.message
        yield 'author', cell(commit.author)
        yield 'recorded', _date(commit.time)
    yield 'epochs', f'{cell(content.get("epoch", "?"))} of {cell(content.get("epochs", "?"))}, best {cell(content.get("best_epoch", "?"))}'
    yield 'watched', f'{cell(run.watch or "nothing")}, {cell(run.mode)}'
    yield 'trained', duration(seconds) if seconds is not None and 0 <= seconds else ''
    yield 'started', cell(time.get('started', ''))
    yield 'weights', cell(content.get('digest', {}).get('weights', ''))


def _unit(imported):
    """What the lines of a run's history count."""
    return 'step' if isinstance(imported, dict) and imported.get('x') == 'step' else 'epoch'


def _date(seconds):
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
    except (OverflowError, ValueError, OSError):
        return ''


def _environment(environments, content):
    """The place of a run's environment among all that differ, or None. environments: {text: (place, environment)}."""
    if not content:
        return None
    packages = content.get('packages')
    packages = packages if isinstance(packages, dict) else {}
    told = {'facts': [[cell(name), cell(value)] for name, value in content.items() if name != 'packages'][:ENTRIES],
            'packages': [[cell(name), cell(version)] for name, version in packages.items()][:ENTRIES]}
    place, _ = environments.setdefault(json.dumps(told), (len(environments), told))
    return place


def _matrices(files, size):
    epoch, matrices = files['matrices']
    if not size['matrices']:
        return []
    return [{'title': f'{cell(name)} at epoch {cell(epoch)}', 'classes': [cell(label) for label in classes], 'counts': rows}
            for name, (classes, rows) in matrices.items()]


def _links(root, told):
    """{run: [[words, another run's name, class, words], …]} of reruns with their verdicts, and of runs that began with another's checkpoint."""
    found = {name: [] for name in told}
    for tag in dict.fromkeys(name.partition('/')[0] for name in told):
        for number in layout.numbers(root, tag):
            name = f'{tag}/{number}'
            info = told[name]['run'] if name in told else _read(layout.run_folder(root, tag, number), run_json.NAME, run_json.read) or {}
            for key, of_this, of_that in RELATED:
                other = info.get(key)
                if isinstance(other, str) and names.split_run(other) and other != name:
                    kind, rest = _verdict(info.get('verdict')) if key == 'rerun_of' else ('', '')
                    found.get(name, []).append([of_this, cell(other), kind, rest])
                    found.get(other, []).append([of_that, name, kind, rest])
    return found


def _verdict(value):
    """(class, words) of run.json's verdict."""
    if not isinstance(value, dict):
        return '', ': no verdict yet'
    if value.get('same') is True:
        return 'same', ': the same, bit for bit'
    first = value.get('first_difference')
    if not isinstance(first, dict):
        return 'differs', ': not the same'
    stream = table.text(first.get('stream', '?'))
    values = f'{cell(first.get("here"))} in the later, {cell(first.get("there"))} in the first'
    return 'differs', f': not the same: {cell(verdict.WORDS.get(stream, stream) + verdict.place(first))} ({values})'


# --- curves ------------------------------------------------------------------------------------------------------------


def _curve_names(told, watched):
    """The columns of all histories, of a metric's phases one after the other and the watched metric's first."""
    found = dict.fromkeys(name for files in told.values() if files['history'] for name in files['history'][0] if name and name not in NO_CURVE)
    base = [name.rpartition('/')[2] for name in found]
    order = ([watched.rpartition('/')[2]] if watched else []) + base
    return sorted(found, key=lambda name: ('/' not in name, order.index(name.rpartition('/')[2]), name != watched))[:CURVES]


def _curves(rows, curves, longest):
    """For each of `curves` None, its values, or [epochs, values] where it was thinned; None for a run without a history."""
    if not rows:
        return None
    numbers = [_float(row.get('epoch')) for row in rows]
    if None in numbers or any(later <= earlier for earlier, later in zip(numbers, numbers[1:])):
        numbers = range(1, len(rows) + 1)
    drawn = [_curve(numbers, [_float(row.get(name)) for row in rows], longest) for name in curves]
    return drawn if any(drawn) else None


def _curve(epochs, values, longest):
    if all(value is None for value in values):
        return None
    places = range(len(values)) if len(values) <= longest else _thinned(values, longest)
    drawn, at = [_short(values[place]) for place in places], [epochs[place] for place in places]
    return drawn if at == list(range(1, len(values) + 1)) else [[int(epoch) if epoch == int(epoch) else epoch for epoch in at], drawn]


def _thinned(values, longest):
    """Places of the first, the last, and of each stretch the lowest and the highest value: what stands out stays."""
    stretch = 2 * len(values) / (longest - 2)
    places = {0, len(values) - 1}
    for number in range(math.ceil(len(values) / stretch)):
        part = [place for place in range(int(number * stretch), min(len(values), int((number + 1) * stretch))) if values[place] is not None]
        places.update((min(part, key=values.__getitem__), max(part, key=values.__getitem__)) if part else ())
    return sorted(places)


def _float(word):
    """A finite number, or None."""
    try:
        value = float(word)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _short(value):
    return None if value is None else float(f'{value:.4g}')


def _top(rows, runs):
    """The runs whose curves are shown at first: the best of the watched metric."""
    watched = table.watched(runs)
    column = table.Column('metric', watched or '')
    sign = -1 if watched and table.direction(runs, column) == 'max' else 1
    numbers = [formats.as_number(run.get(column)) for run in runs]
    order = sorted(range(len(runs)), key=lambda place: (numbers[place] is None, sign * (numbers[place] or 0)))
    return [place for place in order if rows[place]['curves']][:COLOURED]


def _label(rows, runs, arguments):
    """What a legend says beside a run's name: the first few arguments in which the runs differ."""
    differing = [column for column in arguments if table.differs(runs, column)][:3]
    for row, run in zip(rows, runs):
        pairs = [(column.name, run.get(column)) for column in differing]
        words = (f'{name}={formats.shown(value, table.Column("hparam", name))}' for name, value in pairs if value is not table.MISSING)
        row['label'] = cell(' '.join(words))[:60]


# --- git ----------------------------------------------------------------------------------------------------------------


def _recorded(repository, told):
    """({commit: patches.Commit}, {tag: message}) as git has them; what is not here is not in them."""
    if repository is None:
        return {}, {}
    commits = patches.commits(repository, [files['run'].get('commit') for files in told.values()])
    commits |= patches.commits(repository, [commit.parent for commit in commits.values() if commit.parent not in commits])
    try:
        rows = repository.refs('refs/tags', ('refname:strip=2', 'contents'))
    except Failed:
        rows = []
    wanted = {name.partition('/')[0] for name in told}
    return commits, {tag: message for tag, message in rows if tag in wanted and message.strip() != f'run {tag}'}
