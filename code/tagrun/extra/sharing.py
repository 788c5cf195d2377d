"""What `share` and `fetch` go by: the runs that git has here and at a remote, and under what name a run of one side fits in at the other.

    mine = of_refs(repository.refs(…)); there = fitting('t1/0', run, theirs, suffixes('t1', 'bob'), same)

A run is two or three refs: its tag, refs/tagrun/code/<tag>/<id> and refs/tagrun/result/<tag>/<id>. What is fetched lands under
refs/tagrun/remote/<remote>/{tag,code,result}/…, like the branches of a remote: git may write there whatever the remote has.

Two people may have used one name for two things. Nothing is renamed that is there, nothing overwritten, and a run keeps its id: the one
that comes second gets a name beside it. Bob's t1/0, where the remote has Alice's, goes there as t1@Bob/0; Alice's, fetched by Bob, is
t1@origin/0 to him. `@` may stand in a tag, so these are runs like all others: for every verb, for git, as folders. Why not the next free
id: t1/1 would then be another run in each clone, and two people could not talk of it. What is the same is found by the commits of code
and result, whatever it is called: nothing comes back as a copy of itself, and no list of what was shared has to be kept.

A result is updated (a run that was continued, or is watched live) by a child of the former result, so that git's own fast-forward is
the rule of who may: nobody but the one who has the former, and nothing is lost. It sends and brings nothing itself.
"""
import functools
import re
from typing import NamedTuple

from tagrun.command.git import Failed
from tagrun.command.say import Refusal
from tagrun.store import layout, names

TAG, CODE, RESULT = 'refs/tags/', 'refs/tagrun/code/', 'refs/tagrun/result/'
PATTERNS = (f'{TAG}*', f'{CODE}*', f'{RESULT}*')
MANY = 50       # names beside a name that are tried


class Run(NamedTuple):
    """The objects of a run, as refs name them."""
    tag: str        # the tag's object; None where there is no such tag
    code: str
    result: str     # None: it has none yet

    @property
    def pair(self):
        return self.code, self.result


class Known(NamedTuple):
    """What one side has."""
    tags: dict      # {tag: object}
    runs: dict      # {'t1/0': Run}
    folded: dict    # {tag in small letters: tag}: macOS and Windows would take T1 for t1

    def add(self, name, run):
        tag = name.partition('/')[0]
        self.runs[name] = run
        self.folded[tag.casefold()] = tag
        if run.tag:
            self.tags[tag] = run.tag

    def pairs(self):
        """{(code, result): name} of the runs that have a result."""
        return {run.pair: name for name, run in self.runs.items() if run.result}


def of_refs(rows, prefix=''):
    """The Known of (full name, object) pairs below refs/; names that are no run's are passed over: a remote may hold anything.

    prefix: refs/tagrun/remote/<remote>/ for what was fetched.
    """
    tag, code, result = (f'{prefix}tag/', f'{prefix}code/', f'{prefix}result/') if prefix else (TAG, CODE, RESULT)
    found = {tag: {}, code: {}, result: {}}
    for name, object_id in rows:
        kind = next((kind for kind in found if name.startswith(kind)), None)
        if kind:
            found[kind][name[len(kind):]] = object_id
    tags = found[tag]
    runs = {name: Run(tags.get(name.partition('/')[0]), object_id, found[result].get(name)) for name, object_id in found[code].items() if is_run(name)}
    return Known(tags, runs, {tag.casefold(): tag for tag in tags})


def here(repository):
    """The Known of this repository."""
    return of_refs(repository.refs(TAG, ('refname', 'objectname'), further=(CODE, RESULT)))


def fetched(repository, remote):
    """The Known of a remote, as it was when its refs were fetched last."""
    place = f'refs/tagrun/remote/{remote}/'
    return of_refs(repository.refs(place.rstrip('/'), ('refname', 'objectname')), place)


def refspecs(remote):
    """What a fetch brings, and where it puts it."""
    place = f'refs/tagrun/remote/{remote}'
    return [f'+{TAG}*:{place}/tag/*', f'+{CODE}*:{place}/code/*', f'+{RESULT}*:{place}/result/*']


def is_run(name):
    """Whether it is <tag>/<id>, of a tag that may be made."""
    tag, _, number = name.partition('/')
    return re.fullmatch(layout.NUMBER, number) is not None and _is_tag(tag)


@functools.cache        # once for all runs of a tag
def _is_tag(name):
    return not names.check_tag(name)


def suffixes(tag, who):
    """The names that are tried for a tag, its own first: t1, t1@bob, t1@bob.2, …"""
    return [tag, *(f'{tag}@{who}{f".{number}" if number > 1 else ""}' for number in range(1, MANY))]


def slug(who):
    """A person's or remote's name as a part of a tag."""
    return re.sub(r'[^\w+=-]+', '-', who).strip('-')[:30] or 'other'


def fitting(name, run, side, tags, fits):
    """The first name beside `name` under which a run is on that side already, or has room; None if there is none.

    fits(name, run): whether it has room there, beside or in place of the Run, or None, that has the name.
    """
    number = name.partition('/')[2]
    for tag in tags:
        if names.check_tag(tag):
            return None
        another_tag = run.tag and side.tags.get(tag) not in (None, run.tag)
        if not another_tag and side.folded.get(tag.casefold()) in (None, tag) and fits(f'{tag}/{number}', side.runs.get(f'{tag}/{number}')):
            return f'{tag}/{number}'
    return None


def remote(repository, wanted=None):
    """The remote to share with: the one named, that of `git config tagrun.remote`, origin, or the only one. Raises Refusal."""
    known = repository.remotes()
    wanted = wanted or repository.config('remote')
    if wanted:
        if wanted not in known:
            raise Refusal(f'there is no remote {wanted!r}' + (f': there is {", ".join(known)}' if known else f': git remote add {slug(wanted)} <url>'))
        return wanted
    if not known:
        raise Refusal('this repository has no remote to share with: git remote add origin <url>, a bare repository on a disk you share will do')
    if 'origin' not in known and len(known) > 1:
        raise Refusal(f'which of {", ".join(known)}? --remote NAME says it, git config tagrun.remote NAME for always')
    return 'origin' if 'origin' in known else known[0]


def unreachable(repository, name, error):
    """The Refusal for a remote that is away."""
    try:
        where = f'{name} ({repository.url(name)})'
    except Failed:
        where = name
    return Refusal(f'{where} cannot be reached: {error}. Nothing here was changed; try again when it is back')
