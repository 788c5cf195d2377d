"""Evaluate a trained run: its own frozen code, on its own or another split or data set.

    folder = create(repository, RunRef('t1', 0), Request(which='best', phases=('test',)))
    code = evaluate_here(repository, folder)
    again = create_again(repository, EvaluationRef.parse('t1/0/evaluation/0'))

The folder is <run folder>/evaluation/<n>; store/evaluations.py. While it is evaluated, its
checkpoint/ has a hard link to the chosen checkpoint, which a run that still trains may delete.
Nothing here writes to the run's own files, but for its code/ where that was changed.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, echo, figure, quote
from tagrun.core.compare import run_files, surroundings
from tagrun.core.git.repository import Repository
from tagrun.core.launch import evaluation_verdict, rerun_verdict, resume, training_process
from tagrun.core.launch.ownership import Owned
from tagrun.core.record import config_probe, config_text, contract, frozen_copy, snapshot
from tagrun.core.record.plan import CONFIG
from tagrun.store import (
    arguments,
    atomic,
    beneath,
    checkpoints,
    evaluations,
    jsonfile,
    run_json,
    statistic,
)
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
TRIES = 5  # to link a checkpoint that a run at work may just be replacing


class Request(NamedTuple):
    """What is to be evaluated of a run."""

    which: str = ''  # a checkpoint, as checkpoints.named takes it; '': the best, else the last
    phases: tuple[str, ...] = ()  # (): all of config.py's but train
    settings: Mapping[str, str] = NO_SETTINGS  # of --set: {name: text as typed}


class Plan(NamedTuple):
    """What an evaluation will do, before anything is made."""

    run: RunRef
    info: dict[str, Any]  # the run's run.json
    checkpoint: str  # the file's name
    phases: list[str] | None
    settings: dict[str, Any]  # values that replace config.py's

    def __str__(self) -> str:
        phases = ', '.join(self.phases) if self.phases else 'all phases but train'
        values = ''.join(f'  {name}={value!r}' for name, value in self.settings.items())
        return f'{self.run}:{Path(self.checkpoint).stem}  {phases}{values}'


def make_plan(repository: Repository, run: RunRef, request: Request) -> Plan:
    """Return what an evaluation of a run will do. Raises UserError for what cannot be done."""
    info = _read_run(repository, run)
    name = _checkpoint(repository.root, run, request.which)
    settings = _values(repository, info, request.settings)
    return Plan(run, info, name, list(request.phases) or None, settings)


def create(repository: Repository, run: RunRef, request: Request) -> Path:
    """Prepare an evaluation of a run; return its folder. Raises UserError."""
    for _ in range(TRIES):
        planned = make_plan(repository, run, request)
        digest = checkpoints.listed(run.folder(repository.root)).get(planned.checkpoint)
        with contextlib.suppress(FileNotFoundError):
            if digest:
                return _create(repository, planned, digest, None)
    raise UserError(f'{run}: it replaces its checkpoints faster than one can be read: try again')


def create_again(repository: Repository, original: EvaluationRef) -> Path:
    """Prepare an evaluation that repeats another one; return its folder. Raises UserError."""
    folder = original.folder(repository.root)
    request = _read(folder)[run_json.EVALUATE]
    if state(folder) != statistic.FINISHED:
        raise UserError(
            f'{original} did not finish, so there is nothing to compare with: '
            f'`tagrun evaluate {original}` makes it'
        )
    info = _read_run(repository, original.run)
    name, digest = request['checkpoint'], request['sha256']
    listed = checkpoints.listed(original.run.folder(repository.root))
    if listed.get(name) != digest:
        what = 'is another one now' if name in listed else 'is not here any more'
        raise UserError(
            f'{original} measured {name} of {original.run}, and that {what}: '
            f'`tagrun evaluate {original.run}` measures the best one that is here'
        )
    planned = Plan(original.run, info, name, request['phases'], request['set'])
    return _create(repository, planned, digest, original.number)


def _read_run(repository: Repository, run: RunRef) -> dict[str, Any]:
    """Return the run.json of a run that can be evaluated. Raises UserError."""
    info = resume.read_resumable(repository, run.folder(repository.root))
    if contract.EVALUATE not in contract.features(repository, info['commit']):
        raise UserError(
            f'{run}: its code is older than `evaluate`: `tagrun expls {run}` shows what it '
            'measured, and a run with the code/tagrun of today can be evaluated'
        )
    return info


def _checkpoint(root: Path, run: RunRef, which: str) -> str:
    """Return the file name of a checkpoint of a run. Raises UserError."""
    if not which:
        which = 'best' if checkpoints.best(run.folder(root)) else 'last'
    return selectors.checkpoint(root, f'{run}:{which}')[1]


def _values(
    repository: Repository, info: dict[str, Any], settings: Mapping[str, str]
) -> dict[str, Any]:
    """Return {name: value} of --set, and of what config.py computes from these.

    Raises UserError for an unknown name, another type, or a value that config.py would not have.
    """
    if not settings:
        return {}
    source = (repository.file(info['commit'], CONFIG) or b'').decode(errors='replace')
    sources = [source, config_text.changed(source, settings)]
    files = snapshot.read(repository, info['commit'])
    before, after = config_probe.evaluate(repository.root, files, info['seed'], sources)
    wanted = config_text.values_of(source, settings)
    for name, value in arguments.differing(after.values, wanted).items():
        raise UserError(
            f'{run_json.name(info)}: its config.py makes {name} {value!r} after its own line, so '
            f'--set {name}={wanted[name]!r} would change nothing'
        )
    changed = arguments.differing(before.values, after.values)
    return {name: after.values[name] for name in {**wanted, **changed}}


# --- its folder ----------------------------------------------------------------------------------


def _create(repository: Repository, planned: Plan, digest: str, rerun_of: int | None) -> Path:
    """Claim a folder and write its files, run.json last: without it there is no evaluation."""
    run_folder = planned.run.folder(repository.root)
    try:
        number, folder = evaluations.claim(run_folder)
    except OSError as error:
        raise UserError(f'{run_folder} cannot be written: {error.strerror}') from None
    try:
        _link_checkpoint(run_folder, planned.checkpoint, digest, folder)
    except FileNotFoundError:
        shutil.rmtree(folder)
        raise
    info, run = planned.info, planned.run
    evaluate = {
        'id': number,
        'checkpoint': planned.checkpoint,
        'sha256': digest,
        'phases': planned.phases,
        'set': planned.settings,
        'rerun_of': rerun_of,
    }
    # what the code asks for with run.weights_of is what the run took
    taken = {'inputs': info.get('inputs', {})}
    more = run_json.settings(info) | taken | {run_json.EVALUATE: evaluate}
    content = run_json.build(
        repository.root, run.tag, run.number, info['commit'], info['seed'], **more
    )
    run_json.write(folder, content)
    return folder


def _link_checkpoint(run_folder: Path, name: str, digest: str, folder: Path) -> None:
    """Put a checkpoint of the run, with its shards, into an evaluation's folder.

    Raises FileNotFoundError where the run has just deleted it.
    """
    source, target = (path / checkpoints.FOLDER for path in (run_folder, folder))
    beneath.make_folder(target)
    atomic.copy(source / name, target / name)
    shards = checkpoints.shards(name)
    if (source / shards).is_dir():
        shutil.copytree(source / shards, target / shards, copy_function=atomic.copy)
    checkpoints.write_sums(folder, {name: digest})


def remove_checkpoint(folder: Path) -> None:
    """Remove an evaluation's link to its checkpoint: it is measured."""
    shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)


def _read(folder: Path) -> dict[str, Any]:
    """Return the run.json of an evaluation. Raises UserError."""
    try:
        return run_json.read(folder)
    except (OSError, ValueError) as error:
        why = getattr(error, 'strerror', None) or error
        raise UserError(f'{quote(folder / run_json.NAME)} cannot be read: {why}') from None


# --- evaluate ------------------------------------------------------------------------------------


def evaluate_here(repository: Repository, folder: Path) -> int:
    """Make the evaluation that was prepared in `folder`; return the exit code.

    0 also where it is made already; 3 where it differs from the one that it repeats. Raises
    UserError.
    """
    # of a finished one no file is touched
    if _is_finished(folder, _read(folder)):
        return 0
    with Owned(folder) as owned:
        return evaluate_owned(repository, owned)


def evaluate_owned(repository: Repository, owned: Owned) -> int:
    """Make an evaluation that we own, as `evaluate_here`."""
    folder = owned.folder
    info, run_folder = _read(folder), folder.parents[1]
    # another process may have made it until just before
    if _is_finished(folder, info):
        return 0
    frozen_copy.repair(repository, run_folder, info['commit'])
    _restore_checkpoint(run_folder, folder, info)
    before = statistic.read_or_none(folder)
    code = training_process.train(repository.root, run_folder, owned, info['seed'])
    if training_process.is_still_owned(folder, code):
        return 1
    training_process.say_last_words(folder, info, code)
    code = training_process.write_ending(folder, info, code, before, owned.asked)
    if code != training_process.RESUMABLE and code <= training_process.KILLED:
        remove_checkpoint(folder)
    if code:
        return code
    if info[run_json.EVALUATE]['rerun_of'] is not None:
        return evaluation_verdict.report(repository.root, folder, info)
    _say_surroundings(repository.root, folder, info)
    return 0


def _is_finished(folder: Path, info: dict[str, Any]) -> bool:
    """Return whether an evaluation is made, and say so."""
    if state(folder) != statistic.FINISHED:
        return False
    name = run_json.name(info)
    echo(f'{name} is finished: `rerun {name} -f` makes it again')
    return True


def _say_surroundings(root: Path, folder: Path, info: dict[str, Any]) -> None:
    """Say what is not as it was when the run was trained: packages, machine, data."""
    run = run_json.ref(info)
    files = run_files.read(root, run), run_files.read_folder(run, folder)
    groups = surroundings.differences(*files)
    # what was set is in config, and may be meant to change the data
    hidden = ['config', 'inputs', *(['data'] if info[run_json.EVALUATE]['set'] else [])]
    shown = {group: pairs for group, pairs in groups.items() if group not in hidden}
    lines = rerun_verdict.difference_lines(shown)
    if lines:
        echo(f'tagrun: not as when {run} was trained; the same bits are not promised:')
    for line in lines:
        echo(f'  {line}')


def _restore_checkpoint(run_folder: Path, folder: Path, info: dict[str, Any]) -> None:
    """Link the checkpoint again, where an earlier end of this evaluation removed it."""
    request = info[run_json.EVALUATE]
    name, digest = request['checkpoint'], request['sha256']
    if checkpoints.listed(folder).get(name) == digest:
        return
    remove_checkpoint(folder)
    if checkpoints.listed(run_folder).get(name) == digest:
        _link_checkpoint(run_folder, name, digest, folder)
        return
    raise UserError(
        f'{run_json.name(info)}: {run_json.ref(info)} does not have that {name} any more: '
        f'`tagrun evaluate {run_json.ref(info)}` measures the best one that is here'
    )


def state(folder: Path) -> str:
    """Return what an evaluation is doing; killed where its statistic.json is invalid."""
    try:
        return str(statistic.state(folder))
    except (OSError, ValueError):
        return statistic.KILLED


def result_parts(folder: Path) -> list[str]:
    """Return ['t1/0:epoch_3', 'test/loss 0.4123', …, '-> __result__/t1/0/evaluation/0']."""
    content = statistic.read_or_none(folder) or {}
    run = RunRef.of_folder(folder.parents[1])
    name = f'{run}:{Path(str(content.get("checkpoint"))).stem}'
    numbers = {key: jsonfile.number(value) for key, value in content.get('metric', {}).items()}
    figures = [f'{key} {figure(value)}' for key, value in numbers.items()]
    return [name, *figures, f'-> {quote(os.path.relpath(folder))}']
