"""Record the code and train it under a tag.

What `git add -A` would take goes into the record, and is named. Your branch, index and files are not touched.
Exit codes: 0 finished, 1 refused or failed, 2 usage, 75 stopped by a signal and resumable, 130 Ctrl-C.
"""
from pathlib import Path

from tagrun.command import launch, plan, prepare, setup
from tagrun.command.git import Repository
from tagrun.command.say import parser, say
from tagrun.store import layout, run_json

EXAMPLES = ("run first                            a fresh seed, drawn and recorded",
            "run -f -m 'the baseline' base        the seed in code/seed; why, for the tag's message",
            "run wide --set hidden=400            another value than in config.py, in the record alone",
            "run five --seeds 5                   five runs, five/0 to five/4",
            "run --fast                           a few batches of each phase: does it work at all?")
FAST_BATCHES = 3
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    setup.require()
    repository = Repository.at(ROOT)
    launch.check(repository, options)
    if options.fast:
        return _fast(repository, options)
    plan.check_name(repository, options.tag)
    planned = plan.of(repository, options)
    if options.dry_run:
        plan.tell(options, planned)
        say('nothing was done: --dry-run')
        return 0
    return _record_and_train(repository, options, planned)


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


def _record_and_train(repository, options, planned):
    """Make the tag with its first run, then train that and the others, one after the other."""
    seed = prepare.fresh_seed() if planned.seed is None else planned.seed
    message = plan.message(options, planned, seed)
    commit = plan.side_commit(repository, options, planned, seed, message)
    folder = prepare.new_run(repository, options.tag, commit, seed, tag_message=message)
    plan.tell(options, planned, seed)
    return launch.begin(repository, folder, options, options.seeds)


def _fast(repository, options):
    """A scratch run of the files as they stand, three batches of each phase, two epochs."""
    number, folder = layout.claim(repository.root, layout.SCRATCH)
    seed = prepare.read_seed(plan.read(repository, 'code/seed'))
    run_json.write(folder, run_json.build(repository.root, layout.SCRATCH, number, None, seed, fast=FAST_BATCHES))
    launch.tell_processes(folder, options)
    return launch.train(repository, folder, main=repository.root / 'code' / 'main.py')
