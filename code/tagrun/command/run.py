"""Record the code and train it under a tag.

What `git add -A` would take goes into the record, and is named. Your branch, index and files are not touched.
Exit codes: 0 finished, 1 refused or failed, 2 usage, 75 stopped by a signal and resumable, 130 Ctrl-C.
"""
from pathlib import Path

from tagrun.command import launch, leaks, literals, prepare, setup
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, parser, plural, printable, quote, say
from tagrun.store import layout, names, run_json

EXAMPLES = ("run first                            a fresh seed, drawn and recorded",
            "run -f -m 'the baseline' base        the seed in code/seed; why, for the tag's message",
            "run wide --set hidden=400            another value than in config.py, in the record alone",
            "run five --seeds 5                   five runs, five/0 to five/4",
            "run --fast                           a few batches of each phase: does it work at all?")
SHOWN = 20              # files or arguments named before '…'
FAST_BATCHES = 3
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    setup.require()
    repository = Repository.at(ROOT)
    if options.fast:
        return _fast(repository)
    launch.check(repository, options)
    _check_name(repository, options.tag)
    if repository.under_way():
        raise Refusal(f'{repository.under_way()} is under way: finish or abort it first, a run would record its half-merged files')
    plan = _plan(repository, options)
    if options.dry_run:
        _tell(repository, options, plan)
        say('nothing was done: --dry-run')
        return 0
    return _record_and_train(repository, options, plan)


class Plan:
    """What a run would record: HEAD, the uncommitted changes, the new contents of config.py and code/seed."""

    def __init__(self, head, changes, config, config_before, seed):
        self.head, self.changes, self.config, self.seed = head, changes, config, seed
        self.arguments = literals.differences(config_before, config) if config != config_before else []


def _options(argv):
    options = parser('run', __doc__, EXAMPLES)
    options.add_argument('tag', nargs='?', help='the name of the tag to make')
    options.add_argument('-f', '--fixed', action='store_true', help='keep the seed in code/seed; else a fresh one is drawn')
    options.add_argument('-m', '--message', metavar='WHY', default='', help="why, for the tag's message")
    options.add_argument('--set', metavar='K=V', action='append', default=[], nargs='+', help='another value for an argument of config.py')
    options.add_argument('--seeds', metavar='COUNT', type=int, default=1, help='train so many runs, each with a seed of its own')
    options.add_argument('--clean', action='store_true', help='refuse if anything is uncommitted (git config tagrun.requireClean true)')
    options.add_argument('-n', '--dry-run', action='store_true', help='say what would be recorded, and do nothing')
    options.add_argument('--fast', action='store_true', help='train a few batches of each phase, untagged')
    launch.add_options(options)
    found = options.parse_args(argv)
    words = [word for words in found.set for word in words]
    for word in [word for word in words if '=' not in word]:    # `run --set lr=0.1 t1`: the tag, taken for one more value
        if found.tag:
            options.error(f'--set takes name=value, not {word!r}')
        found.tag = word
    found.set = dict(word.partition('=')[::2] for word in words if '=' in word)
    if not found.tag and not found.fast:
        options.error('a tag is missing: run first')
    if found.seeds < 1 or found.fixed and found.seeds > 1:
        options.error('--seeds takes a number of 1 or more, and not with -f: each run has a seed of its own')
    return found


def _check_name(repository, tag):
    reason = names.check_tag(tag)
    if reason:
        raise Refusal(f'{tag!r} cannot be a tag: {reason}')
    tags = {row[0] for row in repository.refs('refs/tags', ('refname:strip=2',))}
    if tag in tags:
        raise Refusal(prepare.tag_exists(tag))
    alike = next((other for other in sorted(tags) if other.casefold() == tag.casefold()), None)
    if alike:
        raise Refusal(f'there is a tag {alike!r}, and macOS and Windows would take {tag!r} for the same: take another name')
    if [f'refs/heads/{tag}'] in repository.refs(f'refs/heads/{tag}'):
        raise Refusal(f'{tag!r} is a branch: git could not tell the two apart, take another name')


def _plan(repository, options):
    head, changes = repository.resolve('HEAD'), repository.changes()
    if changes and (options.clean or repository.flag('requireClean')):
        raise Refusal(f'{plural(len(changes), "uncommitted change")} ({_some([change.path for change in changes])}): commit first, or leave out --clean')
    _check_changes(changes)
    leaks.check(repository.top, changes)
    config = _decoded(_read(repository, 'code/config.py'))
    before = config
    if head and any(change.path == f'{repository.prefix}code/config.py' for change in changes):
        before = _decoded(repository.file(head, 'code/config.py') or b'')
    seed = prepare.read_seed(_read(repository, 'code/seed')) if options.fixed else None
    return Plan(head, changes, literals.changed(config, options.set), before, seed)


def _check_changes(changes):
    """Raises Refusal for what a record cannot hold as it is."""
    for change in changes:
        if change.what == 'unmerged':
            raise Refusal(f'{change.path} is unmerged, a run would record its conflict: resolve it, then git add {quote(change.path)}')
        if change.what == 'submodule':
            raise Refusal(f'the submodule {change.path} has uncommitted changes, which no record can hold: commit them there')


def _record_and_train(repository, options, plan):
    """Make the tag with its first run, then train that and the others, one after the other."""
    seed = prepare.fresh_seed() if plan.seed is None else plan.seed
    message = _message(options, plan, seed)
    commit = _side_commit(repository, options, plan, seed, message)
    folder = prepare.new_run(repository, options.tag, commit, seed, tag_message=message)
    _tell(repository, options, plan, seed)
    return launch.begin(repository, folder, options, options.seeds)


def _side_commit(repository, options, plan, seed, message):
    """The commit to run: HEAD itself where nothing differs from it."""
    replaced = {'code/seed': f'{seed}\n'.encode()} if not options.fixed else {}
    if options.set:
        replaced['code/config.py'] = plan.config.encode()
    if plan.head and not plan.changes and not replaced:
        return plan.head
    tree = repository.write_tree(plan.head, replaced, everything=bool(plan.changes) or not plan.head)
    return repository.commit_tree(tree, plan.head, f'tagrun: {message}')


def _message(options, plan, seed):
    """The tag's message: why, seed, arguments that differ from HEAD, what was uncommitted."""
    lines = [options.message or f'run {options.tag}', '', f'seed {seed}', *plan.arguments]
    lines += [printable(f'uncommitted: {change.what} {change.path}').replace('\n', '\\n') for change in plan.changes]
    return '\n'.join(lines) + '\n'


def _tell(repository, options, plan, seed=None):
    """What is recorded, as it goes into the tag."""
    where = f'on {plan.head[:10]}' if plan.head else 'as the first commit'
    say(f'{options.tag}: recorded {where}, seed {seed if seed is not None else plan.seed if plan.seed is not None else "drawn afresh"}')
    for line in plan.arguments[:SHOWN]:
        say(f'  {line}')
    for change in plan.changes[:SHOWN]:
        say(f'  uncommitted, recorded too: {change.what} {change.path}')
    if len(plan.changes) > SHOWN:
        say(f'  … and {len(plan.changes) - SHOWN} more uncommitted files')


def _fast(repository):
    """A scratch run of the files as they stand, three batches of each phase, two epochs."""
    number, folder = layout.claim(repository.root, layout.SCRATCH)
    seed = prepare.read_seed(_read(repository, 'code/seed'))
    run_json.write(folder, run_json.build(repository.root, layout.SCRATCH, number, None, seed, fast=FAST_BATCHES))
    return launch.train(repository, folder, main=repository.root / 'code' / 'main.py')


def _read(repository, path):
    try:
        return (repository.root / path).read_bytes()
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None


def _decoded(source):
    """A config.py as text. Raises Refusal where it is none."""
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        raise Refusal(f'code/config.py is no UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8') from None


def _some(paths):
    return ', '.join(paths[:3]) + (', …' if len(paths) > 3 else '')
