"""Stop runs that train in the background, or that are queued.

It stops runs of a sweep and those of another terminal too. Training saves, as on Ctrl-C, and
`continue` goes on with the run. A queued run leaves the queue; a job of Slurm or Ray is cancelled.
An evaluation keeps nothing; `evaluate` makes it again.

Exit codes: 0 done, 1 nothing of it trains or is queued, 2 usage.
"""

from tagrun.core.cli import selectors
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.launch import stopping
from tagrun.core.project import ROOT
from tagrun.store.evaluations import Ref

GROUP = 'Run', 4
EXAMPLES = (
    'tagrun stop first/2           one run',
    'tagrun stop first             all runs of the tag that train or are queued',
    'tagrun stop @last             the run that was started last',
)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    args = build_parser().parse_args(argv)
    stopping.stop(ROOT, _refs(args.run))
    return 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('stop', __doc__, EXAMPLES)
    parser.add_argument('run', nargs='+', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    return parser


def _refs(words: list[str]) -> list[Ref]:
    """Return the runs and evaluations that words name."""
    refs: list[Ref] = []
    for word in words:
        evaluation = selectors.evaluation(ROOT, word)
        refs += [evaluation] if evaluation else selectors.several(ROOT, [word])
    return refs
