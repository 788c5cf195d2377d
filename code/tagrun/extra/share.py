"""Send runs to the remote, through git alone: their tags, code and results, so that others can tabulate, compare and rerun them.

What goes: the tag, the commit that ran (with the commits before it that the remote lacks), and of the result statistic.json,
history.csv, environment.json, run.json, the log. Never: checkpoints, data, TensorBoard, what git ignores. It shows what will go and
sends it; -n only shows. Nothing at the remote is ever overwritten: where somebody else has the name, yours gets one beside it.

`git config tagrun.share live` sends each run as it trains, after its epochs, from a process of its own.
Exit codes: 0 sent, or all was there; 1 refused, or not all could be sent; 2 usage.
"""
import argparse
from pathlib import Path

from tagrun.command import choose
from tagrun.command.git import Failed, Repository
from tagrun.command.say import Refusal, did_you_mean, parser, plural, say
from tagrun.extra import sharing
from tagrun.store import experlist, layout, names

EXAMPLES = ('share                    all runs that the remote does not have yet',
            'share -n                 what would go, and how large it is',
            'share first wide/2       all runs of `first`, and one of `wide`',
            'share @paper             the runs of a list',
            'share --live first       its latest run, after each epoch until it ends')
ROOT = Path(__file__).resolve().parents[3]
ATONCE = 300        # runs a push: a command line has an end, and so has patience
TRIES = 5           # somebody else may share at the same moment
SHOWN = 10          # runs that are named


def main(argv):
    options = parser('share', __doc__, EXAMPLES)
    options.add_argument('run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @last or @<set>; without any, all')
    options.add_argument('-n', '--dry-run', action='store_true', help='say what would go, and send nothing')
    options.add_argument('--remote', metavar='NAME', help='the remote (git config tagrun.remote, else origin)')
    options.add_argument('--live', metavar='RUN', help='a run that trains now: after its epochs, until it ends')
    options.add_argument('--since', help=argparse.SUPPRESS)     # the result that a run had before it went on
    options = options.parse_args(argv)
    repository = Repository.at(ROOT)
    remote = sharing.remote(repository, options.remote)
    if options.live:
        return _live(repository, remote, options)
    mine = sharing.here(repository)
    wanted = _chosen(mine, options.run)
    plan = make_plan(repository, remote, mine, wanted)
    _tell(repository, remote, plan)
    if options.dry_run:
        say('nothing was sent: --dry-run')
    elif plan.sent:
        send(repository, remote, mine, plan)
        say(f'sent. Others get it by: tagrun fetch{"" if remote == "origin" else f" --remote {remote}"}')
    return 1 if plan.homeless else 0


def _live(repository, remote, options):
    from tagrun.extra import before_live    # here: it imports us
    tag, number = choose.run(ROOT, options.live)
    return 0 if before_live.follow(repository, remote, f'{tag}/{number}', options.since) else 1


def _chosen(mine, words):
    """The names of the runs that git has of some words, all without any. Raises Refusal."""
    if not words:
        if not mine.runs:
            raise Refusal('there is no run to share yet: `run first` makes one')
        return list(mine.runs)
    return list(dict.fromkeys(name for word in words for name in _of_word(mine, word)))


def _of_word(mine, word):
    if word.startswith('@'):
        return [name for name in (f'{tag}/{number}' for tag, number in choose.several(ROOT, [word])) if name in mine.runs]
    if names.split_run(word) is None:
        raise Refusal(f'{word!r} is no run: <tag> or <tag>/<id> is, t1/0 for one', code=2)
    tag = word.partition('/')[0]
    if tag == layout.SCRATCH:
        raise Refusal('a run by hand has no commit that tells its code, and nothing of it is in git: `run <tag>` records one')
    found = [name for name in mine.runs if name == word or name.startswith(f'{word}/')]
    if not found:
        raise Refusal(f'git has no run {word!r}.{did_you_mean(word, mine.runs if "/" in word else {name.partition("/")[0] for name in mine.runs})}')
    return found


class Plan:
    """What goes where: {my name: its name there}, and the refs that a push makes or moves."""

    def __init__(self, theirs):
        self.theirs, self.sent, self.there, self.homeless = theirs, {}, 0, []
        self.refs = {}      # {my name: ({new ref: id}, {ref that moves: id})}


def make_plan(repository, remote, mine, wanted, patience_s=None):
    """The Plan for some of my runs, from what the remote has now. Raises Refusal if it is away."""
    try:
        theirs = sharing.of_refs(repository.advertised(remote, *sharing.PATTERNS, patience_s=patience_s).items())
    except Failed as error:
        raise sharing.unreachable(repository, remote, error) from None
    plan, known, who = Plan(theirs), theirs.pairs(), sharing.slug(repository.author())
    for name in wanted:
        run = mine.runs[name]
        if run.pair in known:
            plan.there += 1
            continue
        tag = name.partition('/')[0]
        place = sharing.fitting(name, run, theirs, sharing.suffixes(tag, who), lambda _, there: _fits(repository, run, there))
        if place is None:
            plan.homeless.append(name)
        elif _is_there(repository, run, theirs.runs.get(place)):
            plan.there += 1
        else:
            plan.sent[name] = place
            plan.refs[name] = _refs(run, place, theirs)
            theirs.add(place, run)
    return plan


def _fits(repository, run, there):
    """Whether a run of mine may have a name at the remote: nobody has it, or what it has is this run, as it was before."""
    return there is None or there.code == run.code and (
        there.result in (None, run.result) or run.result is None or
        repository.is_ancestor(there.result, run.result) or repository.is_ancestor(run.result, there.result))


def _is_there(repository, run, there):
    """Whether the remote has it as it is here, or a later word of it."""
    return there is not None and there.code == run.code and (
        run.result in (None, there.result) or there.result is not None and repository.is_ancestor(run.result, there.result))


def _refs(run, place, theirs):
    """({ref to make: id}, {ref to move on: id}) of a run."""
    tag, there = place.partition('/')[0], theirs.runs.get(place)
    new = {}
    if run.tag and tag not in theirs.tags:
        new[f'{sharing.TAG}{tag}'] = run.tag
    if there is None:
        new[f'{sharing.CODE}{place}'] = run.code
    moved = {}
    if run.result:
        (moved if there and there.result else new)[f'{sharing.RESULT}{place}'] = run.result
    return new, moved


def _tell(repository, remote, plan):
    """What will go, before it goes."""
    where = f'{remote} ({repository.url(remote)})'
    if plan.there:
        say(f'{plural(plan.there, "run")} {"is" if plan.there == 1 else "are"} on {remote} already')
    if plan.sent:
        say(f'{plural(len(plan.sent), "run")} to {where}: {_compact(plan.sent)}')
        say(f'  {_weight(repository, remote, plan)}')
    for mine, there in list(_renamed(plan).items())[:SHOWN]:
        say(f'  {remote} has another {mine}: yours goes there as {there}, theirs stays; here yours is {mine} still')
    if len(_renamed(plan)) > SHOWN:
        say(f'  … and {len(_renamed(plan)) - SHOWN} more that go under a name beside theirs')
    for name in plan.homeless:
        say(f'{name} cannot go: {remote} has other runs of that name and of all names beside it; rerun it under another tag')


def _renamed(plan):
    return {mine: there for mine, there in plan.sent.items() if mine != there}


def _compact(wanted):
    pairs = [names.split_run(name) for name in wanted]
    return experlist.compact(pairs[:SHOWN]) + (f' … and {len(pairs) - SHOWN:,} more' if len(pairs) > SHOWN else '')


def _weight(repository, remote, plan):
    """'9 refs, 14.2 kB, with 2 commits before them that origin may not have yet'."""
    refs = {name: object_id for new, moved in plan.refs.values() for name, object_id in {**new, **moved}.items()}
    sent = set(refs.values())
    known = {object_id for name, run in plan.theirs.runs.items() for object_id in run.pair if object_id} - sent
    known |= {row[0] for row in repository.refs(f'refs/remotes/{remote}', ('objectname',))}
    commits, size = repository.weight(sent, known)
    own = commits - len({object_id for name, object_id in refs.items() if not name.startswith(sharing.TAG)})
    return f'{plural(len(refs), "ref")}, {_bytes(size)}' + (f', with {plural(own, "commit")} before them that {remote} may not have yet' if own > 0 else '')


def _bytes(size):
    for limit, unit in ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB')):
        if size >= limit:
            return f'{size / limit:.1f} {unit}'
    return f'{size} bytes'


def send(repository, remote, mine, plan, patience_s=None):
    """Push what a Plan has; where somebody was faster, plan anew. Raises Refusal."""
    for tries in range(TRIES):
        try:
            for part in _parts(list(plan.sent)):
                new = {name: object_id for each in part for name, object_id in plan.refs[each][0].items()}
                moved = {name: object_id for each in part for name, object_id in plan.refs[each][1].items()}
                repository.push(remote, new, moved, patience_s=patience_s)
            return
        except Failed as error:
            before, plan = plan, make_plan(repository, remote, mine, list(plan.sent), patience_s)     # raises if it is away
            if plan.refs == before.refs or tries == TRIES - 1:
                raise Refusal(f'{remote} did not take it: {error}') from None
            for name, place in _renamed(plan).items():
                say(f'  {remote} has another {name} meanwhile: yours goes there as {place}')


def _parts(runs):
    return [runs[start:start + ATONCE] for start in range(0, len(runs), ATONCE)]
