"""Say why two runs came out as they did.

It shows on one screen what differs, where they part, and whether their metrics differ by more than
seeds do. What differs: code, config, seed, packages, hardware, data. The noise is the spread over
runs that differ from one of the two in the seed alone, as far as they are here: `rerun A --seeds 4`
makes some. It reads what the runs left; it runs nothing. `diff A B` shows the code in full.
"""

from collections.abc import Sequence

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, printable, put, shortened
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.compare import explain, explain_text, run_files
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.store import jsonfile, limits
from tagrun.store.run_ref import RunRef

GROUP = 'Compare', 2
EXAMPLES = (
    'tagrun why first wide          their latest runs',
    'tagrun why first/0 first/3     two runs of one tag',
    'tagrun why first wide --json   everything, for a program',
)


def main(argv: Sequence[str]) -> None:
    args = build_parser().parse_args(argv)
    repository = Repository.at(ROOT)
    one, other = _chosen(repository, args.run), _chosen(repository, args.other)
    if one == other:
        raise UserError(f'both are {one}: name two runs, e.g. first/0 first/1', code=2)
    files = run_files.read(ROOT, one), run_files.read(ROOT, other)
    comparison = explain.compare(repository, ROOT, *files)
    if args.json:
        put(jsonfile.dumps(comparison), end='')
    else:
        lines = map(printable, explain_text.lines(comparison))
        put('\n'.join(shortened(line, limits.CELL) for line in lines))


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('why', __doc__, EXAMPLES)
    parser.add_argument('run', help='<tag> (its latest run), <tag>/<id>, or @last')
    parser.add_argument('other', help='the run to compare it with')
    parser.add_argument('--json', action='store_true', help='everything, as JSON with all digits')
    return parser


def _chosen(repository: Repository, word: str) -> RunRef:
    """Return the run that a word names. Raises UserError, with a hint where git alone has it."""
    try:
        return selectors.run(ROOT, word)
    except UserError:
        run = RunRef.parse(word)
        if run and repository.resolve(run.result_ref):
            raise UserError(
                f'git has the result of {run}, but its files are not here: `tagrun fetch` '
                'writes them'
            ) from None
        raise
