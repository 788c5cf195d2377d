"""Train many variants of the code under one tag: a grid of values, or a search that chooses them.

Every trial is a run <tag>/<id>, of a commit that differs from the tag's by the values alone: `git diff <tag> refs/tagrun/code/<tag>/7`
shows them, `rerun <tag>/7 -f` makes it again, `continue <tag>/7` goes on with it. The same command goes on with a sweep that was stopped or
killed: what is finished stays, what is not is continued, no trial runs twice; other values add what is new.

Values:  lr=0.1,0.01  model=mlp,cnn  deep=True,False  phases=('train',),('train','val')
Ranges:  hidden=range(50,200,50): 50, 100, 150;  dropout=range(0,0.5,0.1);  lr=log(1e-4,1e-1): a value each factor of ten;
         lr=log(1e-4,1e-1,7): seven values.  A search takes anything between the two ends.
What is trained at once does not change a result: CPU threads are those of config.py, and each GPU has one trial at a time.
At the end: the table of all trials, and a plot over each argument (git config tagrun.curves false leaves it out).
Exit codes: 0 all done, 1 refused, or some trial failed, 2 usage, 75 stopped by a signal and resumable, 130 Ctrl-C.
"""
import shlex
from pathlib import Path

from tagrun.command import board, launch, plan, prepare, setup
from tagrun.command.git import Failed, Repository
from tagrun.command.say import Refusal, parser, plural, printable, say
from tagrun.extra import grid, trials
from tagrun.extra.sweeping import Sweep, axes
from tagrun.store import layout, lock, names

EXAMPLES = ('sweep nets model=mlp,cnn lr=0.1,0.01 --seeds 3       twelve trials: nets/0 to nets/11',
            'sweep nets model=mlp,cnn lr=0.1,0.01 --seeds 3 -n    which these are',
            'sweep nets model=mlp,cnn,gru lr=0.1,0.01 --seeds 3   later: six more',
            'sweep best lr=log(1e-4,1e-1) hidden=range(16,256) --search tpe --trials 50 --prune median -j 2',
            'sweep fast lr=0.1,0.01 --vary .,fast.patch,branch:other')
SWEEP = 'sweep'         # how the line of a tag's message begins that says what the sweep was
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    setup.require()
    repository = Repository.at(ROOT)
    launch.check(repository, options)
    if options.dry_run:
        return _dry_run(repository, options)
    commit = _recorded(repository, options) or _record(repository, options)
    if not options.on:
        board.start(repository)
    if options.detach and not options.on:
        say(f'{options.tag} goes on in the background:  tagrun expls {options.tag}')
        if not launch.in_background():
            return 0
    try:
        kept = lock.Lock(_place(options.tag))      # before it looks at what there is, and for its life
    except lock.Held as held:
        raise Refusal(f'the sweep {options.tag} is at work already: {held}') from None
    sweep = Sweep(repository, options, commit)
    code = sweep.hand_over() if options.on else sweep.run()
    kept.release()
    return code


def _options(argv):
    options = parser('sweep', __doc__, EXAMPLES)
    options.add_argument('tag', help='the name of the tag to make, or of the sweep to go on with')
    options.add_argument('values', nargs='*', metavar='NAME=VALUES', help='the values of an argument of config.py')
    options.add_argument('-f', '--fixed', action='store_true', help='the first seed is the one in code/seed; else a fresh one is drawn')
    options.add_argument('-m', '--message', metavar='WHY', default='', help="why, for the tag's message")
    options.add_argument('--seeds', metavar='COUNT', type=int, default=1, help='each trial with so many seeds, the same for all')
    options.add_argument('--vary', metavar='CODE', default='', help='variants of the code, parted by commas: a patch file, branch:NAME, tag:NAME; . is the code as it is')
    options.add_argument('--search', choices=('random', 'tpe'), help='choose values instead of taking all; needs --trials')
    options.add_argument('--trials', metavar='N', type=int, help='so many are chosen')
    options.add_argument('--metric', metavar='NAME', help='what a search makes best: val/acc; else what config.py watches')
    options.add_argument('--prune', choices=('median', 'hyperband'), help="stop poor trials at an epoch's end")
    options.add_argument('-j', '--jobs', metavar='N', type=int, help='so many at once; else one, or one for each GPU')
    options.add_argument('--failed', action='store_true', help='go on with those that failed, too')
    options.add_argument('--clean', action='store_true', help='refuse if anything is uncommitted (git config tagrun.requireClean true)')
    options.add_argument('-n', '--dry-run', action='store_true', help='list the trials, and do nothing')
    launch.add_options(options)
    found = options.parse_intermixed_args(argv)
    found.set = {}
    wrong = next((word for word in found.values if '=' not in word), None)
    if wrong or '=' in found.tag and not found.values:
        options.error(f'a tag and name=values are meant: sweep nets lr=0.1,0.01, not {wrong or found.tag!r}')
    if found.seeds < 1 or found.jobs is not None and found.jobs < 1 or found.trials is not None and found.trials < 1:
        options.error('--seeds, --trials and -j take a number of 1 or more')
    if bool(found.search) != bool(found.trials):
        options.error('--search and --trials go together: --search tpe --trials 50')
    if found.on and (found.search or found.prune):
        options.error(f'--search and --prune look at each trial as it trains, so it trains here: leave out --on {found.on}')
    if found.prune and found.search and found.seeds > 1:
        options.error('--prune judges single runs, and --search the mean over --seeds: one of the two')
    return found


# --- what is recorded ---------------------------------------------------------------------------------------------------


def _recorded(repository, options):
    """The commit of the sweep that was begun under this tag, or None. Raises Refusal for a tag that is no sweep's."""
    reason = names.check_tag(options.tag)
    if reason:
        raise Refusal(f'{options.tag!r} cannot be a tag: {reason}')
    ref = f'refs/tags/{options.tag}'
    body = next((contents for name, contents in repository.refs(ref, ('refname', 'contents')) if name == ref), None)
    if body is None:
        return None
    words = next((line for line in body.splitlines()[1:] if line.startswith(f'{SWEEP} ')), None)
    if not words:
        raise Refusal(prepare.tag_exists(options.tag))
    if not options.values and not options.vary:
        raise Refusal(f'which values? It was begun with:  tagrun {printable(words)}')
    commit = repository.resolve(ref)
    if not commit:
        raise Refusal(f'the tag {options.tag!r} names no commit that is here')
    axes(options, trials.variant(repository, commit, options.vary.partition(',')[0]).config)
    head = repository.resolve('HEAD')
    if head and trials.variant(repository, head).rest != trials.variant(repository, commit).rest:    # what is uncommitted is not looked at
        say(f'tagrun: the code here is no longer that of {options.tag}; the sweep goes on with its own')
    return commit


def _record(repository, options):
    """Make the sweep's tag; the commit. Everything that can be wrong with its trials is looked for first."""
    plan.check_name(repository, options.tag)
    planned = plan.of(repository, options)
    axes(options, planned.config)
    if options.search or options.prune:
        from tagrun.extra import search     # here: a grid needs no Optuna
        search.check(repository.root, options, planned.config)
    seed = prepare.fresh_seed() if planned.seed is None else planned.seed
    words = _words(options)
    lines = plan.message(options, planned, seed).splitlines()
    text = '\n'.join([options.message or words, *lines[1:], words]) + '\n'
    commit = plan.side_commit(repository, options, planned, seed, text)
    for word in filter(None, options.vary.split(',')):
        trials.variant(repository, commit, word)
    try:
        repository.create_refs({f'refs/tags/{options.tag}': repository.make_tag(options.tag, commit, text)})
    except Failed:
        if repository.resolve(f'refs/tags/{options.tag}'):
            raise Refusal(prepare.tag_exists(options.tag)) from None
        raise
    plan.tell(options, planned, seed)
    return commit


def _words(options):
    """The command as one could type it again, without what changes no result."""
    more = [('--seeds', options.seeds if options.seeds > 1 else None), ('--vary', options.vary), ('--search', options.search),
            ('--trials', options.trials), ('--metric', options.metric), ('--prune', options.prune)]
    return printable(shlex.join([SWEEP, options.tag, *options.values, *(str(word) for name, value in more if value for word in (name, value))]))


def _dry_run(repository, options):
    commit = _recorded(repository, options)
    if commit is None:
        plan.check_name(repository, options.tag)
        planned = plan.of(repository, options)
        plan.tell(options, planned)
        if options.search:
            axes(options, planned.config)
            print(f'{plural(options.trials, "trial")}, which {options.search} chooses')
        else:
            for number, values in enumerate(_all(options, axes(options, planned.config))):
                print(f'{options.tag}/{number}  {values}')
    elif options.search:
        print(f'{plural(options.trials, "trial")}, which {options.search} chooses; {len(trials.recorded(repository, options.tag))} are recorded')
    else:
        options.prune = None    # who only looks asks no judge
        Sweep(repository, options, commit).print_list()
    say('nothing was done: --dry-run')
    return 0


def _all(options, found):
    """The labels of a grid's trials before there is a commit to make them of."""
    for word in options.vary.split(','):
        code = trials.Code(trials.short(word), '', (), '')
        for values in grid.combinations(found):
            yield from (trials.label(code, values, found, number, options.seeds) for number in range(options.seeds))


def _place(tag):
    folder = layout.result(ROOT) / tag
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        raise Refusal(f'{folder} is a link to another place: remove it')
    return folder
