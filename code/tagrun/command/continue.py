"""Go on with an interrupted run, exactly where it stood.

The run itself goes on, with its own code, from its newest whole checkpoint; with --from an earlier
one, a new run does, and nothing is overwritten. The seed and every random state come from the
checkpoint. Exit codes as those of `run`.
"""

import argparse
import shlex
from collections.abc import Sequence
from typing import NoReturn

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.launch import engines, resume
from tagrun.core.project import ROOT
from tagrun.store import run_ref
from tagrun.store.run_ref import RunRef

GROUP = 'Run', 2
EXAMPLES = (
    'continue first                       its latest run, from the newest checkpoint',
    'continue first/2 --from 3            a new run, from the end of epoch 3 of first/2',
    'continue first --from best           … from its best epoch',
    'continue first --from ~/epoch_9.pth  … from a file',
)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    args = build_parser().parse_args(argv)
    check.require()
    repository = Repository.at(ROOT)
    options = engines.read_options(args)
    engines.check(repository, options)
    run = _chosen(repository, args.run)
    if args.set:
        _refuse_set(run, args.set)
    folder = run.folder(ROOT)
    if args.start:
        return resume.branch(repository, folder, args.start, options)
    return resume.resume(repository, folder, options)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('continue', __doc__, EXAMPLES)
    add = parser.add_argument
    add('run', help='<tag> (its latest run), <tag>/<id>, or @last')
    help_from = 'begin a new run from this checkpoint'
    add('--from', dest='start', metavar='EPOCH|best|last|PATH', help=help_from)
    help_fixed = 'accepted, and changes nothing: the seed is the recorded one'
    add('--set', action='append', nargs='+', help=argparse.SUPPRESS)
    add('-f', '--fixed', action='store_true', help=help_fixed)
    engines.add_options(parser)
    return parser


def _refuse_set(run: RunRef, values: Sequence[Sequence[str]]) -> NoReturn:
    """Raise UserError, with what to type instead: a run has one set of arguments."""
    words = [word for group in values for word in group]
    raise UserError(
        f'{run} goes on with the arguments that it was recorded with: a new run takes others, '
        f'e.g. run <new tag> --from {run} --set {shlex.join(words)}',
        code=2,
    )


def _chosen(repository: Repository, word: str) -> RunRef:
    """Return the run to go on with.

    Raises UserError, which says what git has of a run whose files are gone.
    """
    try:
        return RunRef(*selectors.run(ROOT, word))
    except UserError:
        tag, number = run_ref.split(word) or ('', None)
        run = RunRef(tag, number or 0)
        if not tag or not repository.resolve(run.code_ref):
            raise
        raise UserError(
            f'the files of {word} are not here any more; git has its code, and `rerun {word}` '
            'runs it again; what came out, if it got so far: git show '
            f'{run.result_ref}:statistic.json'
        ) from None
