"""Examine whether the researcher's own code is exact: killed, repeated, with other data workers.

    result = selftest.examine(runs, Plan(('resume',), kill_count=4, seed=4711))
    selftest.exit_code(result['checks'].values())

It trains four times and compares trace, history and last weights with those of the untouched
training. `command/selftest.py` prints what it returns.
"""

import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.check import diagnosis, nondeterminism_lint, written_files
from tagrun.core.check.diagnosis import Evidence
from tagrun.core.check.nondeterminism_lint import Suspect
from tagrun.core.check.selftest_runs import Moment, SelftestRuns, TrainingFailed
from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.compare import first_divergence, surroundings
from tagrun.store import selftest_notes, statistic

CHECKS = {
    'resume': 'killed at random moments and continued',
    'rerun': 'again, with the same seed',
    'workers': 'with another number of data workers',
}
SAVES = 6  # in an epoch of the training that is killed
OTHER_WORKERS = 2  # instead of none
LONGEST = 100  # characters of a line of code that is shown
DIFFERS = 3
TRAIN = 'train'  # the phase that trains
SAVES_IN_EVALUATION = 2  # in each phase: training/short_run.py
NO_LOADER = (
    'there is no DataLoader to give workers to: the batches come from elsewhere, e.g. a list or a '
    'generator'
)
NO_WORKERS = 'the other number reached no DataLoader: each had as many workers as before'


class Plan(NamedTuple):
    """What is to be examined. seed: it draws the steps at which the training is killed."""

    checks: tuple[str, ...]
    kill_count: int
    seed: int


# ---- The trainings ----


def examine(runs: SelftestRuns, plan: Plan) -> dict[str, Any]:
    """Train untouched, then in each way that is to be checked; return what --json prints.

    Raises UserError if the untouched training fails.
    """
    echo('tagrun: the code as it is, untouched …')
    before = written_files.look(runs.root)
    untouched = _train_untouched(runs)
    notes = selftest_notes.read(untouched)
    steps = steps_of_epochs(notes['moments'])
    hparam = statistic.read(untouched)['hparam']
    save_every = max(1, max(steps) // SAVES)
    moments = kill_moments(notes['moments'], plan.kill_count, save_every, random.Random(plan.seed))
    result: dict[str, Any] = {
        'exact': None,
        'steps': sum(steps),
        'epochs': len(steps),
        'workers': worker_counts(hparam),
        'seed': plan.seed,
        'save_every': save_every,
        'kills': moments,
    }
    names = [name for name in CHECKS if name in plan.checks or not plan.checks]
    checks: dict[str, dict[str, Any]] = {}
    for name in names:
        checks[name] = check(name, runs, untouched, result)
    result['checks'] = checks
    result['exact'] = exit_code(checks.values()) == 0
    suspects = nondeterminism_lint.find(runs.files)
    result['written'] = written_files.changed(before, written_files.look(runs.root))
    result['outside'] = [_shown(suspect) for suspect in suspects if suspect.kind == 'environment']
    evidence = Evidence({}, notes['unsaved'], notes['changing'], result['written'])
    _add_causes(checks, hparam, suspects, evidence)
    return result


def _train_untouched(runs: SelftestRuns) -> Path:
    try:
        return runs.train()
    except TrainingFailed as error:
        runs.is_kept = True
        log = quote(runs.folder / '0' / 'log')
        raise UserError(f'the untouched training failed: {error}\n  its log: {log}') from None


def check(name: str, runs: SelftestRuns, untouched: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Train in the way that a check asks for, and compare.

    Returns {'exact': True}, {'exact': False, 'first_difference': …}, {'exact': False, 'failed':
    why} or {'exact': None, 'untested': why}; and 'arguments' that were not as untouched. result: as
    in `examine`; a training that ends before the last kill changes its 'kills'.
    """
    reason = _not_applicable(name, untouched, result)
    if reason:
        return {'exact': None, 'untested': reason}
    echo(f'tagrun: {CHECKS[name]} …')
    try:
        folder = _train(name, runs, result, untouched)
    except TrainingFailed as error:
        runs.is_kept = True
        return {'exact': False, 'failed': str(error)}
    reason = _not_done(name, folder, untouched, result)
    if reason:
        return {'exact': None, 'untested': reason}
    outcome: dict[str, Any] = {'exact': True}
    difference = first_divergence.between(folder, untouched)
    if difference:
        outcome = {'exact': False, 'first_difference': difference}
    arguments = _other_arguments(folder, untouched, name)
    return {**outcome, 'arguments': arguments} if arguments else outcome


def _not_applicable(name: str, untouched: Path, result: dict[str, Any]) -> str | None:
    """Return why a check cannot be made of this code; None where it can."""
    if name == 'resume' and not result['kills']:
        return 'the training is too short to be killed'
    if name != 'workers':
        return None
    if not result['workers']:
        return f'config.py has no number `{diagnosis.WORKERS[0]}`'
    return None if selftest_notes.read(untouched)['workers'] else NO_LOADER


def _not_done(name: str, folder: Path, untouched: Path, result: dict[str, Any]) -> str | None:
    """Return why a training did not test what it should; None where it did."""
    if name == 'resume' and not result['kills']:
        return 'the training ended before the step at which it was to be killed'
    workers = [selftest_notes.read(each)['workers'] for each in (untouched, folder)]
    if name == 'workers' and workers[0] == workers[1]:
        return NO_WORKERS
    return None


def _other_arguments(folder: Path, untouched: Path, name: str) -> dict[str, list[Any]]:
    """Return {argument: [here, untouched]} of those that were not trained as untouched."""
    trained = [statistic.read(each)['hparam'] for each in (folder, untouched)]
    changed = _workers_argument(trained[1]) if name == 'workers' else None
    pairs = surroundings.pairs(*trained)
    return {argument: values for argument, values in pairs.items() if argument != changed}


def _train(name: str, runs: SelftestRuns, result: dict[str, Any], untouched: Path) -> Path:
    """Return the folder of a check's training."""
    if name == 'rerun':
        return runs.train()
    if name == 'workers':
        argument = _workers_argument(statistic.read(untouched)['hparam'])
        return runs.train(**{str(argument): result['workers'][1]})
    folder, result['kills'] = runs.train_killed(result['kills'], result['save_every'])
    return folder


def _workers_argument(hparam: dict[str, Any]) -> str | None:
    """Return the name of the argument that is the number of data workers."""
    names = [name for name in diagnosis.WORKERS if isinstance(hparam.get(name), int)]
    return names[0] if names else None


def worker_counts(hparam: dict[str, Any]) -> list[int] | None:
    """Return [data workers untouched, otherwise]; None where config.py has no such number."""
    name = _workers_argument(hparam)
    if name is None:
        return None
    count = hparam[name]
    return [count, 0 if count else OTHER_WORKERS]


def kill_moments(
    moments: list[Moment], count: int, save_every: int, generator: random.Random
) -> list[Moment]:
    """Return at which of its moments to kill a training, in their order.

    Most lie within training, after two saves of the epoch: the first is then on disk, and
    `continue` finds it. Of two or more, one lies within an evaluation, again after two saves where
    there are so many; of three or more one is an epoch's end.
    """
    ends = [moment for moment in moments if moment[2] is None]
    training = [moment for moment in moments if moment[2] == TRAIN and moment[3] > 2 * save_every]
    evaluation = _within_evaluation(moments)
    drawn = generator.sample(evaluation, min(len(evaluation), 1 if count > 1 else 0))
    drawn += generator.sample(ends, min(len(ends), 1 if count > 2 else 0))
    drawn += generator.sample(training, min(len(training), count - len(drawn)))
    if not drawn:
        drawn = generator.sample(ends, min(len(ends), 1))
    return [moment for moment in moments if moment in drawn]


def _within_evaluation(moments: list[Moment]) -> list[Moment]:
    """Return the moments in phases that do not train: those after two saves, if there are any."""
    phases = [moment for moment in moments if moment[2] not in (TRAIN, None)]
    saves: Counter[int] = Counter()
    late = []
    for moment in phases:
        saves[moment[0]] += moment[3] <= SAVES_IN_EVALUATION
        if saves[moment[0]] > 1:
            late.append(moment)
    return late or phases


def steps_of_epochs(moments: Iterable[Moment]) -> list[int]:
    """Return the training steps of each epoch; the batches, where no phase is named 'train'.

    Raises UserError if there are none.
    """
    batches = [moment for moment in moments if moment[2] is not None]
    training = [moment for moment in batches if moment[2] == TRAIN]
    if not batches:
        raise UserError('the untouched training had no batch: there is nothing to compare')
    counts = Counter(moment[0] for moment in training or batches)
    return [counts[epoch] for epoch in sorted(counts)]


# ---- What came of it ----


def _add_causes(
    checks: dict[str, dict[str, Any]],
    hparam: dict[str, Any],
    suspects: list[Suspect],
    evidence: Evidence,
) -> None:
    """Add cause and remedy to the checks that differ.

    While a rerun differs, no other difference can be distinguished from that one.
    """
    differences = {name: result.get('first_difference') for name, result in checks.items()}
    for name, result in checks.items():
        if differences[name] and (name == 'rerun' or not differences.get('rerun')):
            of_check = evidence._replace(arguments=result.get('arguments', {}))
            key = diagnosis.diagnose(name, differences, hparam, suspects, of_check)
            what, remedy = diagnosis.describe(key, of_check)
            result.update(cause=key, why=what, remedy=remedy)
            result['look_at'] = [_shown(each) for each in diagnosis.relevant(key, suspects)]


def _shown(suspect: Suspect) -> str:
    return f'code/{suspect.file}:{suspect.line}  {suspect.text[:LONGEST]}'


def exit_code(checks: Iterable[dict[str, Any]]) -> int:
    """Return DIFFERS if a check differs, 0 if all that ran are exact, 1 if one could not run."""
    checks = list(checks)
    has_failed = any('failed' in check for check in checks)
    outcomes = [
        check['exact'] for check in checks if 'failed' not in check and 'untested' not in check
    ]
    if False in outcomes:
        return DIFFERS
    return 0 if outcomes and not has_failed else 1
