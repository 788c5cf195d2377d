"""Draw the curves of runs as a PNG, SVG or PDF file.

They are drawn over epochs, over steps, or over one argument. Runs that differ in the seed alone are
one line: their mean, with a band of ± one standard deviation; --each draws them one by one. Without
--metric, one run shows all it measured, several show the monitored metric and the loss beside it. A
cross marks the first NaN or infinite value. It opens no window: it prints where the file is.

Exit codes: 0 drawn, 1 nothing to draw, 2 usage.
"""

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.project import ROOT
from tagrun.store import beneath, layout, table
from tagrun.store.run_ref import RunRef

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # loaded where something is drawn

GROUP = 'Look', 3
EXAMPLES = (
    'tagrun plot first                              every metric of one run',
    'tagrun plot base wide/0 -o figure.pdf          two, side by side',
    'tagrun plot five --metric val/acc val/loss     five seeds as mean and band',
    'tagrun plot first --steps --log --smooth 50    the training loss at each step',
    'tagrun plot @finished --over lr --by model     the best of each run, over an argument',
)
FORMATS = ('.png', '.svg', '.pdf')
OWN = 'curves.png'  # in a run's folder
LONGEST_NAME = 200  # characters of a file's name


def main(argv: list[str]) -> int:
    """Run `tagrun plot`; return its exit code."""
    args = parse(argv)
    refs = selectors.several(ROOT, args.run)
    if args.own:
        return _draw_own(refs)
    path = _output_path(args)
    runs = _load(refs)
    from tagrun.extra.plot import picture  # here: -h need not load matplotlib

    figure, summary = draw(ROOT, runs, args)
    try:
        if not args.output:
            beneath.make_folder(path.parent)
        picture.save(figure, path)
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror}') from None
    echo(f'{quote(os.path.relpath(path))}: {summary}')
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse a command line; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.smooth < 1:
        parser.error('--smooth takes 1 or more')
    if args.by and not args.over:
        parser.error('--by goes with --over')
    if args.over and (args.steps or args.smooth > 1 or len(args.metric) > 1):
        parser.error('--over draws one metric at its best epoch: no --steps, no --smooth')
    if args.output and not args.output.lower().endswith(FORMATS):
        parser.error(f'-o {args.output}: the name ends in {", ".join(FORMATS)}')
    return args


def draw(root: Path, runs: list[table.Run], args: argparse.Namespace) -> 'tuple[Figure, str]':
    """Return (the figure, what it shows in words) for the options of a command line."""
    from tagrun.extra.plot import over_argument, run_curves

    if args.over:
        metric = args.metric[0] if args.metric else None
        return over_argument.draw(runs, args.over, by=args.by, metric=metric, log=args.log)
    options = run_curves.CurveOptions(args.metric, args.steps, args.each, args.smooth, args.log)
    return run_curves.draw(root, runs, options)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('plot', __doc__, EXAMPLES)
    parser.add_argument('run', nargs='+', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    parser.add_argument(
        '--metric',
        metavar='METRIC',
        nargs='+',
        default=[],
        help='columns of history.csv, or the ends of their names',
    )
    parser.add_argument('-o', '--output', metavar='FILE', help='write it there; .png, .svg or .pdf')
    parser.add_argument(
        '--steps', action='store_true', help='the training loss at each step, instead of epochs'
    )
    parser.add_argument(
        '--each', action='store_true', help='every run a line of its own, seeds too'
    )
    parser.add_argument(
        '--smooth',
        metavar='N',
        type=int,
        default=1,
        help='running mean over the last N points; the label mentions it',
    )
    parser.add_argument('--log', action='store_true', help='a logarithmic axis for the values')
    parser.add_argument(
        '--over',
        metavar='ARGUMENT',
        help='one metric at its best epoch, against an argument of config.py',
    )
    parser.add_argument(
        '--by', metavar='ARGUMENT', help='with --over: a line for each value of this one'
    )
    parser.add_argument(
        '--own',
        action='store_true',
        help=f'{OWN} in the folder of each run, as each gets at its end',
    )
    return parser


def _load(refs: list[RunRef]) -> list[table.Run]:
    """Return the runs that can be read; the others are named. Raises UserError if none can."""
    runs, damaged = table.load(ROOT, refs)
    for name, reason in damaged:
        echo(f'{name}: {reason}; left out')
    if not runs:
        raise UserError('not one of these runs can be read')
    return runs


def _output_path(args: argparse.Namespace) -> Path:
    """Return -o, behind the user's own links, or __statistic__/plot/<what>.png."""
    if args.output:
        path = Path(os.path.realpath(args.output))
        if path.exists() and not path.is_file():
            raise UserError(f'{args.output} is not a file: name one for the picture')
        return path
    words = [word.removeprefix('@').replace('/', '-') for word in args.run]
    name = '+'.join(words[:3])
    if len(words) > 3:
        name += f'+{len(words) - 3}'
    if args.steps:
        name += '-steps'
    if args.over:
        name += f'-over-{args.over}'
    name = re.sub(r'[^-+.=@_0-9A-Za-z]', '_', name)[:LONGEST_NAME]
    return layout.statistic(ROOT) / 'plot' / f'{name}.png'


def _draw_own(refs: list[RunRef]) -> int:
    """Draw curves.png into each run's folder; return 1 if none could be drawn."""
    from tagrun.extra.plot import picture, run_curves

    runs, _ = table.load(ROOT, refs)
    drawn = 0
    for run in runs:
        try:
            figure, _ = run_curves.draw(ROOT, [run], run_curves.CurveOptions())
            picture.save(figure, layout.result(ROOT) / run.name / OWN)
            drawn += 1
        except (UserError, OSError) as error:
            echo(f'{run.name}: {error}')
    echo(f'{OWN} in the folders of {plural(drawn, "run")}')
    return 0 if drawn else 1
