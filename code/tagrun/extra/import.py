"""Take up old runs of MLflow, TensorBoard, Weights & Biases or CSV files: they stand in the same tables, plots and reports.

Each becomes __result__/<tag>/<id>/ with statistic.json, history.csv and run.json, marked as imported. What code made it nobody recorded:
it has no commit, and `continue` and `rerun` refuse it. The tag is the experiment's, project's or file's name unless --tag names one.
train_loss and the like become train/loss, as Tagrun has it. The same run is imported once. Exit codes: 0 done, 1 refused, 2 usage.
"""
import bisect
import importlib
import math
import os
import re
import unicodedata
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

from tagrun.command.git import Repository
from tagrun.command.say import Refusal, parser, plural, say
from tagrun.store import experlist, history, layout, names, run_json, statistic, table
from tagrun.store.table import Column

EXAMPLES = ('import mlruns                            every run of MLflow there; mlflow.db does too',
            'import runs/ --tag tensorboard           a run for each folder with event files',
            'import wandb/ --dry-run                  what would come in',
            'import log.csv --watch val/acc           one line an epoch or a step',
            'import log.csv --rename accuracy=val/acc')
PHASES = {'train': 'train', 'training': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'dev': 'val', 'eval': 'val', 'test': 'test'}
OF_PHASE = re.compile(rf'({"|".join(PHASES)})[/_.: -](.+)', re.IGNORECASE | re.DOTALL)
WATCHED = ('val/.*acc', r'val/(?!.*loss)', 'val/', '.*acc', '.*loss', '')     # what is watched, unless --watch says: the first that fits
MOST = 10_000           # points of a metric in history.csv
SHOWN = 20              # runs that are named
LONGEST_TAG = 60        # bytes
KINDS = sorted(path.stem for path in Path(__file__).parent.glob('foreign_*.py'))
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    olds = [old for source in options.source for old in _found(source)]
    if not olds:
        raise Refusal('nothing was imported')
    groups = {}
    for old in olds:
        groups.setdefault(options.tag or tag_of(old.group), []).append(old)
    repository = Repository.at(ROOT)
    for tag in groups:
        _check(repository, tag)
    made = [run for tag, found in groups.items() for run in _import(tag, found, options)]
    if options.dry_run or not made:
        return 0
    finished = [(tag, number) for tag, number, status in made if status == statistic.FINISHED or options.to != 'finished']
    experlist.add(ROOT, options.to, finished)
    say(f'{plural(len(finished), "run")} added to the set {options.to!r}: `table {options.to}`, `expls {made[0][0]}`, `plot {made[0][0]}` show them')
    return 0


def _options(argv):
    options = parser('import', __doc__, EXAMPLES)
    options.add_argument('source', nargs='+', help='a folder or file; what it is shows by itself')
    options.add_argument('--tag', help='of all of them, instead of their experiments\' names')
    options.add_argument('--to', metavar='SET', default='finished', help='the list they are added to (%(default)s: those that ended well)')
    options.add_argument('--watch', metavar='METRIC', help='the one that names the best epoch')
    options.add_argument('--mode', choices=('min', 'max'), help='which values of it are better, if its name does not say')
    options.add_argument('--rename', metavar='OLD=NEW', action='append', default=[], help='call a metric so')
    options.add_argument('--keep-names', action='store_true', help='train_loss stays train_loss')
    options.add_argument('-n', '--dry-run', action='store_true', help='say what would be imported, and do nothing')
    found = options.parse_args(argv)
    found.rename = dict(pair.partition('=')[::2] for pair in found.rename)
    if not all(found.rename.values()):
        options.error('--rename takes OLD=NEW')
    for what, word, check in (('tag', found.tag, names.check_tag), ('set', found.to, names.check_set)):
        if word is not None and check(word):
            raise Refusal(f'{word!r} cannot be a {what}: {check(word)}', code=2)
    return found


def _found(source):
    """The Old runs at a path; what cannot be read is told, and does not stop the others. Raises Refusal where there is none of any kind."""
    if not os.path.exists(source):
        raise Refusal(f'{source}: there is no such file or folder')
    olds, seen = [], 0
    for name in KINDS:
        kind = importlib.import_module(f'tagrun.extra.{name}')
        for label, place in kind.places(source).items():
            seen += 1
            try:
                old = kind.read(place)
                if not old.points:
                    raise ValueError('no metric in it')
                olds.append(old)
            except (OSError, ValueError) as error:
                say(f'{label}: {kind.KIND}: {getattr(error, "strerror", None) or error}; left out')
    if not seen:
        raise Refusal(f'{source}: neither a folder or database of MLflow, nor TensorBoard\'s event files, nor runs of W&B (*.wandb), nor CSV')
    return sorted(olds, key=lambda old: (old.started or 0, old.name))


def tag_of(text):
    """A tag of any text: what cannot be in one becomes a -."""
    text = unicodedata.normalize('NFC', text)
    text = ''.join(letter if letter not in '@/' and not names.check_tag(f'a{letter}a') else '-' for letter in text)
    text = re.sub(r'\.\.+', '.', re.sub('--+', '-', text)).encode()[:LONGEST_TAG].decode('utf-8', 'ignore').strip('-.@')
    return text if not names.check_tag(text) else f'imported-{text}'.rstrip('-.') if not names.check_tag(f'imported-{text}'.rstrip('-.')) else 'imported'


def _check(repository, tag):
    """Raises Refusal for a tag under which recorded runs are: its code would not be the imported runs'."""
    taken = repository.resolve(f'refs/tags/{tag}') or any(_imported(tag, number) is None for number in layout.numbers(ROOT, tag))
    if taken:
        raise Refusal(f'{tag!r} is a tag of runs that were recorded here: --tag names another')


def _imported(tag, number):
    """What run.json says of where a run came from; None of one that was trained here or cannot be read."""
    try:
        found = run_json.read(layout.run_folder(ROOT, tag, number)).get('imported')
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _import(tag, olds, options):
    """[(tag, id, status), …] of the runs that were made; those that were there already are passed over."""
    there = {(found.get('kind'), found.get('id')): number for number in layout.numbers(ROOT, tag) if (found := _imported(tag, number))}
    new = [old for old in olds if (old.kind, old.id) not in there]
    if len(new) < len(olds):
        say(f'{tag}: {plural(len(olds) - len(new), "run")} imported before')
    made = []
    for place, old in enumerate(new):
        content, rows = _run(old, options)
        number = place if options.dry_run else _write(tag, old, content, rows)
        made.append((tag, number, old.status))
        if place < SHOWN:
            say(f'{tag}/{number}  {_told(old, content, rows)}')
    if len(new) > SHOWN:
        say(f'… and {len(new) - SHOWN:,} more')
    return made


def _told(old, content, rows):
    best = content['metric'].get(content['watch'])
    figure = f'{content["watch"]} {best:.4g} at {old.x} {content["best_" + old.x]}' if best is not None else ''
    return '  '.join(filter(None, [old.kind, old.name, f'{plural(len(rows), old.x)} with a metric', old.status, figure]))


# --- one run --------------------------------------------------------------------------------------------------------


def _run(old, options):
    """(content of statistic.json, rows of history.csv) of an Old run. Raises Refusal for a --watch that it lacks."""
    points = _renamed(old.points, options)
    watch = options.watch or next(name for pattern in WATCHED for name in points if re.match(pattern, name, re.IGNORECASE | re.DOTALL))
    if watch not in points:
        raise Refusal(f'--watch {watch}: {old.kind} run {old.name or old.id} has {", ".join(list(points)[:10])}')
    mode = options.mode or table.direction([], Column('metric', watch))
    finite = [(value, x) for x, value in points[watch] if math.isfinite(value)]
    best = (max if mode == 'max' else min)(finite, key=lambda pair: pair[0])[1] if finite else None
    last = max(pairs[-1][0] for pairs in points.values())
    facts = {old.x: _whole(last), f'{old.x}s': _whole(last)} | ({f'best_{old.x}': _whole(best)} if best is not None else {})
    return {'status': old.status, 'imported': {'kind': old.kind, 'id': old.id, 'name': old.name, 'x': old.x},
            'message': f'imported from {old.kind}' + (f': {old.name}' if old.name else ''), **facts, 'watch': watch, 'mode': mode,
            'metric': _at(points, last if best is None else best), 'last': _at(points, last), 'hparam': old.hparam, 'digest': {},
            'time': _time(old)}, _rows(points)


def _renamed(points, options):
    """The metrics under Tagrun's names; where two would be called the same, both keep their own."""
    def name(old):
        match = OF_PHASE.fullmatch(old)
        usual = old if options.keep_names or not match else f'{PHASES[match[1].lower()]}/{match[2]}'
        return options.rename.get(old, options.rename.get(usual, usual))
    new = [name(old) for old in points]
    counts = Counter(new)
    return {name if counts[name] == 1 else old: pairs for name, (old, pairs) in zip(new, points.items())}


def _at(points, x):
    """{metric: its last value at x or before}."""
    found = {name: bisect.bisect_right(pairs, x, key=lambda pair: pair[0]) for name, pairs in points.items()}
    return {name: points[name][place - 1][1] for name, place in found.items() if place}


def _rows(points):
    """Rows of history.csv: what an epoch is there is a step here, where that is what the run was counted in. Long metrics are thinned evenly."""
    rows = {}
    for name, pairs in points.items():
        every = max(1, math.ceil(len(pairs) / MOST))
        for x, value in {*pairs[::every], pairs[-1]}:
            rows.setdefault(x, {})[name] = value
    return [{'epoch': _whole(x), **{name: rows[x][name] for name in points if name in rows[x]}, 'seconds': ''} for x in sorted(rows)]


def _whole(x):
    return int(x) if x == int(x) else x


def _time(old):
    stamps = {'started': old.started, 'updated': old.started + old.seconds if old.started and old.seconds else old.started}
    found = {name: datetime.fromtimestamp(stamp, timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ') for name, stamp in stamps.items()
             if stamp and 0 < stamp < 2 ** 37}
    return found | ({'seconds': round(float(old.seconds), 3)} if old.seconds is not None and math.isfinite(old.seconds) else {})


def _write(tag, old, content, rows):
    """A new run under the tag, whose files nobody is to change; its id. run.json comes last: with it the run is there."""
    try:
        number, folder = layout.claim(ROOT, tag)
        statistic.write(folder, {'run': f'{tag}/{number}', **content})
        history.write(folder, rows)
        run_json.write(folder, run_json.build(ROOT, tag, number, None, None, imported=content['imported']))
        for path in folder.iterdir():
            path.chmod(0o444)
    except OSError as error:
        raise Refusal(f'{layout.result(ROOT)}: {error}') from None
    return number
