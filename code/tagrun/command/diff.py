"""Show how the code of two runs differs, as git does.

It has git's colours and its pager. With one run, it shows how the files you have now differ. All of
code/ is compared, config.py and seed too. It is the code alone: `why A B` names all else that may
have made the results differ.
"""

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.core.record import provenance, snapshot
from tagrun.store import run_ref
from tagrun.store.run_ref import TAGS, RunRef

GROUP = 'Compare', 3
EXAMPLES = (
    'tagrun diff first wide          the code of their latest runs',
    'tagrun diff first/0 first/3     of two runs of one tag',
    'tagrun diff first               what you have changed since',
    'tagrun diff first wide --stat   which files, and how much',
)


def main(argv: list[str]) -> int:
    """Run the command; return git's exit code."""
    args = build_parser().parse_args(argv)
    repository = Repository.at(ROOT)
    commits = [_commit(repository, word) for word in (args.run, args.other) if word is not None]
    options = ['--stat'] if args.stat else []
    return repository.show_diff(commits, ['code'], *options)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('diff', __doc__, EXAMPLES)
    add = parser.add_argument
    add('run', help='<tag> (its latest run), <tag>/<id>, or @last')
    add('other', nargs='?', help='the other run; without it, the files as they are now')
    help_stat = 'a line for each file, instead of what changed'
    add('--stat', action='store_true', help=help_stat)
    return parser


def _commit(repository: Repository, word: str) -> str:
    """Return the commit that a run ran; of one that only git knows, too. Raises UserError."""
    try:
        run = RunRef(*selectors.run(ROOT, word))
    except UserError:
        commit = _in_git(repository, word)
        if not commit:
            raise
        return commit
    commit = provenance.read(run.folder(ROOT))['commit']
    if not repository.resolve(commit):
        raise UserError(snapshot.absent(commit))
    return commit


def _in_git(repository: Repository, word: str) -> str | None:
    """Return the commit of a run or tag that git knows, or None."""
    tag, number = run_ref.split(word) or ('', None)
    if not tag:
        return None
    ref = TAGS + tag if number is None else RunRef(tag, number).code_ref
    return repository.resolve(ref)
