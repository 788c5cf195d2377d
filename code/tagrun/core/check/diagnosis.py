"""Guess why a training is not exact: the usual cause, its remedy, and the lines of code to look at.

    key = diagnosis.diagnose('resume', differences, hparam, nondeterminism_lint.find(files))
    what, remedy = diagnosis.describe(key, evidence)

It is a rule of thumb, from the check that failed, the stream that differed first, what the
trainings noted, and lines of code that look like a cause. It changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tagrun.core.check.nondeterminism_lint import Suspect

DATA = ('order', 'batch')  # streams of trace.csv that are made before the model gets anything
# what config.py calls the number of data workers: today, and in older projects
WORKERS = ('num_workers', 'workers')


class Evidence(NamedTuple):
    """What the trainings of a selftest noted, besides where they differ."""

    arguments: Mapping[str, Sequence[Any]] = {}  # as trained: {name: [here, untouched]}
    unsaved: Sequence[Mapping[str, str]] = ()  # objects: store/selftest_notes.py
    changing: Sequence[str] = ()  # attributes of models that no checkpoint holds
    files: Sequence[str] = ()  # that a training wrote or changed in the project


NO_EVIDENCE = Evidence()
SHOWN = 3


class Cause(NamedTuple):
    """kinds: of suspects (nondeterminism_lint.py) that speak for it, the strongest first."""

    what: str
    remedy: str
    kinds: tuple[str, ...]


CAUSES = {
    'unseeded': Cause(
        'a generator of its own that is not seeded: random.Random(), np.random.default_rng(), '
        'torch.Generator().seed(), os.urandom, …',
        'draw from the global generators (random, np.random, torch), which Tagrun seeds; or seed '
        'your own from args.seed and the epoch',
        ('unseeded',),
    ),
    'clock': Cause(
        'the time of day, or how long something took, goes into the computation',
        'count steps (state.step) or epochs (state.epoch) instead of seconds',
        ('clock',),
    ),
    'hash': Cause(
        'the order of a set, or hash() of a string: Python changes both from process to process',
        'sorted(…) around the set; zlib.crc32 instead of hash()',
        ('hash',),
    ),
    'argument': Cause(
        'an argument of config.py is not the same in each training',
        'write its value in config.py, without the environment, a file, the time or chance; '
        '`--set` gives it another one and records that',
        ('environment', 'unseeded', 'clock', 'file'),
    ),
    'file': Cause(
        'a file that is read outside the dataset, and that is not the same each time: a cache, a '
        'counter or a log that the training itself writes',
        'keep on the state what a later step needs; or write such a file once, before any run, '
        'and read it in dataloader.py',
        ('written', 'file'),
    ),
    'environment': Cause(
        'a variable of the environment goes into the computation: no record has its value',
        'make it an argument: a line with its value in config.py; `--set` gives it another one and '
        'records that',
        ('environment',),
    ),
    'operator': Cause(
        'no usual cause was recognized: something from outside the seed (a path, the number of a '
        'process, another program), or at last an operator that is not deterministic',
        "determinism = 'exact' in config.py makes every operator deterministic or names the one "
        'that is not; let no thread of your own add up floats',
        (),
    ),
    'unsaved': Cause(
        'an object on the state whose tensors no checkpoint holds',
        'write a state_dict and a load_state_dict that have them',
        ('object', 'module'),
    ),
    'draws': Cause(
        'a sample draws from the global generators, whose state is another in each data worker, '
        'and the Loader has stochastic=False (or is a plain DataLoader)',
        'Loader(…, stochastic=True) in dataloader.py: then what a sample draws depends on the '
        'seed, the epoch and its index alone',
        ('draw', 'draws'),
    ),
    'iterable': Cause(
        'each data worker reads an IterableDataset of its own: which samples come, and in which '
        'order, depends on the number of workers',
        'let __iter__ give each worker its own part (torch.utils.data.get_worker_info()), and keep '
        'num_workers as it is; or use a dataset with __getitem__ and the Loader of tagrun.training',
        ('iterable',),
    ),
    'persistent': Cause(
        'persistent workers that draw from the global generators: their random state lives in '
        'their processes, and no checkpoint holds it',
        'Loader(…, stochastic=True) of tagrun.training instead of the plain DataLoader; or '
        'persistent_workers=False',
        ('persistent',),
    ),
    'dataset': Cause(
        'the dataset remembers earlier calls: a counter, a list, a generator that runs on; no '
        'checkpoint holds that, and each worker has its own',
        'let dataset[index] depend on the index, and draw from the global generators with '
        'stochastic=True; or put an object on the state that has it, with a state_dict and a '
        'load_state_dict',
        ('dataset', 'module', 'generator'),
    ),
    'state': Cause(
        'state that is kept outside the state object, so that no checkpoint holds it: a variable '
        'of a module, a list, a counter, a running statistic',
        'assign it to the state (self.count = 0 in state.py, state.count += 1 in epoch.py); make '
        'it a buffer of the model (register_buffer); or write a state_dict and a load_state_dict '
        'for the object that has it, and put the object on the state',
        ('module', 'object', 'generator', 'written'),
    ),
}
# What a rerun in a fresh process may show, the most frequent first.
OUTSIDE = ('unseeded', 'clock', 'hash')

# the first difference of each check, or None: {'rerun': None, 'resume': {'stream': 'loss', …}, …}
Differences = Mapping[str, Mapping[str, Any] | None]


def diagnose(
    check: str,
    differences: Differences,
    hparam: Mapping[str, Any],
    suspects: Sequence[Suspect],
    evidence: Evidence = NO_EVIDENCE,
) -> str:
    """Return the key in CAUSES for the first difference of a check.

    check: 'rerun', 'resume' or 'workers'; it must differ. hparam: the arguments of the training.
    """
    kinds = {suspect.kind for suspect in suspects}
    stream = _stream(differences, check)
    if evidence.arguments:
        return 'argument'
    if check == 'rerun':
        return _of_rerun(stream, kinds, suspects, evidence)
    if check == 'workers':
        # where resuming differs in the data too, both have the same cause
        if _stream(differences, 'resume') in DATA:
            return diagnose('resume', differences, hparam, suspects)
        return 'iterable' if 'iterable' in kinds else 'draws'
    if stream not in DATA:
        return _of_lost_state(kinds, evidence)
    if 'persistent' in kinds or (hparam.get('persistent_workers') and _workers(hparam)):
        return 'persistent'
    # Without workers a resume restores the global generators: then it is not what is drawn from
    # them.
    return 'draws' if 'draw' in kinds and _workers(hparam) != 0 else 'dataset'


def describe(key: str, evidence: Evidence = NO_EVIDENCE) -> tuple[str, str]:
    """Return (what the cause is, its remedy), with the names that the trainings noted."""
    cause = CAUSES[key]
    if key == 'unsaved' and evidence.unsaved:
        lost = evidence.unsaved[:SHOWN]
        return '; '.join(one['what'] for one in lost), '; '.join(one['remedy'] for one in lost)
    names: Sequence[str] = ()
    if key == 'argument':
        names = [f'{name} ({one} and {two})' for name, (one, two) in evidence.arguments.items()]
    elif key == 'file':
        names = evidence.files
    elif key == 'state':
        names = evidence.changing
    if not names:
        return cause.what, cause.remedy
    return f'{cause.what}: {", ".join(names[:SHOWN])}', cause.remedy


def _of_rerun(
    stream: str | None, kinds: set[str], suspects: Sequence[Suspect], evidence: Evidence
) -> str:
    """Return the cause of a difference in a fresh process: the surest sign first."""
    if _reads_own_file(suspects, evidence):
        return 'file'
    for kind in OUTSIDE:
        if kind in kinds:
            return kind
    if 'file' in kinds and (evidence.files or 'written' in kinds):
        return 'file'
    if stream in DATA:
        return 'unseeded'
    return next((kind for kind in ('file', 'environment') if kind in kinds), 'operator')


def _reads_own_file(suspects: Sequence[Suspect], evidence: Evidence) -> bool:
    """Return whether a line that reads a file names one that a training wrote."""
    names = [file.rpartition('/')[2] for file in evidence.files]
    texts = [suspect.text for suspect in suspects if suspect.kind == 'file']
    return any(name in text for name in names for text in texts)


def _of_lost_state(kinds: set[str], evidence: Evidence) -> str:
    """Return the cause where a continued training differs, and not in its data."""
    if evidence.unsaved:
        return 'unsaved'
    is_in_file = 'file' in kinds and (evidence.files or 'written' in kinds)
    is_elsewhere = evidence.changing or kinds & {'module', 'object', 'generator'}
    return 'file' if is_in_file and not is_elsewhere else 'state'


def _stream(differences: Differences, check: str) -> str | None:
    difference = differences.get(check)
    return difference['stream'] if difference else None


def _workers(hparam: Mapping[str, Any]) -> Any:
    """Return the number of data workers; None where config.py has none."""
    return next((hparam[name] for name in WORKERS if name in hparam), None)


def relevant(key: str, suspects: Sequence[Suspect]) -> list[Suspect]:
    """Return the suspects that speak for a cause, the strongest first.

    A generator with a seed is mostly harmless: it is returned only if there is no other.
    """
    kinds = CAUSES[key].kinds
    speaking = [suspect for suspect in suspects if suspect.kind in kinds]
    speaking.sort(key=lambda suspect: kinds.index(suspect.kind))
    return [suspect for suspect in speaking if suspect.kind != 'generator'] or speaking
