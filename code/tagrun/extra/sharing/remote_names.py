"""Find the runs that git has here and at a remote, and the name that a run gets on the other side.

    local = local_refs(repository)
    free_name(RunRef('t1', 0), objects, index, candidates('t1', 'bob'), fits)   # t1/0, or t1@bob/0

git holds a run as two or three refs: its tag, its code and its result (store/run_ref.py). What is
fetched lands below run_ref.REMOTE, like the branches of a remote. git may write there whatever the
remote has.

Two people may use one name for two things. Tagrun overwrites nothing and renames nothing that
exists: the run that comes second gets another tag and keeps its id. Bob's t1/0 goes to a remote
that has Alice's t1/0, and becomes t1@Bob/0 there. Alice's becomes t1@origin/0 in Bob's clone. A tag
may have an `@`, so these are runs like all others, for every command, for git and as folders. The
next free id would not do: t1/1 would be another run in each clone.

The commits of its code and result identify a run, whatever its name is. So nothing comes back as a
copy of itself, and no list of shared runs is needed.

A result is updated by a child of the former result (of a run that was continued or is sent live).
So git's fast-forward rule decides who may update it: only a clone that has the former result, and
nothing is lost. This module sends and fetches nothing itself.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tagrun.core.cli.messages import UserError
from tagrun.core.git import remotes
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.store import experlist, layout, names, run_ref
from tagrun.store.run_ref import CODE, HEADS, RESULT, TAGS, RunRef

HEADS_OF_REMOTES = 'refs/remotes/'
PATTERNS = (f'{TAGS}*', f'{CODE}*', f'{RESULT}*')
MAX_CANDIDATES = 50  # names that are tried for a run
SHOWN = 10  # runs that a message names
KINDS = ('tag', 'code', 'result')  # of the refs of a remote


class RunObjects(NamedTuple):
    """The git objects of a run, as its refs name them."""

    tag: str | None  # the tag's object; None where there is no such tag
    code: str
    result: str | None  # None: it has no result yet

    @property
    def key(self) -> tuple[str, str | None]:
        """What identifies the run, whatever its name is."""
        return self.code, self.result


class RefIndex(NamedTuple):
    """The tags and runs of one side."""

    tags: dict[str, str]  # {tag: object}
    runs: dict[RunRef, RunObjects]
    # {casefolded tag: tag}: macOS and Windows do not distinguish T1 from t1
    folded: dict[str, str]
    # of this clone: a tag of such a name would make git's commands ambiguous
    branches: frozenset[str] = frozenset()

    def add(self, run: RunRef, objects: RunObjects) -> None:
        """Add a run, and its tag where it has one."""
        self.runs[run] = objects
        self.folded[run.tag.casefold()] = run.tag
        if objects.tag:
            self.tags[run.tag] = objects.tag

    def by_key(self) -> dict[tuple[str, str | None], RunRef]:
        """Return {key: run} of the runs that have a result."""
        return {objects.key: run for run, objects in self.runs.items() if objects.result}


def index_refs(rows: Iterable[Sequence[str]], remote: str | None = None) -> RefIndex:
    """Return the RefIndex of (full ref name, object) rows.

    A remote may hold anything: a name that cannot be a run's is passed over.
    remote: whose fetched refs these are; None for tags and runs under their own names.
    """
    prefixes = [TAGS, CODE, RESULT]
    if remote is not None:
        prefixes = [run_ref.remote_prefix(remote, kind) for kind in KINDS]
    tags: dict[str, str] = {}
    codes: dict[str, str] = {}
    results: dict[str, str] = {}
    groups = tuple(zip(prefixes, (tags, codes, results), strict=True))
    for name, object_id in rows:
        for prefix, group in groups:
            if name.startswith(prefix):
                group[name[len(prefix) :]] = object_id
                break
    runs = {}
    for name, code in codes.items():
        run = parse_run(name)
        if run is not None:
            runs[run] = RunObjects(tags.get(run.tag), code, results.get(name))
    return RefIndex(tags, runs, {tag.casefold(): tag for tag in tags})


def local_refs(repository: Repository) -> RefIndex:
    """Return the RefIndex of this repository."""
    rows = repository.refs(TAGS, ('refname', 'objectname'), further=(CODE, RESULT))
    branches = (row[0].removeprefix(HEADS) for row in repository.refs(HEADS))
    return index_refs(rows)._replace(branches=frozenset(branches))


def fetched_refs(repository: Repository, remote: str) -> RefIndex:
    """Return the RefIndex of a remote, as its refs were fetched last."""
    rows = repository.refs(run_ref.remote_prefix(remote), ('refname', 'objectname'))
    return index_refs(rows, remote)


def refspecs(remote: str) -> list[str]:
    """Return what a fetch brings, and where it puts it."""
    return [
        f'+{prefix}*:{run_ref.remote_prefix(remote, kind)}*'
        for prefix, kind in zip((TAGS, CODE, RESULT), KINDS, strict=True)
    ]


def parse_run(name: str) -> RunRef | None:
    """Return the run of '<tag>/<id>' if it has a tag that a run may have; None for another name."""
    # RunRef.parse would check a tag anew for each of its runs
    tag, _, number = name.partition('/')
    if re.fullmatch(layout.NUMBER, number) is None or not _is_tag(tag):
        return None
    return RunRef(tag, int(number))


@functools.cache
def _is_tag(name: str) -> bool:
    return not names.check_tag(name)


def candidates(tag: str, owner: str) -> list[str]:
    """Return the names that are tried for a tag, its own first: t1, t1@bob, t1@bob.2, …

    A tag that is too long for that loses its last characters.
    """
    endings = [f'@{owner}', *(f'@{owner}.{number}' for number in range(2, MAX_CANDIDATES))]
    return [tag, *(f'{_cut(tag, names.MAX_BYTES - len(end.encode()))}{end}' for end in endings)]


def _cut(tag: str, most: int) -> str:
    """Return as much of a tag's beginning as fits into `most` bytes."""
    return tag.encode()[:most].decode(errors='ignore')


def safe_name(name: str) -> str:
    """Return a person's or remote's name as a part of a tag."""
    return re.sub(r'[^\w+=-]+', '-', name).strip('-')[:30] or 'other'


def free_name(
    run: RunRef,
    objects: RunObjects,
    index: RefIndex,
    tags: Iterable[str],
    fits: Callable[[RunRef, RunObjects | None], bool],
) -> RunRef | None:
    """Return the first name, under one of `tags`, that a run can have on a side; None without one.

    fits(name, present): whether the run can have the name, which `present` has on that side; None
    where the name is free.
    """
    for tag in tags:
        if names.check_tag(tag) or tag in index.branches:
            continue
        name = RunRef(tag, run.number)
        another_tag = objects.tag and index.tags.get(tag) not in (None, objects.tag)
        another_case = index.folded.get(tag.casefold()) not in (None, tag)
        if not another_tag and not another_case and fits(name, index.runs.get(name)):
            return name
    return None


def choose_remote(repository: Repository, name: str | None = None) -> str:
    """Return the remote to share with.

    It is the one named, that of `git config tagrun.remote`, origin, or the only one. Raises
    UserError where none of these exists.
    """
    known = remotes.names(repository)
    name = name or repository.config('remote')
    if name:
        if name not in known:
            raise UserError(_unknown_remote(name, known))
        return name
    if not known:
        raise UserError(
            'this repository has no remote to share with: git remote add origin <url>, a '
            'bare repository on a disk you share will do'
        )
    if 'origin' in known:
        return 'origin'
    if len(known) > 1:
        raise UserError(
            f'which of {", ".join(known)}? Name it by --remote NAME, or for always by '
            'git config tagrun.remote NAME'
        )
    return known[0]


def refuse_template(repository: Repository, remote: str, present: Mapping[str, str]) -> None:
    """Raise UserError where a remote that nobody chose looks like that of the template.

    It has no run, and none of your commits is in its branches: it is where you cloned from.
    present: {ref: id} that it has.
    """
    branches = f'{HEADS_OF_REMOTES}{remote}/'
    has_runs = any(name.startswith(CODE) for name in present)
    if has_runs or repository.config('remote') or not repository.refs(branches):
        return
    if repository.has_commit_of_mine(branches):
        return
    raise UserError(
        f'{remote} ({remotes.url(repository, remote)}) has no run and no commit of yours: it may '
        'be where you cloned the template. Add your own: git remote rename origin template && '
        'git remote add origin <url> && git push -u origin HEAD. If it is yours: '
        f'share --remote {remote}'
    )


def _unknown_remote(name: str, known: list[str]) -> str:
    if known:
        return f'there is no remote {name!r}: there is {", ".join(known)}'
    return f'there is no remote {name!r}: git remote add {safe_name(name)} <url>'


def unreachable(repository: Repository, remote: str, error: Exception) -> UserError:
    """Return the UserError for a remote that cannot be reached."""
    try:
        shown = f'{remote} ({remotes.url(repository, remote)})'
    except GitError:
        shown = remote
    return UserError(
        f'{shown} cannot be reached: {error}. Nothing here was changed; try again when it is back'
    )


def shortened(runs: Iterable[RunRef]) -> str:
    """Return the first runs as text, e.g. 't1/0-1 t2/0', and how many more there are."""
    runs = list(runs)
    text = experlist.compact(runs[:SHOWN])
    return f'{text} … and {len(runs) - SHOWN:,} more' if len(runs) > SHOWN else text
