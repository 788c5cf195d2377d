"""Why a training is not exact, as far as one can tell from outside: the usual cause, its cure, and the lines of code to look at.

    key = causes.of('resume', differences, hparam, suspects.find(files)); CAUSES[key].cure

`differences` holds the first difference of each check, or None: {'rerun': None, 'resume': {'stream': 'loss', …}, …}. It is a guess
by rule, from the check that failed, the stream that broke first, and lines of code that look like it. It changes nothing.
"""
from typing import NamedTuple

DATA = ('order', 'batch')       # streams of trace.csv that are made before the model sees anything


class Cause(NamedTuple):
    what: str
    cure: str
    kinds: tuple    # of the suspects (suspects.py) that speak for it, the strongest first


CAUSES = {
    'unseeded': Cause(
        'a generator of its own that is not seeded: random.Random(), np.random.default_rng(), torch.Generator().seed(), os.urandom, …',
        'draw from the global generators (random, np.random, torch), which Tagrun seeds; or seed your own from args.seed and the epoch', ('unseeded',)),
    'clock': Cause(
        'the time of day, or how long something took, goes into the computation',
        'count steps (state.step) or epochs (state.epoch) instead of seconds', ('clock',)),
    'hash': Cause(
        'the order of a set, or hash() of a string: Python changes both from process to process',
        'sorted(…) around the set; zlib.crc32 instead of hash()', ('hash',)),
    'operator': Cause(
        'an operator that is not deterministic, or randomness from outside the seed',
        "determinism = 'exact' in config.py makes every operator deterministic or names the one that is not; let no thread of your own add floats up", ()),
    'draws': Cause(
        'a sample draws from the global generators, which stand elsewhere in each data worker, and the Loader was told draws=False (or is none)',
        'Loader(…, draws=True) in dataloader.py: then what a sample draws depends on the seed, the epoch and its index alone', ('draw', 'draws')),
    'persistent': Cause(
        'persistent workers that draw from the global generators: their random state lives in their processes, and no checkpoint holds it',
        'Loader(…, draws=True) of tagrun.training instead of the plain DataLoader; or persistent_workers=False', ('persistent',)),
    'dataset': Cause(
        'the dataset remembers what it was asked before: a counter, a list, a generator that runs on; no checkpoint holds that, and each worker has its own',
        'let dataset[index] depend on the index, and draw from the global generators with draws=True', ('dataset', 'module', 'generator')),
    'state': Cause(
        'state kept outside the state object, which no checkpoint holds: a variable of a module, a list, a counter, a running statistic',
        'put it on the state (self.count = 0 in state.py, state.count += 1 in epoch.py), or make it a buffer of the model (register_buffer)',
        ('module', 'object', 'generator')),
}
# What a rerun in a fresh process may trip over, the most frequent first.
OUTSIDE = ('unseeded', 'clock', 'hash')


def of(check, differences, hparam, found):
    """The key in CAUSES for the first difference of `check` ('rerun', 'resume' or 'workers'). hparam: the arguments; found: the suspects."""
    stream, kinds = differences[check]['stream'], {suspect.kind for suspect in found}
    if check == 'rerun':
        outside = next((kind for kind in OUTSIDE if kind in kinds), None)
        return outside or ('unseeded' if stream in DATA else 'operator')
    if check == 'workers':
        resume = differences.get('resume') or {}
        return of('resume', differences, hparam, found) if resume.get('stream') in DATA else 'draws'
    if stream not in DATA:
        return 'state'
    if 'persistent' in kinds or hparam.get('persistent_workers') and hparam.get('workers'):
        return 'persistent'
    # Without workers a resume puts the global generators back: then it is not what is drawn from them.
    return 'draws' if 'draw' in kinds and hparam.get('workers') != 0 else 'dataset'


def looked_at(key, found):
    """The suspects that speak for a cause, the strongest first. A generator with a seed mostly is harmless: only if there is no other."""
    kinds = CAUSES[key].kinds
    speak = sorted((suspect for suspect in found if suspect.kind in kinds), key=lambda suspect: kinds.index(suspect.kind))
    return [suspect for suspect in speak if suspect.kind != 'generator'] or speak
