"""Curves of runs, as a PNG, SVG or PDF file: over epochs, over steps, or a sweep's results over one argument.

Runs that differ in the seed alone are one line: their mean, with a band of ± one standard deviation; --each draws them one by one.
Without --metric one run shows all it measured, several the watched metric and the loss beside it. A cross marks where a value ceased
to be a finite number. It opens no window: it says where the file is. Exit codes: 0 drawn, 1 nothing to draw, 2 usage.
"""
import math
import os
import re
from pathlib import Path

from tagrun.command import choose, formats, where
from tagrun.command.say import Refusal, parser, plural, quote, say
from tagrun.store import experlist, jsonfile, layout, statistic, table
from tagrun.store.table import Column

EXAMPLES = ('plot first                              every metric of one run',
            'plot base wide/0 -o figure.pdf          two, side by side',
            'plot five --metric val/acc val/loss     five seeds as mean and band',
            'plot first --steps --log --smooth 50    the training loss at each step',
            'plot @finished --over lr --by model     the best of each run, over an argument')
FORMATS = ('.png', '.svg', '.pdf')
OWN = 'curves.png'      # in a run's folder
PHASES_APART = 8        # so many lines have colours of their own, and leave the dashes to the phases
TELLING = 2             # arguments that differ between the lines and stand in the legend; of more, none does
WIDE = 30               # times the smallest: an argument that spans more is drawn on a logarithmic axis
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    names = choose.several(ROOT, options.run)
    if options.own:
        return _own(names)
    runs, damaged = table.load(ROOT, names)
    for name, reason in damaged:
        say(f'{name}: {reason}; left out')
    if not runs:
        raise Refusal('not one of these runs can be read')
    path = _path(options, runs)
    from tagrun.extra import picture    # here: -h need not load matplotlib
    figure, what = _over(runs, options) if options.over else _curves(runs, options)
    try:
        if not options.output:
            path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(figure, path)
    except OSError as error:
        raise Refusal(f'{path} cannot be written: {error.strerror}') from None
    say(f'{quote(os.path.relpath(path))}: {what}')
    return 0


def _options(argv):
    options = parser('plot', __doc__, EXAMPLES)
    options.add_argument('run', nargs='+', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    options.add_argument('--metric', metavar='METRIC', nargs='+', help='columns of history.csv, or the ends of their names')
    options.add_argument('-o', '--output', metavar='FILE', help='write it there; .png, .svg or .pdf')
    options.add_argument('--steps', action='store_true', help='the training loss at each step, instead of epochs')
    options.add_argument('--each', action='store_true', help='every run a line of its own, seeds too')
    options.add_argument('--smooth', metavar='N', type=int, default=1, help='running mean over the last N points; the label says so')
    options.add_argument('--log', action='store_true', help='a logarithmic axis for the values')
    options.add_argument('--over', metavar='ARGUMENT', help='one metric at its best epoch, against an argument of config.py')
    options.add_argument('--by', metavar='ARGUMENT', help='with --over: a line for each value of this one')
    options.add_argument('--own', action='store_true', help=f'{OWN} in the folder of each run, as each gets at its end')
    found = options.parse_args(argv)
    if found.smooth < 1:
        options.error('--smooth takes 1 or more')
    if found.by and not found.over:
        options.error('--by goes with --over')
    if found.over and (found.steps or found.smooth > 1 or len(found.metric or ()) > 1):
        options.error('--over draws one metric at its best epoch: no --steps, no --smooth')
    if found.output and not found.output.lower().endswith(FORMATS):
        options.error(f'-o {found.output}: the name ends in {", ".join(FORMATS)}')
    return found


def _path(options, runs):
    """Where it goes: -o, behind the user's own links, or __statistic__/plot/<what>.png."""
    if options.output:
        path = Path(os.path.realpath(options.output))
        if os.path.exists(path) and not os.path.isfile(path):
            raise Refusal(f'{options.output} is no file')
        return path
    words = [word.removeprefix('@').replace('/', '-') for word in options.run]
    name = '+'.join(words[:3]) + (f'+{len(words) - 3}' if len(words) > 3 else '') + ('-steps' if options.steps else '')
    name += f'-over-{options.over}' if options.over else ''
    return layout.statistic(ROOT) / 'plot' / f'{re.sub(r"[^-+.=@_0-9A-Za-z]", "_", name)[:200]}.png'


# --- curves ---------------------------------------------------------------------------------------------------------


def _curves(runs, options):
    """(a Figure of curves, what it shows in words)."""
    from tagrun.extra import curves, picture
    points = {run.name: found for run in runs if (found := _points(run, options.steps))}
    runs = [run for run in runs if run.name in points]
    if not runs:
        raise Refusal(f'none of these runs has {"a trace with the loss of a step" if options.steps else "an epoch behind it"}')
    groups = _best_first(_groups(runs, options.each), picture.TOLD_APART)
    metrics = _metrics(runs, points, len(groups), options)
    labels = _labels(groups)
    panels = {}
    for title, members in _panels(metrics, len(groups)).items():
        for label, group in zip(labels, groups):
            for metric in members:
                many = [points[run.name][metric] for run in group if metric in points[run.name]]
                if many:
                    panels.setdefault(title, {})[label, _split(metric)[0]] = curves.curve(many, options.smooth)
    drawn = {label for lines in panels.values() for label, _ in lines}
    for label in labels:
        if label not in drawn:
            say(f'{label}: has none of {", ".join(metrics[:6])}; left out')
    figure = picture.of_curves(panels, [label for label in labels if label in drawn], _x_label(runs, options), options.log, options.smooth)
    count = sum(len(group) for label, group in zip(labels, groups) if label in drawn)
    return figure, f'{plural(count, "run")}, {", ".join(metrics[:6])}{", …" if len(metrics) > 6 else ""}'


def _points(run, steps):
    """{metric: points} of a run, {} where it has none; what cannot be read is told."""
    from tagrun.extra import curves
    folder = layout.result(ROOT) / run.name
    try:
        found = (curves.of_trace if steps else curves.of_history)(folder)
    except FileNotFoundError:
        found = {}
    except (OSError, ValueError) as error:
        say(f'{run.name}: history.csv: {getattr(error, "strerror", None) or error}; left out')
        return {}
    if not found:
        say(f'{run.name}: {"no trace of its steps" if steps else "no epoch yet"}; left out')
    return found


def _groups(runs, each):
    """[[run, …], …]: those that differ in the seed alone together, one of each seed, the finished before the others."""
    if each or len(runs) == 1:
        return [[run] for run in runs]
    from tagrun.command import group    # here: one run needs no git
    from tagrun.command.git import Repository
    return [_of_each_seed(found) for found in group.rows(Repository.at(ROOT), runs)]


def _of_each_seed(group):
    """A group's runs, one of each seed."""
    found = {}
    for run in [*group.counted, *group.runs]:
        found.setdefault(table.text(run.values['run'].get('seed', run.name)), run)
    return [run for run in group.runs if run in found.values()]


def _best_first(groups, told_apart):
    """As they are; of more than can be told apart the best by the watched metric first, who are named in the legend."""
    runs = [run for group in groups for run in group]
    watched = table.watched(runs)
    if len(groups) <= told_apart or not watched:
        return groups
    say(f'{len(groups):,} lines: the best {told_apart} by {watched} have names, the others are grey')
    column = Column('metric', watched)
    sign = -1 if table.direction(runs, column) == 'max' else 1
    return sorted(groups, key=lambda group: sign * value if (value := formats.as_number(group[0].get(column))) is not None else math.inf)


def _metrics(runs, points, lines, options):
    """Names of the metrics to draw. Raises Refusal, with what there is, for one that no run has."""
    known = list(dict.fromkeys(name for found in points.values() for name in found))
    if options.metric:
        columns = [Column('metric', name) for name in known]
        return list(dict.fromkeys(where.column(word, runs, columns).name for word in options.metric))
    watched = table.watched(runs)
    if lines == 1 or watched not in known:
        return [name for name in known if name != 'lr'] if lines == 1 else known[:2]
    phase = watched.rpartition('/')[0]
    return list(dict.fromkeys([watched, *(name for name in known if name == f'{phase}/loss')]))


def _panels(metrics, lines):
    """{title: its metrics}: those of all phases in one panel, while colours are left to tell the lines apart."""
    panels = {}
    for metric in metrics:
        phase, name = _split(metric)
        panels.setdefault(name if phase and lines <= PHASES_APART else metric, []).append(metric)
    return {title if len(found) > 1 else found[0]: found for title, found in panels.items()}


def _split(metric):
    """('val', 'acc') of val/acc, ('', 'lr') of lr."""
    phase, _, name = metric.rpartition('/')
    return phase, name


def _labels(groups):
    """A name for each group, as short as may be where no two are to be the same."""
    arguments = [group[0].values['hparam'] for group in groups]
    differing = [name for name in dict.fromkeys(key for found in arguments for key in found)
                 if any(found.get(name) != arguments[0].get(name) for found in arguments)]
    for longest in (20, 32, 48, 80, 1000):
        labels = [_label(group, differing if len(differing) <= TELLING else (), longest) for group in groups]
        if len(set(labels)) == len(labels):
            break
    return labels


def _label(group, differing, longest):
    """Its runs, the arguments that tell it from the others, how many seeds: 'wide/0-4  lr=0.01  (5 seeds)'."""
    from tagrun.extra.picture import cut
    found, runs = group[0].values['hparam'], experlist.compact([(run.values['run']['tag'], run.values['run']['id']) for run in group])
    words = [cut(runs, longest + 8)] + [f'{cut(name, longest)}={cut(formats.shown(found.get(name, "-"), Column("hparam", name)), longest)}' for name in differing]
    return '  '.join([*words, *([f'({len(group)} seeds)'] if len(group) > 1 else []), *_end(group)])


def _end(group):
    """['(killed)']: how the run ended, where it did not finish; of several, how many."""
    states = [run.values['run']['status'] for run in group if run.values['run']['status'] != statistic.FINISHED]
    if not states:
        return []
    return [f'({states[0]})' if len(group) == 1 else f'({len(states)} not finished)']


def _x_label(runs, options):
    """What the lines of history.csv are: steps, of a run that another tool counted so."""
    counted = {_counted_in(run) for run in runs}
    return 'step' if options.steps else counted.pop() if len(counted) == 1 else 'epoch (of imported runs: step)'


def _counted_in(run):
    if run.values['run'].get('commit'):
        return 'epoch'
    imported = statistic.read(layout.result(ROOT) / run.name).get('imported')
    return 'step' if isinstance(imported, dict) and imported.get('x') == 'step' else 'epoch'


# --- over an argument -----------------------------------------------------------------------------------------------


def _over(runs, options):
    """(a Figure of a metric over an argument, what it shows in words)."""
    from tagrun.extra import picture
    word = (options.metric or [table.watched(runs)])[0]
    if not word:
        raise Refusal('these runs watch no metric: --metric names one')
    metric, argument = where.column(word, runs), where.column(options.over, runs)
    by = where.column(options.by, runs) if options.by else None
    there = [run for run in runs if jsonfile.is_number(run.get(metric)) and run.get(argument) is not table.MISSING]
    if not there:
        raise Refusal(f'none of these runs has both {metric.name} and {argument.name}')
    if len(there) < len(runs):
        say(f'{plural(len(runs) - len(there), "run")} without {metric.name} or {argument.name} left out')
    _tell_of_others(there, [argument.name, by.name if by else ''])
    numeric = all(jsonfile.is_number(run.get(argument)) for run in there)
    lines = {}
    for run in there:
        name = f'{by.name}={table.text(run.get(by))}' if by else metric.name
        x = float(run.get(argument)) if numeric else table.text(run.get(argument))
        lines.setdefault(name, {}).setdefault(x, []).append(float(run.get(metric)))
    lines = {name: sorted(line.items()) for name, line in lines.items()}
    places = [x for line in lines.values() for x, _ in line]
    log_x = numeric and min(places) > 0 and max(places) >= WIDE * min(places)
    figure = picture.of_values(lines, argument.name, f'{metric.name} at the best epoch', log_x, options.log)
    return figure, f'{plural(len(there), "run")}, {metric.name} over {argument.name}'


def _tell_of_others(runs, drawn):
    """Name what else differs between the runs: a mean over it is one over more than the seed."""
    others = [column.name for column in table.columns(runs, ('hparam',)) if column.name not in drawn and table.differs(runs, column)]
    if others:
        say(f'the runs differ in {", ".join(others[:5])}{", …" if len(others) > 5 else ""} too: --by draws a line for each value')


# --- a run's own ----------------------------------------------------------------------------------------------------


def _own(names):
    """curves.png into each run's folder; how many were drawn decides the exit code."""
    from tagrun.extra import picture
    runs, _ = table.load(ROOT, names)
    drawn = 0
    for run in runs:
        try:
            figure, _ = _curves([run], _options([run.name]))
            picture.save(figure, layout.result(ROOT) / run.name / OWN)
            drawn += 1
        except Refusal as refusal:
            say(f'{run.name}: {refusal}')
        except OSError as error:
            say(f'{run.name}: {error}')
    say(f'{OWN} in the folders of {plural(drawn, "run")}')
    return 0 if drawn else 1
