"""Fetch the runs that others have shared, through git alone.

Their files are put beside your runs. Each run that this clone lacks comes with statistic.json,
history.csv, environment.json, confusion.json, run.json and the log. They go into
__result__/<tag>/<id>/, so `table`, `expls` and `why` take such a run like any other. `rerun
<tag>/<id> -f` makes it again here, and compares the two. Checkpoints and data do not travel. Your
own runs stay as they are: another run with the name of one of yours becomes <tag>@<remote>/<id>.

Exit codes: 0 done, 1 refused, or a run could not be read; 2 usage.
"""

from tagrun.core.cli.messages import echo, plural, printable
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git import remotes
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.core.record import input_files
from tagrun.extra.sharing import remote_names
from tagrun.extra.sharing.fetcher import Fetcher
from tagrun.extra.sharing.remote_names import SHOWN

GROUP = 'Share', 2
EXAMPLES = (
    'tagrun fetch                        what others have shared, from the remote',
    'tagrun fetch --always               from now on a plain `git fetch` brings the refs too',
    'tagrun fetch --remote backup        from another remote',
)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    args = build_parser().parse_args(argv)
    repository = Repository.at(ROOT)
    remote = remote_names.choose_remote(repository, args.remote)
    if args.always:
        _set_refspecs(repository, remote)
    try:
        remotes.fetch(repository, remote, remote_names.refspecs(remote))
    except GitError as error:
        raise remote_names.unreachable(repository, remote, error) from None
    fetcher = Fetcher(repository, remote, remote_names.fetched_refs(repository, remote))
    fetcher.take_runs()
    _report(fetcher)
    return 1 if fetcher.failed else 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('fetch', __doc__, EXAMPLES)
    parser.add_argument(
        '--remote', metavar='NAME', help='the remote (git config tagrun.remote, else origin)'
    )
    parser.add_argument(
        '--always',
        action='store_true',
        help="let a plain `git fetch` bring the refs too: three lines in this clone's git config",
    )
    return parser


def _set_refspecs(repository: Repository, remote: str) -> None:
    """Let a plain `git fetch` bring the refs too."""
    name = f'remote.{remote}.fetch'
    try:
        present = repository.git('config', '--get-all', name).splitlines()
    except GitError:
        present = []
    new = [spec for spec in remote_names.refspecs(remote) if spec not in present]
    for spec in new:
        remotes.add_config(repository, name, spec)
    if not new:
        echo(f'git config {name}: as it should be')
        return
    echo(
        f'git config {name}: {len(new)} lines added; a plain `git fetch {remote}` brings the '
        'refs, and `tagrun fetch` the files'
    )


def _report(fetcher: Fetcher) -> None:
    """Print what came, and under which names."""
    remote, new, updated = fetcher.remote, fetcher.new, fetcher.updated
    if new:
        echo(f'{plural(len(new), "run")} from {remote}: {remote_names.shortened(new)}')
    if updated:
        runs = remote_names.shortened(updated)
        echo(f'{plural(len(updated), "run")} went on at {remote}: {runs}')
    _report_renamed(fetcher)
    for run, why in fetcher.failed[:SHOWN]:
        echo(f'  {run} was left out: {why}')
    if len(fetcher.failed) > SHOWN:
        echo(f'  … and {len(fetcher.failed) - SHOWN} more')
    _report_lacking(fetcher)
    if not new and not updated:
        echo(f'nothing new on {remote}: {plural(len(fetcher.index.runs), "run")} there')
    elif new:
        echo(
            f'`expls` and `table` show them; `rerun {printable(new[0])} -f` makes '
            'one again: the same, bit for bit?'
        )


def _report_lacking(fetcher: Fetcher) -> None:
    """Say which runs cannot be made again here before their inputs are."""
    absent = input_files.lacking(ROOT, [*fetcher.new, *fetcher.updated])
    for run, names in list(absent.items())[:SHOWN]:
        echo(f'  {run} takes {names}, which is not here: `rerun` of it needs that file')
    if len(absent) > SHOWN:
        echo(f'  … and {len(absent) - SHOWN} more that take files which are not here')


def _report_renamed(fetcher: Fetcher) -> None:
    renamed = list(fetcher.renamed.items())
    for remote_run, run in renamed[:SHOWN]:
        if remote_run.tag in fetcher.branches:
            echo(f'  you have a branch {remote_run.tag}: {remote_run} is {run} here')
            continue
        echo(
            f'  {fetcher.remote} has another {remote_run} than you: it is {run} here, '
            f'yours stays {remote_run}'
        )
    if len(renamed) > SHOWN:
        echo(f'  … and {len(renamed) - SHOWN} more that have another name here')
