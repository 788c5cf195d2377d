"""Send runs to the remote, through git alone.

Others can then tabulate, compare and rerun them. Tagrun sends the tag, the commit that ran (with
the commits before it that the remote lacks), and of the result statistic.json, history.csv,
environment.json, run.json and the log. It never sends checkpoints, data, TensorBoard files or what
git ignores. It shows what will go. Without a name it asks at a terminal, and --all sends everything
without asking: runs that failed are left out unless you name them. Nothing at the remote is ever
overwritten: where someone else has the name, your run gets another name there. --undo takes back
what this clone sent last.

`git config tagrun.share live` sends each run while it trains, after its epochs, from a process of
its own.

Exit codes: 0 sent, or all was there; 1 refused, or not all could be sent; 2 usage.
"""

import argparse
import os
import sys
from collections.abc import Iterable

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, did_you_mean, echo, plural
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git import remotes
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.extra.sharing import live, push, remote_names, sent
from tagrun.extra.sharing.push import Plan
from tagrun.extra.sharing.remote_names import SHOWN, RefIndex
from tagrun.store import inputs, layout, run_json, run_ref, statistic
from tagrun.store.run_ref import TAGS, RunRef

GROUP = 'Share', 1
EXAMPLES = (
    'tagrun share first wide/2       all runs of `first`, and one of `wide`',
    'tagrun share -n                 what the remote does not have yet, and how large it is',
    'tagrun share                    the same, and asks whether to send it',
    'tagrun share --undo             takes back what was sent last',
    'tagrun share @paper             the runs of a list',
    'tagrun share --live first       its latest run, after each epoch until it ends',
)
LOWEST_PRIORITY = 19


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    args = build_parser().parse_args(argv)
    repository = Repository.at(ROOT)
    remote = remote_names.choose_remote(repository, args.remote)
    if args.live:
        return _follow(repository, remote, args.live, args.since)
    if args.undo:
        return sent.undo(repository, remote, args.dry_run)
    local = remote_names.local_refs(repository)
    plan = push.make_plan(repository, remote, local, _selected(local, args.run))
    if not args.remote:
        remote_names.refuse_template(repository, remote, plan.before)
    _report(repository, remote, plan)
    if args.dry_run:
        echo('nothing was sent: --dry-run')
    elif plan.targets and _is_wanted(args, remote):
        _send(repository, remote, local, plan)
    return 1 if plan.unplaceable else 0


def _is_wanted(args: argparse.Namespace, remote: str) -> bool:
    """Return whether to send what was shown: it was named, or the answer is yes."""
    if args.run or args.all:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError('nothing was sent: name runs, or send all of these with --all', code=2)
    echo(f'Send them to {remote}? [y/N]')
    if sys.stdin.readline().strip().lower() in ('y', 'yes'):
        return True
    echo('nothing was sent')
    return False


def _send(repository: Repository, remote: str, local: RefIndex, plan: Plan) -> None:
    shares, url = sent.Shares(repository), remotes.url(repository, remote)

    def note(refs: push.Refs) -> None:
        shares.add(remote, url, refs)

    push.send(repository, remote, local, plan, before_push=note)
    option = '' if remote == 'origin' else f' --remote {remote}'
    echo(f'sent. Others get it by: tagrun fetch{option}')
    echo(f'  take it back: tagrun share --undo{option}')


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('share', __doc__, EXAMPLES)
    parser.add_argument(
        'run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @last or @<set>; without any, all'
    )
    parser.add_argument(
        '-n', '--dry-run', action='store_true', help='show what would go, and send nothing'
    )
    parser.add_argument('--all', action='store_true', help='all runs but failed ones, unasked')
    parser.add_argument(
        '--undo',
        action='store_true',
        help='take back what this clone sent last, if it is unchanged',
    )
    parser.add_argument(
        '--remote', metavar='NAME', help='the remote (git config tagrun.remote, else origin)'
    )
    parser.add_argument(
        '--live', metavar='RUN', help='a run that trains now: after its epochs, until it ends'
    )
    # the result commit that a run had before it was continued
    parser.add_argument('--since', help=argparse.SUPPRESS)
    return parser


def _follow(repository: Repository, remote: str, word: str, former: str | None) -> int:
    os.nice(LOWEST_PRIORITY)
    run = selectors.run(ROOT, word)
    return 0 if live.follow(repository, remote, run, former) else 1


def _selected(local: RefIndex, words: list[str]) -> list[RunRef]:
    """Return the runs that git has of some words, without any all. Raises UserError."""
    if not words:
        if not local.runs:
            raise UserError('no run exists to share yet: `run first` makes one')
        return _without_failed(list(local.runs))
    runs: dict[RunRef, None] = {}
    for word in words:
        runs.update(dict.fromkeys(_of_word(local, word)))
    return list(runs)


def _without_failed(runs: list[RunRef]) -> list[RunRef]:
    failed = [run for run in runs if _state(run) == statistic.FAILED]
    if failed:
        names = remote_names.shortened(failed)
        echo(f'left out, for they failed: {names}; `share <run>` sends one all the same')
    return [run for run in runs if run not in failed]


def _state(run: RunRef) -> str:
    try:
        return str(statistic.state(run.folder(ROOT)))
    except (OSError, ValueError):
        return ''


def _of_word(local: RefIndex, word: str) -> list[RunRef]:
    if word.startswith('@'):
        runs = [run for run in selectors.several(ROOT, [word]) if run in local.runs]
        return runs if word == '@last' else _without_failed(runs)
    parts = run_ref.split(word)
    if parts is None:
        raise UserError(f'{word!r} is not a run. Use <tag> or <tag>/<id>, e.g. t1/0', code=2)
    tag, number = parts
    if tag == layout.SCRATCH:
        raise UserError(
            'git has nothing of a run by hand, which has no commit: `run <tag>` records one'
        )
    runs = [run for run in local.runs if run.tag == tag and number in (None, run.number)]
    if not runs:
        raise UserError(f'git has no run {word!r}.{_similar(local, word)}')
    return runs


def _similar(local: RefIndex, word: str) -> str:
    if '/' in word:
        return did_you_mean(word, map(str, local.runs))
    return did_you_mean(word, {run.tag for run in local.runs})


def _report(repository: Repository, remote: str, plan: Plan) -> None:
    """Print what will go, before it goes."""
    if plan.shared_before:
        verb = 'is' if plan.shared_before == 1 else 'are'
        echo(f'{plural(plan.shared_before, "run")} {verb} on {remote} already')
    if plan.targets:
        runs = remote_names.shortened(plan.targets)
        where = f'{remote} ({remotes.url(repository, remote)})'
        echo(f'{plural(len(plan.targets), "run")} to {where}: {runs}')
        echo(f'  {_size(repository, remote, plan)}')
    _report_inputs(plan)
    renamed = plan.renamed
    for run, target in list(renamed.items())[:SHOWN]:
        echo(
            f'  {remote} has another {run}: yours goes there as {target}, theirs stays; '
            f'here yours is {run} still'
        )
    if len(renamed) > SHOWN:
        echo(f'  … and {len(renamed) - SHOWN} more that go under another name')
    for run in plan.unplaceable:
        echo(
            f'{run} cannot go: {remote} has other runs under all names that it could have; '
            'rerun it under another tag'
        )


def _report_inputs(plan: Plan) -> None:
    """Say which runs take files that do not go with them."""
    names = {}
    for run in plan.targets:
        info = run_json.read_or_none(run.folder(ROOT)) or {}
        names[run] = inputs.names(info.get('inputs'))
    taking = [run for run in names if names[run]]
    for run in taking[:SHOWN]:
        echo(f'  {run} takes {names[run]}, which is not sent: a rerun needs that file')
    if len(taking) > SHOWN:
        echo(f'  … and {len(taking) - SHOWN} more that take files which are not sent')


def _size(repository: Repository, remote: str, plan: Plan) -> str:
    """Return '9 refs, 14.2 kB, with 2 commits before them that origin may not have yet'."""
    refs: dict[str, str] = {}
    for changes in plan.changes.values():
        refs.update(changes.created)
        refs.update(changes.moved)
    sent = set(refs.values())
    commits, size = remotes.weight(
        repository, sent, _remote_commits(repository, remote, plan) - sent
    )
    own = {object_id for name, object_id in refs.items() if not name.startswith(TAGS)}
    text = f'{plural(len(refs), "ref")}, {_bytes(size)}'
    before = commits - len(own)
    if before <= 0:
        return text
    return f'{text}, with {plural(before, "commit")} before them that {remote} may not have yet'


def _remote_commits(repository: Repository, remote: str, plan: Plan) -> set[str]:
    """Return the commits that the remote has, as far as this clone knows."""
    commits: set[str] = set()
    for objects in plan.index.runs.values():
        commits.update(_present(objects.key))
    commits.update(row[0] for row in repository.refs(f'refs/remotes/{remote}', ('objectname',)))
    return commits


def _present(ids: Iterable[str | None]) -> list[str]:
    return [object_id for object_id in ids if object_id]


def _bytes(size: int) -> str:
    for limit, unit in ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB')):
        if size >= limit:
            return f'{size / limit:.1f} {unit}'
    return f'{size} bytes'
