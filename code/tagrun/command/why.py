"""Why two runs came out as they did, on one screen: what differs, where they part, and whether their metrics differ by more than seeds do.

What differs: code, config, seed, packages, hardware, data. The noise is the spread over runs that differ from one of the two in the seed
alone, as far as they are here: `rerun A --seeds 4` makes some. It reads what the runs left; it runs nothing. `diff A B` shows the code in full.
"""
import math
from pathlib import Path

from tagrun.command import choose, columns, difference, glance, group, verdict
from tagrun.command.git import Failed, Repository
from tagrun.command.say import Refusal, parser, plural, printable, quote
from tagrun.store import history, jsonfile, layout, run_json, statistic, table, trace

EXAMPLES = ('why first wide          their latest runs',
            'why first/0 first/3     two runs of one tag',
            'why first wide --json   everything, for a program')
ROOT = Path(__file__).resolve().parents[3]
SOFTWARE = ('python', 'torch', 'cuda', 'cudnn', 'driver', 'system')
HARDWARE = ('cpu', 'cores', 'threads', 'device', 'world_size', 'gpu')
COMPARED = {'the traces': trace.epochs, 'the metrics of each epoch': history.read,
            'the last weights': lambda folder: statistic.read(folder)['digest'].get('weights')}
HUNKS, LINES, METRICS = 18, 8, 8    # lines of a part that are shown
WIDEST = 150                        # letters of a line of code
INDENT = ' ' * 10
# Two-sided 95 % of Student's t: what the difference of two runs, divided by its estimated spread, seldom exceeds by chance.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 15: 2.13, 20: 2.09, 30: 2.04, 60: 2.00}


def main(argv):
    options = parser('why', __doc__, EXAMPLES)
    options.add_argument('run', help='<tag> (its latest run), <tag>/<id>, or @last')
    options.add_argument('other', help='the run to compare it with')
    options.add_argument('--json', action='store_true', help='everything, as JSON with all digits')
    options = options.parse_args(argv)
    repository = Repository.at(ROOT)
    runs = [_Side(repository, word) for word in (options.run, options.other)]
    if runs[0].name == runs[1].name:
        raise Refusal(f'both are {runs[0].name}: name two runs, first/0 first/1 for instance', code=2)
    found = compare(repository, *runs)
    if options.json:
        print(jsonfile.dumps(found), end='')
    else:
        print('\n'.join(printable(line) for line in _screen(found)))


class _Side:
    """One of the two runs: what its folder says."""

    def __init__(self, repository, word):
        self.tag, self.number = _chosen(repository, word)
        self.name = f'{self.tag}/{self.number}'
        self.folder = layout.run_folder(ROOT, self.tag, self.number)
        self.content = _read(statistic.read, self.folder)
        self.info = _read(run_json.read, self.folder)
        self.environment = _read(jsonfile.read, self.folder / 'environment.json')
        self.commit = self.info.get('commit')
        self.seed = self.info.get('seed', self.content.get('seed'))
        self.seen = glance.Seen(self.tag, self.number, '', 0.0, self.content)


def _chosen(repository, word):
    try:
        return choose.run(ROOT, word)
    except Refusal:
        if repository.resolve(f'refs/tagrun/result/{word}'):
            raise Refusal(f'git has the result of {word}, and its files are not here: `tagrun fetch` writes them') from None
        raise


def _read(reader, place):
    """What a reader finds; {} where there is nothing to read."""
    try:
        return reader(place)
    except (OSError, ValueError):
        return {}


# --- what differs -----------------------------------------------------------------------------------------------------


def compare(repository, one, other):
    """Everything that differs between two runs, as plain values: [of the one, of the other] each; {} or None where nothing does."""
    environments = one.environment, other.environment
    known = bool(one.environment and other.environment)
    return {
        'runs': [one.name, other.name],
        'code': _code(repository, one, other),
        'config': _pairs(one.content.get('hparam', {}), other.content.get('hparam', {})),
        'seed': [one.seed, other.seed] if one.seed != other.seed else None,
        'packages': {**_pairs(*(_part(each, SOFTWARE) for each in environments)), **_pairs(*(_dict(each.get('packages')) for each in environments))},
        'hardware': _pairs(*(_part(each, HARDWARE) for each in environments)),
        'data': _pairs(*(_dict(each.get('data')) for each in environments)),
        'surroundings_known': known,
        'compared': [name for name, seen in COMPARED.items() if all(_read(seen, side.folder) for side in (one, other))],
        'first_difference': difference.between(one.folder, other.folder),
        'metric': _metrics(repository, one, other),
    }


def _code(repository, one, other):
    """{'files': {path: [its hunks' lines]}, 'tool': files of code/tagrun that differ, 'unknown': why it cannot be said}."""
    nothing = {'files': {}, 'tool': [], 'unknown': None}
    by_hand = [side.name for side in (one, other) if not side.commit]
    if by_hand:
        return {**nothing, 'unknown': f'no commit tells the code of {" and ".join(by_hand)}'}
    try:
        text = repository.diff(one.commit, other.commit, 'code', '!code/seed', '!code/config.py', '!code/tagrun/tests', '!code/tagrun/bench')
    except Failed as error:
        return {**nothing, 'unknown': str(error)}
    files = _files(text, repository.prefix)
    tool = [path for path in files if path.startswith('code/tagrun/')]
    return {**nothing, 'files': {path: lines for path, lines in files.items() if path not in tool}, 'tool': tool}


def _files(text, prefix):
    """{path of the project: [hunk lines]} of a diff, its heads left out."""
    files, lines, in_hunk = {}, None, False
    for line in text.split('\n'):
        if line.startswith('diff --git '):
            path = line.rpartition(' b/')[2].removesuffix('"')
            lines, in_hunk = files.setdefault(path.removeprefix(prefix), []), False
        elif line.startswith('@@') and lines is not None:
            in_hunk = True
            lines.append('@@ line ' + line.split('+', 1)[1].partition(' ')[0].partition(',')[0])
        elif in_hunk and line:
            lines.append(line)
        elif lines is not None and line.startswith(('Binary files', 'deleted file', 'new file', 'old mode', 'new mode')):
            lines.append(line)
    return files


def _pairs(mine, theirs):
    """{name: [mine, theirs]} where two dicts differ; None for what one lacks."""
    return {name: [mine.get(name), theirs.get(name)] for name in dict.fromkeys([*mine, *theirs])
            if name not in mine or name not in theirs or mine[name] != theirs[name]} if mine and theirs else {}


def _part(environment, names):
    return {name: environment[name] for name in names if name in environment}


def _dict(value):
    return value if isinstance(value, dict) else {}


# --- metrics, and the noise of the seed -------------------------------------------------------------------------------


def _metrics(repository, one, other):
    """{name: {'values': [a, b], 'difference', 'noise': std of such a difference, 'seeds', 'more_than_seeds': True, False or None}}."""
    watched, groups, found = one.seen.watch, _groups(repository, one, other), {}
    mine, theirs = (side.content.get('metric', {}) for side in (one, other))
    for name in sorted(dict.fromkeys([*mine, *theirs]), key=lambda name: name != watched):     # stable: only the watched one moves
        values = [jsonfile.number(mine.get(name)), jsonfile.number(theirs.get(name))]
        change = values[1] - values[0] if None not in values else None
        means = _means(groups, name)
        noise, degrees = _noise(means)
        more = abs(change) > noise * _student(degrees) if change is not None and noise is not None else None
        found[name] = {'values': values, 'difference': change, 'noise': noise, 'seeds': [mean.count for mean in means], 'more_than_seeds': more}
    return found


def _groups(repository, one, other):
    """The group.Groups that the two runs are in: runs that differ from them in the seed alone."""
    wanted = {_arguments(side.content) for side in (one, other)}
    rows, _ = table.load(ROOT, [(side.tag, side.number) for side in (one, other)] + _others(one, other))
    alike = {}      # one a commit: what was made again with the same seed counts once
    for row in rows:
        if _arguments(row.values) in wanted:
            alike.setdefault(row.values['run'].get('commit', row.name), row)
    places = {row.name: row.values['run'].get('commit', row.name) for row in rows[:2]}
    found = group.rows(repository, list(alike.values()))
    return [each for each in found if any(run.values['run'].get('commit', run.name) in places.values() for run in each.runs)]


def _others(one, other):
    names = {(one.tag, one.number), (other.tag, other.number)}
    return [(tag, number) for tag in layout.tags(ROOT) if tag != layout.SCRATCH for number in layout.numbers(ROOT, tag) if (tag, number) not in names]


def _arguments(values):
    return table.text(dict(sorted(values.get('hparam', {}).items())))


def _means(groups, name):
    """What the groups have of a metric, as table.Means of one finite value or more."""
    means = [each.get(table.Column('metric', name)) for each in groups]
    return [mean for mean in means if isinstance(mean, table.Mean) and mean.count and math.isfinite(mean.mean)]


def _noise(means):
    """(standard deviation of the difference of two single runs, degrees of freedom), pooled; (None, 0) where no seeds tell it."""
    told = [mean for mean in means if mean.std is not None and math.isfinite(mean.std)]
    degrees = sum(mean.count - 1 for mean in told)
    if not degrees:
        return None, 0
    return math.sqrt(2 * sum((mean.count - 1) * mean.std ** 2 for mean in told) / degrees), degrees


def _student(degrees):
    return STUDENT[max(known for known in STUDENT if known <= degrees)]


# --- the screen -------------------------------------------------------------------------------------------------------


def _screen(found):
    one, other = found['runs']
    yield f'{one} and {other}: {_summary(found)}'
    yield from _code_lines(found['code'], one, other)
    for name in ('config', 'packages', 'hardware', 'data'):
        yield from _pair_lines(name, found[name])
    if found['data'] and _is_split(found):
        yield f'{INDENT}so it is where the seed says which samples are for what'
    if found['seed']:
        yield f'{"seed":<10}{found["seed"][0]} -> {found["seed"][1]}'
    yield f'{"they part":<10}{_first(found, one, other)}'
    yield from _metric_lines(found['metric'], one, other)
    same = [name for name in ('config', 'seed', 'packages', 'hardware', 'data') if not found[name]]
    if not found['code']['files'] and not found['code']['tool'] and not found['code']['unknown']:
        same.insert(0, 'code')
    unknown = [] if found['surroundings_known'] else ['packages', 'hardware', 'data']
    same = [name for name in same if name not in unknown]
    if same:
        yield f'{"the same":<10}{", ".join(same)}'
    if unknown:
        yield f'{"unknown":<10}{", ".join(unknown)}: one of the two has no environment.json'


def _summary(found):
    parts = ['code'] if found['code']['files'] else []
    parts += ['the tool'] if found['code']['tool'] else []
    parts += list(found['config'])[:3] + ([f'{len(found["config"]) - 3} more arguments'] if len(found['config']) > 3 else [])
    parts += [name for name in ('seed', 'packages', 'hardware') if found[name]]
    parts += ['data'] if found['data'] and not _is_split(found) else []
    same = found['compared'] and not found['first_difference']
    if parts:
        return f'they differ in {", ".join(parts)}' + (', and came out the same, bit for bit' if same else '')
    if same:
        return 'the same, bit for bit'
    if not found['compared'] or not found['surroundings_known']:
        return 'nothing known differs, but not all is known of both'
    return 'nothing known differs; a non-deterministic operator, or randomness from outside the seed (`tagrun selftest` finds where)'


def _is_split(found):
    """Whether the data differ in nothing but which samples a phase has, as where the seed splits them."""
    counts = [[_dict(value).get('samples') for value in pair] for pair in found['data'].values()]
    return bool(found['seed']) and all(mine is not None and mine == theirs for mine, theirs in counts)


def _code_lines(code, one, other):
    if code['unknown']:
        yield f'{"code":<10}{code["unknown"]}'
    if not code['files'] and not code['tool']:
        return
    lines = [line for path, hunks in code['files'].items() for line in (path, *(f'  {hunk}'[:WIDEST] for hunk in hunks))]
    lines += [f'code/tagrun: {plural(len(code["tool"]), "file")} of the tool'] if code['tool'] else []
    cut = len(lines) > HUNKS + 1
    for number, line in enumerate(lines[:HUNKS] if cut else lines):
        yield f'{"code" if not number else "":<10}{line}'
    if cut:
        yield f'{INDENT}… {len(lines) - HUNKS} more lines: tagrun diff {quote(one)} {quote(other)}'


def _pair_lines(name, pairs):
    for number, (key, (mine, theirs)) in enumerate(list(pairs.items())[:LINES]):
        yield f'{name if not number else "":<10}{key}: {_value(mine)} -> {_value(theirs)}'
    if len(pairs) > LINES:
        yield f'{INDENT}… {len(pairs) - LINES} more: --json has them'


def _value(value):
    if isinstance(value, dict) and set(value) == {'samples', 'digest'}:
        return f'{value["samples"]} samples, {value["digest"]}'
    text = 'absent' if value is None else table.text(value)
    return text if len(text) <= 60 else text[:60] + ' …'


def _first(found, one, other):
    first = found['first_difference']
    if not found['compared']:
        return 'nobody knows where: what both need, the trace, the history or the digest of the weights, one of them lacks'
    if not first:
        return f'nowhere: {", ".join(found["compared"])} are the same'
    what = verdict.WORDS.get(first['stream'], first['stream'])
    where = verdict.place(first).strip() or 'at the end'
    return f'{where}: {what} ({_value(first["here"])} in {one}, {_value(first["there"])} in {other})'


def _metric_lines(metrics, one, other):
    if not metrics:
        return
    rows = [(name, *(_figure(value) for value in each['values']), _change(each), _judged(each)) for name, each in list(metrics.items())[:METRICS]]
    head = ('', one, other, 'difference', 'and the seed')
    for number, line in enumerate(columns.lines(head, rows, right=(one, other, 'difference'))):
        yield f'{"metric" if not number else "":<10}{line}'
    if len(metrics) > METRICS:
        yield f'{INDENT}… {len(metrics) - METRICS} more: --json has them'
    if all(each['noise'] is None for each in metrics.values()):
        yield f'{INDENT}what seeds do is not known: `rerun {quote(one)} --seeds 4` tells it'


def _figure(value):
    if value is None:
        return ''
    return f'{value:.4f}' if value == 0 or 1e-3 <= abs(value) < 1e5 else f'{value:.3e}'


def _change(each):
    change = each['difference']
    if change is None or change == 0:
        return '' if change is None else '0'
    return ('+' if change > 0 else '') + _figure(change)


def _judged(each):
    if each['more_than_seeds'] is None or not each['difference']:
        return ''
    seeds = '+'.join(str(count) for count in each['seeds'])
    return f'± {_figure(each["noise"])} ({seeds} seeds): {"more than" if each["more_than_seeds"] else "as much as"} seeds do'
