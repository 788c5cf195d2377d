"""Check whether your own code is exact, also when it is killed.

It trains a few hundred steps of the code as it is in your work tree, uncommitted changes included:
untouched; killed with -9 at random moments, in training, in an evaluation and between epochs, and
continued each time; again with the same seed; and with 2 data workers instead of none, or none
instead of some. Trace (order, batch, loss, weights), history and last weights must be the same, bit
for bit. Where they are not, it shows where they first differ, the usual cause and its remedy, and
which of your lines to look at. A check that does not apply is called untested. Nothing is tagged,
recorded or left behind. It does not test what a few batches of each phase do not reach, nor another
environment: it names your lines that read variables of it.

Exit codes: 0 exact, 3 differs, 1 could not run, 2 usage, 130 Ctrl-C.
"""

import argparse
import json
import math
import signal
import time
from typing import Any

from tagrun.core.check import selftest
from tagrun.core.check.selftest import CHECKS, Plan
from tagrun.core.check.selftest_runs import SelftestRuns
from tagrun.core.cli.messages import UserError, duration, echo, plural, printable, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.compare import first_divergence
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.core.record import claim

GROUP = 'Care', 2
EXAMPLES = (
    'tagrun selftest                 about half a minute for a small model',
    'tagrun selftest --steps 40      fewer training steps, for a large one',
    'tagrun selftest resume          only whether a continued training is exact',
    'tagrun selftest --seed 4711     killed at the same moments as an earlier selftest',
    'tagrun selftest --keep          the trainings stay, to be looked into',
)
STEPS, EPOCHS, KILLS = 240, 6, 4
SHOWN_LINES = 3  # of code


def main(argv: list[str]) -> int:
    """Train, compare and print the report."""
    args = _parse(argv)
    check.require()
    # as Ctrl-C: nothing is left behind
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    start = time.monotonic()
    try:
        with _runs(args.steps) as runs:
            runs.is_kept = args.keep
            result = selftest.examine(runs, Plan(tuple(args.check), args.kills, args.seed))
    except OSError as error:
        path = error.filename or ROOT
        raise UserError(f'the selftest cannot go on: {path}: {error.strerror}') from None
    result['seconds'] = round(time.monotonic() - start, 1)
    print(json.dumps(result, indent=2) if args.json else printable(_report(result)))
    if runs.is_kept:
        echo(f'kept: {quote(runs.folder)}')
    return selftest.exit_code(result['checks'].values())


def _runs(steps: int) -> SelftestRuns:
    """Return trainings of about so many steps, with the seed in code/seed."""
    file = ROOT / 'code' / 'seed'
    seed = claim.read_seed(file.read_bytes() if file.is_file() else b'')
    epochs = min(EPOCHS, steps)
    return SelftestRuns(Repository.at(ROOT), seed, epochs, math.ceil(steps / epochs))


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = build_parser()
    args = parser.parse_args(argv)
    unknown = [word for word in args.check if word not in CHECKS]
    if unknown:
        parser.error(f'{unknown[0]!r} is not a check; the checks are {", ".join(CHECKS)}')
    if args.steps < 2 or args.kills < 1:
        parser.error('--steps must be 2 or more, --kills 1 or more')
    args.seed = claim.fresh_seed() if args.seed is None else args.seed
    return args


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('selftest', __doc__, EXAMPLES)
    parser.add_argument('check', nargs='*', help=f'{", ".join(CHECKS)}; without any, all three')
    parser.add_argument(
        '--steps', type=int, default=STEPS, help=f'training steps, about; {STEPS} if not given'
    )
    parser.add_argument(
        '--kills', type=int, default=KILLS, help=f'how often it is killed; {KILLS} if not given'
    )
    parser.add_argument(
        '--seed', type=int, help='draws the moments of the kills; a fresh one if not given'
    )
    parser.add_argument(
        '--keep', action='store_true', help='keep the trainings, in __result__/.selftest-…'
    )
    parser.add_argument('--json', action='store_true', help='the report as JSON')
    return parser


# ---- The report ----


def _report(result: dict[str, Any]) -> str:
    lines: list[str] = []
    explained: set[str] = set()
    for name, outcome in result['checks'].items():
        how = outcome.get('untested') or _how(name, result)
        lines.append(f'{name:<8} {_word(outcome):<9} {how}')
        lines += [f'{"":<18} {line}' for line in _explain(outcome, explained)]
    steps = f'{plural(result["steps"], "step")} of each training, in {duration(result["seconds"])}'
    lines += _unseen(result)
    verdict = 'exact' if result['exact'] else 'not exact'
    if any('untested' in outcome for outcome in result['checks'].values()):
        verdict += ', as far as it was tested'
    return '\n'.join([*lines, f'{verdict}: {steps}'])


def _unseen(result: dict[str, Any]) -> list[str]:
    """Return lines on what goes in or comes out, and these trainings cannot test."""
    lines = []
    if result['outside']:
        lines.append(
            'outside  untested  these lines read the environment, the same in all of them:'
        )
        lines += [f'{"":<18} {line}' for line in result['outside'][:SHOWN_LINES]]
    if result['written']:
        files = ', '.join(result['written'][:SHOWN_LINES])
        lines.append(f'files    written   by the trainings, outside their folders: {files}')
    return lines


def _word(outcome: dict[str, Any]) -> str:
    if outcome['exact']:
        return 'exact'
    for word in ('untested', 'failed'):
        if word in outcome:
            return word.upper()
    return 'DIFFERS'


def _how(name: str, result: dict[str, Any]) -> str:
    """Return what was done to the training."""
    if name == 'resume':
        noun = 'step' if len(result['kills']) == 1 else 'steps'
        steps = ', '.join(map(_moment, result['kills']))
        return f'killed with -9 after {noun} {steps}, and continued (--seed {result["seed"]})'
    if name == 'workers':
        before, after = result['workers']
        return f'{after} data workers instead of {before}'
    return 'in another process, with the same seed'


def _moment(moment: list[Any]) -> str:
    """Return when a training was killed: '25', '72 (in val)', '72 (end of epoch 2)'."""
    epochs, step, phase, _ = moment
    if phase is None:
        return f'{step} (end of epoch {epochs})'
    return str(step) if phase == selftest.TRAIN else f'{step} (in {phase})'


def _explain(outcome: dict[str, Any], explained: set[str]) -> list[str]:
    """Return lines on a check that is not exact. explained: the causes that are printed above."""
    if 'failed' in outcome:
        return [outcome['failed']]
    if 'first_difference' not in outcome:
        return []
    first = f'first    {_difference(outcome["first_difference"])}'
    cause = outcome.get('cause')
    if cause is None:
        return [
            first,
            'cause    it may be that of the rerun: fix that first, then `selftest` again',
        ]
    if cause in explained:
        return [first, 'cause    the same as above']
    explained.add(cause)
    lines = [first, f'cause    {outcome["why"]}', f'remedy   {outcome["remedy"]}']
    for number, line in enumerate(outcome['look_at'][:SHOWN_LINES]):
        lines.append(f'{"look at" if number == 0 else "":<8} {line}')
    return lines


def _difference(difference: dict[str, Any]) -> str:
    what = first_divergence.what(difference)
    return f'{what}: {difference["here"]}, untouched {difference["there"]}'
