"""Train many variants under one tag: a grid of values, or a search.

A search chooses the values itself. Every trial is a run <tag>/<id> of a commit that differs from
the tag's by the values alone: `git diff <tag> tagrun/code/<tag>/7` shows them, `rerun <tag>/7 -f`
makes it again, `continue <tag>/7` goes on with it. The same command goes on with a sweep that was
stopped or killed. It keeps finished trials, continues the others, and trains none twice. Other
values add new trials.

Values and ranges; what has brackets needs quotes in a shell:
    lr=0.1,0.01                         two values
    model=mlp,cnn                       two, of a string
    deep=True,False                     two, of a boolean
    "phases=('train',),('train','val')"  two tuples
    'hidden=range(50,200,50)'           50, 100, 150
    'dropout=range(0,0.5,0.1)'          0, 0.1, 0.2, 0.3, 0.4
    'lr=log(1e-4,1e-1)'                 a value each factor of ten
    'lr=log(1e-4,1e-1,7)'               seven values
In a search a range is anything between its two ends.

The number of trials at once does not change a result: CPU threads are those of config.py, and each
GPU has one trial at a time. At the end: the table of all trials, and a plot over each argument (git
config tagrun.curves false leaves it out).

Exit codes: 0 all done, 1 refused, or some trial failed, 2 usage, 75 stopped by a signal and
resumable, 130 Ctrl-C.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.launch import detach, engines, tensorboard
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.project import ROOT
from tagrun.core.record import input_files, plan, secret_scan, trained_arguments
from tagrun.extra.sweep import space, sweep_tag, trials, variants
from tagrun.extra.sweep.inputs import read_inputs
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.runs import NEW
from tagrun.extra.sweep.scheduler import Sweep
from tagrun.extra.sweep.search import make_source
from tagrun.extra.sweep.sources import GridSource
from tagrun.store import beneath, layout, lock

GROUP = 'Many runs', 1
EXAMPLES = (
    'tagrun sweep nets model=mlp,cnn lr=0.1,0.01 --seeds 3       twelve trials: nets/0 to nets/11',
    'tagrun sweep nets model=mlp,cnn lr=0.1,0.01 --seeds 3 -n    which these are',
    'tagrun sweep nets model=mlp,cnn,gru lr=0.1,0.01 --seeds 3   later: six more',
    "tagrun sweep best 'lr=log(1e-4,1e-1)' --search tpe --trials 50   fifty values, chosen",
    "tagrun sweep best 'lr=log(1e-4,1e-1)' --search tpe --trials 50 -j 2   … two at once",
    'tagrun sweep fast lr=0.1,0.01 --vary .,fast.patch,branch:other    variants of the code, too',
)


def main(argv: list[str]) -> int:
    """Run the command; return the exit code."""
    parser = build_parser()
    args = parser.parse_intermixed_args(argv)
    _check(parser, args)
    request, options = _request(args), engines.read_options(args)
    check.require()
    repository = Repository.at(ROOT)
    engines.check(repository, options)
    taken = input_files.chosen(
        ROOT, weights=args.weights, strict=args.strict, hold=not args.dry_run
    )
    request = request._replace(inputs=taken)
    if args.dry_run:
        return _dry_run(repository, request)
    commit = sweep_tag.find(repository, request) or sweep_tag.make(repository, request)
    if not options.engine:
        tensorboard.start(repository)
        if options.detach:
            echo(f'{request.tag} goes on in the background:  tagrun expls {request.tag}')
            if not detach.in_background():
                return 0
    return _locked_sweep(repository, request, options, commit)


def _locked_sweep(
    repository: Repository, request: SweepRequest, options: LaunchOptions, commit: str
) -> int:
    """Sweep as the only process that does so under this tag; return the exit code."""
    try:
        # before it looks at what there is, and for its life
        owned = lock.Lock(_folder(repository.root, request.tag))
    except lock.Held as held:
        raise UserError(f'the sweep {request.tag} is at work already: {held}') from None
    inputs = read_inputs(repository, request, commit, options.process_count or 1)
    source = make_source(repository, request, inputs)
    sweep = Sweep(repository, request, options, inputs, source)
    code = sweep.hand_over(options.engine) if options.engine else sweep.run()
    owned.release()
    return code


def _folder(root: Path, tag: str) -> Path:
    folder = layout.result(root) / tag
    beneath.make_folder(folder)
    return folder


# --- the command line --------------------------------------------------------------------------


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('sweep', __doc__, EXAMPLES)
    _add_recording_options(parser)
    _add_search_options(parser)
    parser.add_argument(
        '-j', '--jobs', metavar='N', type=int, help='so many at once; else one, or one for each GPU'
    )
    parser.add_argument('--failed', action='store_true', help='go on with those that failed, too')
    parser.add_argument(
        '--clean',
        action='store_true',
        help='refuse if anything is uncommitted (git config tagrun.requireClean true)',
    )
    parser.add_argument(
        '-n', '--dry-run', action='store_true', help='list the trials, and do nothing'
    )
    engines.add_options(parser)
    return parser


def _add_recording_options(parser: Parser) -> None:
    parser.add_argument('tag', help='the name of the tag to make, or of the sweep to go on with')
    parser.add_argument(
        'values', nargs='*', metavar='NAME=VALUES', help='the values of an argument of config.py'
    )
    parser.add_argument(
        '-f',
        '--fixed',
        action='store_true',
        help='the first seed is the one in code/seed; else a fresh one is drawn',
    )
    parser.add_argument(
        '-m', '--message', metavar='WHY', default='', help="why, for the tag's message"
    )
    parser.add_argument(
        '--seeds',
        metavar='COUNT',
        type=int,
        default=1,
        help='each trial with so many seeds, the same for all',
    )
    group = parser.add_argument_group('from another run')
    group.add_argument(
        '--weights-from',
        dest='weights',
        metavar='RUN[:CHECKPOINT]|FILE',
        default='',
        help='each trial begins with these weights, as with `run --weights-from`',
    )
    group.add_argument(
        '--no-strict',
        dest='strict',
        action='store_false',
        help='with --weights-from: print what does not fit, and take the rest',
    )
    parser.add_argument(
        '--vary',
        metavar='CODE',
        default='',
        help='variants of the code, separated by commas: a patch file, branch:NAME, tag:NAME; '
        '. is the code as it is',
    )


def _add_search_options(parser: Parser) -> None:
    group = parser.add_argument_group('search')
    group.add_argument(
        '--search',
        choices=('random', 'tpe'),
        help='choose values instead of taking all; needs --trials',
    )
    group.add_argument('--trials', metavar='N', type=int, help='so many are chosen')
    group.add_argument(
        '--metric',
        metavar='NAME',
        help='what a search makes best, e.g. val/acc; else the metric that config.py monitors',
    )
    group.add_argument(
        '--prune', choices=('median', 'hyperband'), help="stop poor trials at an epoch's end"
    )


def _check(parser: Parser, args: argparse.Namespace) -> None:
    """End with exit code 2 where the options do not go together."""
    wrong = next((word for word in args.values if '=' not in word), None)
    if wrong or ('=' in args.tag and not args.values):
        parser.error(
            f'a tag and name=values are meant: sweep nets lr=0.1,0.01, not {wrong or args.tag!r}'
        )
    counts = (args.seeds, args.jobs, args.trials)
    if any(count is not None and count < 1 for count in counts):
        parser.error('--seeds, --trials and -j take a number of 1 or more')
    if bool(args.search) != bool(args.trials):
        parser.error('--search and --trials go together: --search tpe --trials 50')
    if args.on and (args.search or args.prune):
        parser.error(
            '--search and --prune look at each trial as it trains, so it trains here: '
            f'leave out --on {args.on}'
        )
    if not args.strict and not args.weights:
        parser.error('--no-strict belongs to --weights-from')
    if args.prune and args.search and args.seeds > 1:
        parser.error(
            '--prune judges single runs, and --search the mean over --seeds: use one of the two'
        )


def _request(args: argparse.Namespace) -> SweepRequest:
    secret_scan.check_words('one of the values', args.values)
    return SweepRequest(
        tag=args.tag,
        values=tuple(args.values),
        message=args.message,
        fixed=args.fixed,
        clean=args.clean,
        weights=args.weights,
        seeds=args.seeds,
        vary=args.vary,
        search=args.search,
        trials=args.trials or 0,
        metric=args.metric,
        prune=args.prune,
        jobs=args.jobs,
        retry_failed=args.failed,
    )


# --- a dry run ---------------------------------------------------------------------------------


def _dry_run(repository: Repository, request: SweepRequest) -> int:
    commit = sweep_tag.find(repository, request)
    if commit is None:
        _list_new(repository, request)
    elif request.search:
        count = len(trials.recorded_runs(repository, request.tag))
        print(f'{_chosen(request)}; {count} are recorded')
    else:
        _list_recorded(repository, request, commit)
    echo('nothing was done: --dry-run')
    return 0


def _chosen(request: SweepRequest) -> str:
    return f'{plural(request.trials, "trial")}, which {request.search} chooses'


def _list_new(repository: Repository, request: SweepRequest) -> None:
    plan.check_name(repository, request.tag)
    planned = plan.make_plan(repository, request.run_request())
    parameters = request.space(planned.config)
    trained_arguments.check_values(repository, planned, space.samples(parameters))
    plan.report(planned)
    if request.search:
        print(_chosen(request))
        return
    for number, label in enumerate(_labels(request, parameters)):
        print(f'{request.tag}/{number}  {label}')


def _labels(request: SweepRequest, parameters: dict[str, space.Parameter]) -> Iterator[str]:
    """Yield the labels of a grid's trials, before there is a commit to make them of."""
    for word in request.variants:
        variant = variants.short_name(word)
        for values in space.combinations(parameters):
            yield from trials.trial_labels(variant, values, parameters, request.seeds)


def _list_recorded(repository: Repository, request: SweepRequest, commit: str) -> None:
    inputs = read_inputs(repository, request, commit)
    width = len(request.tag) + 6
    for trial in GridSource(inputs.runs, inputs.combinations()).trials():
        number, state = inputs.runs.number(trial), inputs.runs.state(trial)
        name = NEW if number is None else str(inputs.runs.ref(number))
        shown = '' if state == NEW else state
        print(f'{name:<{width}}  {shown:<12}{trial.label}'.rstrip())
