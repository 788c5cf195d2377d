"""A comparison of two runs as text, on one screen.

    for line in explain_text.lines(explain.compare(…)): print(printable(line))

Long parts are cut; `why --json` and `diff` have them whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tagrun.core.cli import aligned
from tagrun.core.cli.messages import figure, plural, quote
from tagrun.core.compare import first_divergence, surroundings
from tagrun.core.compare.explain import CodeDifference, Comparison
from tagrun.core.compare.seed_noise import MetricDifference
from tagrun.core.compare.surroundings import Pairs, value_text

HUNKS, LINES, METRICS = 18, 8, 8  # lines of a part that are shown
WIDEST = 150  # characters of a line of code
COLUMN = 10  # characters of the left column
PAIRS = ('config', 'packages', 'hardware', 'settings', 'data')
SURROUNDINGS = ('packages', 'hardware', 'settings', 'data')
SELFTEST = ' (`tagrun selftest` finds where)'
NOT_COMPARED = 'unknown: there is no trace, history or digest of the weights that both have'


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of the screen; they may hold control characters of others."""
    one, other = comparison['runs']
    yield f'{one} and {other}: {summary(comparison)}'
    yield from _part('inputs', _pair_lines(comparison['inputs']))
    yield from _part('code', _code_lines(comparison['code'], one, other))
    for name in PAIRS:
        yield from _part(name, _pair_lines(comparison[name]))  # type: ignore[literal-required]
    if comparison['data'] and is_split(comparison):
        yield from _part('', ['the seed also chooses the train/validation split'])
    if comparison['seed']:
        seed, other_seed = comparison['seed']
        yield from _part('seed', [f'{seed} -> {other_seed}'])
    yield from _part('they part', [_divergence(comparison)])
    yield from _part('metric', _metric_lines(comparison['metric'], one, other))
    yield from _rest(comparison)


def summary(comparison: Comparison) -> str:
    """Return the first line's sentence: in what two runs differ."""
    parts = _differing(comparison)
    is_same = bool(comparison['compared']) and not comparison['first_difference']
    if parts:
        same = f', and came out the same, bit for bit{_as_far(comparison)}' if is_same else ''
        return f'they differ in {", ".join(parts)}{same}'
    if is_same and not comparison.get('lost'):
        return f'the same, bit for bit{_as_far(comparison)}'
    if not comparison['compared'] or not comparison['surroundings_known'] or comparison.get('lost'):
        return 'nothing known differs, but not all is known of both'
    difference = comparison['first_difference'] or {}
    return surroundings.unexplained(difference.get('stream')) + SELFTEST


def _as_far(comparison: Comparison) -> str:
    """Return how far two runs were compared, where one of them is not finished."""
    unfinished = comparison['unfinished']
    if not unfinished:
        return ''
    are = 'is' if len(unfinished) == 1 else 'are'
    return f', as far as both go ({" and ".join(unfinished)} {are} not finished)'


def is_split(comparison: Comparison) -> bool:
    """Return whether the data differ in nothing but which samples a phase has.

    So it is where the seed splits the data: each phase has as many samples in both runs.
    """
    if not comparison['seed']:
        return False
    for one, other in comparison['data'].values():
        count, other_count = _samples(one), _samples(other)
        if count is None or count != other_count:
            return False
    return True


def _differing(comparison: Comparison) -> list[str]:
    arguments = list(comparison['config'])
    parts = ['inputs'] if comparison['inputs'] else []
    parts += ['code'] if comparison['code']['files'] else []
    parts += ['the tool'] if comparison['code']['tool'] else []
    parts += arguments[:3]
    parts += [f'{len(arguments) - 3} more arguments'] if len(arguments) > 3 else []
    parts += ['seed'] if comparison['seed'] else []
    for name in ('packages', 'hardware', 'settings'):
        parts += [name] if comparison[name] else []
    parts += ['data'] if comparison['data'] and not is_split(comparison) else []
    return parts


def _part(name: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield lines with the part's name before the first one."""
    for line in lines:
        yield f'{name:<{COLUMN}}{line}'
        name = ''


def _code_lines(code: CodeDifference, one: str, other: str) -> list[str]:
    if code['unknown']:
        return [code['unknown']]
    lines: list[str] = []
    for path, hunks in code['files'].items():
        lines.append(path)
        lines += [f'  {hunk}'[:WIDEST] for hunk in hunks]
    if code['tool']:
        lines.append(f'code/tagrun: {plural(len(code["tool"]), "file")} of the tool')
    # a line of its own is not worth a `… 1 more lines`
    if len(lines) <= HUNKS + 1:
        return lines
    more = f'… {len(lines) - HUNKS} more lines: tagrun diff {quote(one)} {quote(other)}'
    return [*lines[:HUNKS], more]


def _pair_lines(pairs: Pairs) -> list[str]:
    lines = [
        f'{name}: {value_text(one)} -> {value_text(other)}'
        for name, (one, other) in list(pairs.items())[:LINES]
    ]
    return [*lines, *_more(len(pairs) - LINES)]


def _more(count: int) -> list[str]:
    return [f'… {count} more: --json has them'] if count > 0 else []


def _samples(value: Any) -> Any:
    return value.get('samples') if isinstance(value, dict) else None


def _divergence(comparison: Comparison) -> str:
    """Return where two runs part."""
    difference = comparison['first_difference']
    if not comparison['compared']:
        return NOT_COMPARED
    if not difference:
        return f'nowhere: {", ".join(comparison["compared"])} are the same'
    one, other = comparison['runs']
    stream = difference['stream']
    what = first_divergence.WORDS.get(stream, stream)
    where = first_divergence.place(difference).strip() or 'at the end'
    left, right = value_text(difference['here']), value_text(difference['there'])
    return f'{where}: {what} ({left} in {one}, {right} in {other})'


def _metric_lines(metrics: dict[str, MetricDifference], one: str, other: str) -> list[str]:
    if not metrics:
        return []
    rows = []
    for name, metric in list(metrics.items())[:METRICS]:
        values = [figure(value) for value in metric['values']]
        rows.append((name, *values, _change(metric), _judgement(metric)))
    head = ('', one, other, 'difference', 'and the seed')
    lines = aligned.lines(head, rows, right=(one, other, 'difference'))
    lines += _more(len(metrics) - METRICS)
    if all(metric['noise'] is None for metric in metrics.values()):
        lines.append(f'the noise of the seed is not known: `rerun {quote(one)} --seeds 4` shows it')
    return lines


def _change(metric: MetricDifference) -> str:
    change = metric['difference']
    if change is None or change == 0:
        return '' if change is None else '0'
    return ('+' if change > 0 else '') + figure(change)


def _judgement(metric: MetricDifference) -> str:
    if metric['more_than_seeds'] is None or not metric['difference']:
        return ''
    seeds = '+'.join(map(str, metric['seeds']))
    verdict = 'more than' if metric['more_than_seeds'] else 'as much as'
    return f'± {figure(metric["noise"])} ({seeds} seeds): {verdict} seeds do'


def _rest(comparison: Comparison) -> Iterator[str]:
    """Yield which parts are the same, and which are not known."""
    code = comparison['code']
    unknown = () if comparison['surroundings_known'] else SURROUNDINGS
    same = [] if code['files'] or code['tool'] or code['unknown'] else ['code']
    skipped = [*unknown]
    if not comparison['inputs_known']:
        skipped.append('inputs')
    if comparison['data_unknown']:
        skipped.append('data')
    for name in ('config', 'seed', 'inputs', *SURROUNDINGS):
        if name not in skipped and not comparison[name]:  # type: ignore[literal-required]
            same.append(name)
    if same:
        yield from _part('the same', [', '.join(same)])
    for lost in comparison.get('lost', []):
        yield from _part('unknown', [f'{lost} cannot be read'])
    if unknown:
        yield from _part(
            'unknown', [f'{", ".join(unknown)}: one of the two has no environment.json']
        )
    if comparison['data_unknown']:
        yield from _part('unknown', [surroundings.data_sentence(comparison['data_unknown'])])
