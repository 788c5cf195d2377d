"""List the tags, or the runs of some: status, how far, how good, why.

The newest is the last line, next to the prompt. Status: created, queued (on Slurm, for one), running, finished, failed, interrupted,
killed, pruned; `continue` goes on with the last four. The remark says what differs from the tag's first run, and how the run ended. Runs
by hand, which nothing records, are those of `scratch`.
"""
import time
from pathlib import Path

from tagrun.command import choose, columns, glance, jobs
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, duration, parser, say
from tagrun.store import jsonfile, layout, statistic

EXAMPLES = ('expls                   one line a tag',
            'expls first             its runs',
            'expls -r                the runs of all tags',
            'expls @record           the runs of a list',
            'expls --json | jq .     for a program')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('expls', __doc__, EXAMPLES)
    options.add_argument('run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    options.add_argument('-r', '--runs', action='store_true', help='the runs of all tags')
    options.add_argument('--json', action='store_true', help='as JSON, with all digits')
    options = options.parse_args(argv)
    found = jobs.told(ROOT, [glance.look(ROOT, *name) for name in (choose.several(ROOT, options.run) if options.run else _all())])
    if not found and not options.run:
        say('there is no run yet: `run first` makes one')
    if options.run or options.runs:
        _show_runs(sorted(found, key=lambda seen: seen.started), time.time(), options.json)
    else:
        _show_tags(_by_tag(found), time.time(), options.json)


def _all():
    return [(tag, number) for tag in layout.tags(ROOT) for number in layout.numbers(ROOT, tag)]


# --- tags -----------------------------------------------------------------------------------------------------------


def _by_tag(found):
    """{tag: its runs}, the one whose latest run is the newest last."""
    groups = {}
    for seen in found:
        groups.setdefault(seen.tag, []).append(seen)
    return dict(sorted(groups.items(), key=lambda group: group[1][-1].started))


def _show_tags(groups, now, as_json):
    why, best = _why(), {tag: _best(runs) for tag, runs in groups.items()}
    if as_json:
        return _print_json({'tag': tag, 'runs': len(runs), 'why': why.get(tag) or _imported(runs), 'latest': _plain(runs[-1], now), 'best': _plain(best[tag], now)}
                           for tag, runs in groups.items())
    label = _label(best.values())
    _print(('tag', 'runs', 'status', label, 'age', 'why'), ('runs', label),
           [(tag, str(len(runs)), _status_of_tag(runs, now), _figure(best[tag], label), _age(runs[-1], now), why.get(tag) or _imported(runs))
            for tag, runs in groups.items()])


def _why():
    """{tag: first line of its message}; what `run` writes where no -m is given says nothing. Without git there is none."""
    try:
        rows = Repository.at(ROOT).refs('refs/tags', ('refname:strip=2', 'contents:subject'))
    except Refusal:
        return {layout.SCRATCH: 'by hand, not recorded'}
    return {tag: subject for tag, subject in rows if subject != f'run {tag}'} | {layout.SCRATCH: 'by hand, not recorded'}


def _imported(runs):
    """'imported from MLflow' of runs that another tool recorded, '' of others."""
    found = runs[-1].content.get('imported')
    return f'imported from {found.get("kind")}' if isinstance(found, dict) else ''


def _best(runs):
    """The best of a tag's runs; the first of equals."""
    top = runs[0]
    for seen in runs[1:]:
        top = seen if glance.better(seen, top) else top
    return top


# --- runs -----------------------------------------------------------------------------------------------------------


def _show_runs(found, now, as_json):
    first = _first_runs(found)
    if as_json:
        return _print_json({**_plain(seen, now), 'differs': glance.differences(seen, first[seen.tag])} for seen in found)
    label = _label(found)
    _print(('run', 'status', 'epoch', label, 'seed', 'age', 'remark'), ('epoch', label, 'seed'),
           [(seen.name, _status(seen, now), _epoch(seen), _figure(seen, label), str(seen.content.get('seed', '')), _age(seen, now),
             _remark(seen, first[seen.tag])) for seen in found])


def _first_runs(found):
    """{tag: its first run that is there}."""
    known = {(seen.tag, seen.id): seen for seen in found}
    first = {tag: layout.numbers(ROOT, tag)[0] for tag in dict.fromkeys(seen.tag for seen in found)}
    return {tag: known.get((tag, number)) or glance.look(ROOT, tag, number) for tag, number in first.items()}


def _remark(seen, first):
    """What differs from the tag's first run, then what it said of its end."""
    differs = ' '.join(f'{name}={value}' for name, value in glance.differences(seen, first).items())
    return '   '.join(filter(None, [differs, str(seen.content.get('message', ''))]))


# --- cells ----------------------------------------------------------------------------------------------------------


def _status_of_tag(runs, now):
    """The latest run's, and how many others are running: 'running 3/8, 12 s left; 2 more running'."""
    latest, others = runs[-1], sum(seen.state == statistic.RUNNING for seen in runs[:-1])
    epoch = _epoch(latest) if latest.state != statistic.FINISHED else ''
    return _status(latest, now, epoch) + (f'; {others} more running' if others else '')


def _status(seen, now, epoch=''):
    """'finished', 'running, 12 s left'."""
    eta = seen.eta_s(now)
    return f'{seen.state} {epoch}'.rstrip() + (f', {duration(eta)} left' if eta is not None else '')


def _epoch(seen):
    return f'{seen.content["epoch"]}/{seen.content.get("epochs", "?")}' if 'epoch' in seen.content else ''


def _label(runs):
    """The watched metric's name, if it is the same of all."""
    watched = {seen.watch for seen in runs} - {''}
    return watched.pop() if len(watched) == 1 else 'best'


def _figure(seen, label):
    if seen.best is None:
        return ''
    figure = f'{seen.best:.4f}' if seen.best == 0 or 1e-3 <= abs(seen.best) < 1e5 else f'{seen.best:.3e}'
    return figure if label == seen.watch else f'{seen.watch} {figure}'


def _age(seen, now):
    """Since it was last started, to the largest unit: '3 min'."""
    return ' '.join(duration(max(0, now - seen.started)).split()[:2])


def _plain(seen, now):
    """A run for a program: full digits, null where there is nothing."""
    content = seen.content
    keys = ('epoch', 'epochs', 'watch', 'mode', 'best_epoch', 'seed', 'commit', 'message')
    return {'run': seen.name, 'status': seen.state, **{key: content.get(key) for key in keys}, 'best': content.get('metric', {}).get(seen.watch),
            'eta_s': seen.eta_s(now), 'started': content.get('time', {}).get('started'), 'updated': content.get('time', {}).get('updated'),
            'seconds': content.get('time', {}).get('seconds')}


# --- out ------------------------------------------------------------------------------------------------------------


def _print(head, right, rows):
    if rows:
        print('\n'.join(columns.lines(head, rows, right)))


def _print_json(objects):
    print(jsonfile.dumps(list(objects)), end='')
