"""Break runs in many ways, and count what does not come back.

Figures 1 to 9 are measured by proof_figures.py, 15 is about the tests themselves, and the others
are counts that their own test files make. bugs_found.csv lists the bugs that the campaign found.

Exit code 1 if a figure misses its target.
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import machine

CODE = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(CODE), str(CODE / 'tagrun' / 'tests' / 'support')]

from proof_figures import FIGURES, MEASUREMENTS, Options, Outcome  # noqa: E402  (after the path)

from tagrun.core.cli.parser import Parser, argument_parser  # noqa: E402

EXAMPLES = (
    'tagrun proof                        the short campaign, about ten minutes',
    'tagrun proof --full -o proof.md     1,000 kills and so on: more than an hour',
    'tagrun proof --only 1 5 --kills 300',
)
BUGS = Path(__file__).with_name('bugs_found.csv')
SHORT = {
    'kills': 30,
    'stride': 25,
    'cuts': 500,
    'damages': 400,
    'reruns': 5,
    'signals': 4,
    'rounds': 5,
}
FULL = {
    'kills': 1000,
    'stride': 1,
    'cuts': 5000,
    'damages': 2000,
    'reruns': 100,
    'signals': 100,
    'rounds': 9,
}


def main(argv: list[str]) -> int:
    args = _parse(argv)
    counts = {name: getattr(args, name) for name in SHORT}
    options = Options(tuple(args.only), args.full, args.seed, **counts)
    outcomes: dict[int, Outcome] = {}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='tagrun-proof-') as folder:
        for measure in MEASUREMENTS:
            for number, outcome in measure(Path(folder), options).items():
                outcomes[number] = outcome
                line = f'{number:>2}  {_word(outcome):<7} {FIGURES[number].name}: {outcome.text}'
                print(line, file=sys.stderr, flush=True)
    text = table(outcomes, options, time.monotonic() - start)
    if args.output:
        Path(args.output).write_text(text)
    else:
        print(text)
    return int(any(outcome.is_good is False for outcome in outcomes.values()))


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('proof', __doc__, EXAMPLES)
    parser.add_argument('--full', action='store_true', help='the counts of the scoreboard')
    parser.add_argument(
        '--only',
        type=int,
        nargs='+',
        default=list(FIGURES),
        choices=FIGURES,
        metavar='FIGURE',
        help='measure these alone',
    )
    parser.add_argument(
        '--seed', type=int, default=1, help='of the random instants, places and bits'
    )
    parser.add_argument('-o', '--output', metavar='FILE', help='write the table into a file')
    # one by one: completion.sh reads them out of this text
    parser.add_argument('--kills', type=int, help=_counts('kills'))
    parser.add_argument('--stride', type=int, help=_counts('stride'))
    parser.add_argument('--cuts', type=int, help=_counts('cuts'))
    parser.add_argument('--damages', type=int, help=_counts('damages'))
    parser.add_argument('--reruns', type=int, help=_counts('reruns'))
    parser.add_argument('--signals', type=int, help=_counts('signals'))
    parser.add_argument('--rounds', type=int, help=_counts('rounds'))
    return parser


def _parse(argv: list[str]) -> argparse.Namespace:
    args = build_parser().parse_args(argv)
    for name, count in (FULL if args.full else SHORT).items():
        if getattr(args, name) is None:
            setattr(args, name, count)
    return args


def _counts(name: str) -> str:
    return f'{SHORT[name]}, with --full {FULL[name]}'


def _word(outcome: Outcome) -> str:
    if outcome.is_good is None:
        return '-'
    return 'good' if outcome.is_good else 'MISSED'


def table(outcomes: dict[int, Outcome], options: Options, seconds: float) -> str:
    """Return the scoreboard in Markdown, with the machine that it was measured on."""
    with open(BUGS, newline='') as file:
        bugs = [row['figure'] for row in csv.DictReader(file)]
    campaign = 'Full' if options.is_full else 'Short'
    minutes = f'{seconds / 60:.0f} minutes'
    lines = [
        f'{campaign} campaign, seed {options.seed}: {machine.describe()}; {minutes}.',
        '',
        '| # | figure | target | result | bugs found and fixed | of others |',
        '|---|---|---|---|---|---|',
    ]
    lines += [_row(number, outcome, bugs) for number, outcome in sorted(outcomes.items())]
    rest = sum(not figure.isdecimal() for figure in bugs)
    lines += [
        '',
        f'Single faults found {rest} more (`code/tagrun/bench/bugs_found.csv` has all {len(bugs)}, '
        'each with its test).',
        '',
    ]
    return '\n'.join(lines)


def _row(number: int, outcome: Outcome, bugs: list[str]) -> str:
    figure = FIGURES[number]
    result = outcome.text if outcome.is_good is not False else f'**missed:** {outcome.text}'
    cells = (number, figure.name, figure.target, result, bugs.count(str(number)) or '')
    return f'| {" | ".join(map(str, cells))} | {figure.others} |'


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
