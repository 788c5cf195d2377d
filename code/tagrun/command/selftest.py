"""Is your own code exact: killed and continued, run again, with other data workers?

It trains a few hundred steps of the code as it stands on your desk, what is uncommitted too: untouched; killed with -9 at random
steps and continued each time; again with the same seed; and with 2 data workers instead of none, or none instead of some. Trace
(order, batch, loss, weights), history and last weights must be the same, bit for bit. Where they are not, it says where the two part,
the usual cause and its cure, and which of your lines to look at. Nothing is tagged, recorded or left behind. It does not test what
a few batches of each phase do not reach. Exit codes: 0 exact, 3 differs, 1 could not run, 2 usage, 130 Ctrl-C.
"""
import json
import random
import signal
import time
from collections import Counter
from pathlib import Path

from tagrun.command import causes, difference, prepare, setup, suspects, verdict
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, duration, parser, plural, printable, quote, say
from tagrun.command.trainings import Failed, Trainings
from tagrun.store import statistic, trace

EXAMPLES = ('selftest                 about half a minute for a small model',
            'selftest --steps 40      fewer training steps, for a large one',
            'selftest resume          only whether a continued training is exact',
            'selftest --seed 4711     killed at the same steps as an earlier selftest',
            'selftest --keep          the trainings stay, to be looked into')
CHECKS = {'resume': 'killed at random steps and continued', 'rerun': 'again, with the same seed', 'workers': 'with another number of data workers'}
STEPS, EPOCHS, KILLS = 240, 6, 4
SAVES = 6               # in an epoch of the training that is killed
OTHER_WORKERS = 2       # instead of none
LOOKED_AT = 3           # lines of code that are shown, …
LONGEST = 100           # letters of each
DIFFERS = 3
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = _options(argv)
    setup.require()
    for number in (signal.SIGTERM, signal.SIGHUP):      # as Ctrl-C: nothing is left behind
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    epochs = min(EPOCHS, options.steps)
    try:
        with Trainings(Repository.at(ROOT), _seed(), epochs, -(-options.steps // epochs)) as trainings:
            trainings.keep = options.keep
            result = _examine(trainings, options)
    except OSError as error:
        raise Refusal(f'the selftest cannot go on: {error.filename or ROOT}: {error.strerror}') from None
    result['seconds'] = round(time.monotonic() - began, 1)
    print(json.dumps(result, indent=2) if options.json else printable(_report(result)))
    if trainings.keep:
        say(f'kept: {quote(trainings.place)}')
    return _exit_code(result['checks'].values())


def _options(argv):
    options = parser('selftest', __doc__, EXAMPLES)
    options.add_argument('check', nargs='*', help=f'{", ".join(CHECKS)}; all three if none is given')
    options.add_argument('--steps', type=int, default=STEPS, help=f'training steps, about; {STEPS} if not given')
    options.add_argument('--kills', type=int, default=KILLS, help=f'how often it is killed; {KILLS} if not given')
    options.add_argument('--seed', type=int, help='draws the steps at which it is killed; a fresh one if not given')
    options.add_argument('--keep', action='store_true', help='keep the trainings, in __result__/.selftest-…')
    options.add_argument('--json', action='store_true', help='the report as JSON')
    found = options.parse_args(argv)
    unknown = [word for word in found.check if word not in CHECKS]
    if unknown:
        options.error(f'{unknown[0]!r} is no check: {", ".join(CHECKS)} are')
    if found.steps < 2 or found.kills < 1:
        options.error('--steps takes a number of 2 or more, --kills one of 1 or more')
    found.seed = prepare.fresh_seed() if found.seed is None else found.seed
    return found


def _seed():
    """The seed of the trainings: the one in code/seed."""
    place = ROOT / 'code' / 'seed'
    return prepare.read_seed(place.read_bytes() if place.is_file() else b'')


# --- the four trainings -------------------------------------------------------------------------------------------------


def _examine(trainings, options):
    """Train untouched, then in each way that is to be checked; what --json prints, but for the seconds."""
    say('tagrun: the code as it stands, untouched …')
    untouched = _untouched(trainings)
    steps, hparam = _steps(trace.lines(untouched)[0]), statistic.read(untouched)['hparam']
    result = {'exact': None, 'steps': sum(steps), 'epochs': len(steps), 'workers': _workers(hparam), 'seed': options.seed,
              'save_every': max(1, max(steps) // SAVES)}
    result['kills'] = _moments(steps, options.kills, result['save_every'], random.Random(options.seed))
    wanted = [name for name in CHECKS if name in options.check or not options.check]
    result['checks'] = {name: _checked(name, trainings, untouched, result) for name in wanted}
    result['exact'] = _exit_code(result['checks'].values()) == 0
    _explain(result['checks'], hparam, suspects.find(trainings.files))
    return result


def _workers(hparam):
    """[data workers untouched, otherwise], or None where config.py has no such number."""
    count = hparam.get('workers')
    return [count, 0 if count else OTHER_WORKERS] if isinstance(count, int) else None


def _untouched(trainings):
    try:
        return trainings.train()
    except Failed as error:
        trainings.keep = True
        raise Refusal(f'the untouched training failed: {error}\n  its log: {quote(trainings.place / "0" / "log")}') from None


def _checked(name, trainings, untouched, result):
    """{'exact': …, 'first_difference': …} of a check; {'exact': False, 'failed': why}; {'exact': None, 'untested': why}."""
    if name == 'workers' and not result['workers']:
        return {'exact': None, 'untested': 'config.py has no number `workers`'}
    say(f'tagrun: {CHECKS[name]} …')
    try:
        found = difference.between(_train(name, trainings, result), untouched)
    except Failed as error:
        trainings.keep = True
        return {'exact': False, 'failed': str(error)}
    return {'exact': not found, **({'first_difference': found} if found else {})}


def _train(name, trainings, result):
    """The folder of a check's training."""
    if name == 'rerun':
        return trainings.train()
    if name == 'workers':
        return trainings.train(workers=result['workers'][1])
    folder, result['kills'] = trainings.train_killed(result['kills'], result['save_every'])
    return folder


def _moments(steps, count, save, generator):
    """At which [epochs, steps] done so far it is killed, rising: one is an epoch's end, the others lie within epochs.

    steps: those of each epoch. Within means after two saves of that epoch: the first is then on disk, and is what `continue` finds.
    """
    ends, within, done = [], [], 0
    for epoch, number in enumerate(steps):
        within += [[epoch, done + step] for step in range(2 * save + 1, number + 1)]
        done += number
        ends.append([epoch + 1, done])
    at_ends = generator.sample(ends, 1 if count > 1 or not within else 0)
    return sorted(at_ends + generator.sample(within, min(count - len(at_ends), len(within))))


def _steps(lines):
    """The steps of each epoch, from the lines of the trace. Raises Refusal if there are none."""
    counts = Counter(int(epoch) for epoch, step, *_ in (line.split(',') for line in lines) if step)
    if not counts:
        raise Refusal("the untouched training made no step in a phase named 'train': there is nothing to compare")
    return [counts[epoch] for epoch in sorted(counts)]


# --- what is said ---------------------------------------------------------------------------------------------------------


def _explain(checks, hparam, found):
    """Add cause and cure to the checks that differ. While a rerun differs no other difference can be told from that one."""
    differences = {name: check.get('first_difference') for name, check in checks.items()}
    for name, check in checks.items():
        if differences[name] and (name == 'rerun' or not differences.get('rerun')):
            key = causes.of(name, differences, hparam, found)
            cause = causes.CAUSES[key]
            check.update(cause=key, why=cause.what, cure=cause.cure)
            check['look_at'] = [f'code/{suspect.file}:{suspect.line}  {suspect.text[:LONGEST]}' for suspect in causes.looked_at(key, found)]


def _report(result):
    lines, told = [], set()
    for name, check in result['checks'].items():
        word = 'exact' if check['exact'] else next((word for word in ('untested', 'failed') if word in check), 'differs').upper()
        lines.append(f'{name:<8} {word:<9} {check.get("untested") or _how(name, result)}')
        lines += [f'{"":<18} {line}' for line in _why(check, told)]
    steps = f'{plural(result["steps"], "step")} of each training, in {duration(result["seconds"])}'
    return '\n'.join([*lines, f'{"exact" if result["exact"] else "not exact"}: {steps}'])


def _how(name, result):
    """What was done to the training, beside what came of it."""
    if name == 'resume':
        steps = [str(step) for _, step in result['kills']]
        return f'killed with -9 after {"step" if len(steps) == 1 else "steps"} {", ".join(steps)}, and continued (--seed {result["seed"]})'
    if name == 'workers':
        return '{1} data workers instead of {0}'.format(*result['workers'])
    return 'in another process, with the same seed'


def _why(check, told):
    """Lines on a check that is not exact. told: the causes that were explained above."""
    if 'failed' in check:
        return [check['failed']]
    if 'first_difference' not in check:
        return []
    found = check['first_difference']
    lines = [f'first    {verdict.WORDS.get(found["stream"], found["stream"])}{verdict.place(found)}: {found["here"]}, untouched {found["there"]}']
    if 'cause' not in check:
        return [*lines, 'cause    it may be that of the rerun: mend that first, then `selftest` again']
    if check['cause'] in told:
        return [*lines, 'cause    the same as above']
    told.add(check['cause'])
    return [*lines, f'cause    {check["why"]}', f'cure     {check["cure"]}',
            *(f'{"look at" if not number else "":<8} {line}' for number, line in enumerate(check['look_at'][:LOOKED_AT]))]


def _exit_code(checks):
    found = [check['exact'] for check in checks if 'failed' not in check and 'untested' not in check]
    if False in found:
        return DIFFERS
    return 0 if found and not any('failed' in check for check in checks) else 1
