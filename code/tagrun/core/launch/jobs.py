"""Remember which run an engine has (job.json in its folder), and ask engines how they are.

    {"engine": "slurm", "id": "17_2"}

An engine is not asked about a run that has ended, or that is trained here: the run's own files say
so.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tagrun.core.cli.messages import UserError, did_you_mean, echo
from tagrun.core.git.repository import Repository
from tagrun.core.launch import engines
from tagrun.store import evaluations, jsonfile, statistic

if TYPE_CHECKING:
    from tagrun.core.compare.run_status import RunStatus

NAME = 'job.json'
QUEUED, RUNNING = 'queued', statistic.RUNNING
# as the files have it: the run may be queued to go on
UNSURE = (statistic.CREATED, statistic.INTERRUPTED, statistic.KILLED, statistic.FAILED)
ID = '[0-9A-Za-z][0-9A-Za-z_.-]{0,99}'


class Job(NamedTuple):
    """What an engine calls a run."""

    engine: str
    id: str


def write(folder: Path, engine: str, number: str) -> None:
    """Write that the run was given to an engine, which calls it `number`."""
    jsonfile.write(folder / NAME, {'engine': engine, 'id': str(number)})


def read(folder: Path) -> Job | None:
    """Return the run's last job; None where there was none, or the file cannot be read."""
    try:
        content = jsonfile.read(folder / NAME)
    except (OSError, ValueError):
        return None
    engine, number = content.get('engine'), content.get('id')
    if engine not in engines.names() or not isinstance(number, str):
        return None
    return Job(engine, number) if re.fullmatch(ID, number) else None


def read_all(folders: Iterable[Path]) -> dict[str, Job]:
    """Return {'t1/0': Job} of those runs, or evaluations, that have one."""
    jobs = {str(evaluations.of_folder(folder)): read(folder) for folder in folders}
    return {name: job for name, job in jobs.items() if job}


def with_engine_states(root: Path, statuses: 'list[RunStatus]') -> 'list[RunStatus]':
    """Return run_status's list with the engines' states where these know more.

    That is queued, or running on another machine.
    """
    unsure = [status for status in statuses if status.state in UNSURE]
    folders = [status.run.folder(root) for status in unsure]
    known = states(root, read_all(folders))
    return [status._replace(state=known.get(status.name, status.state)) for status in statuses]


def states(root: Path, jobs: Mapping[str, Job]) -> dict[str, str]:
    """Return {run: QUEUED or RUNNING} of those of the jobs, {run: Job}, that their engines have.

    An engine that does not answer is named on the screen.
    """
    of_runs = {}
    for engine in sorted({job.engine for job in jobs.values()}):
        of_engine = {name: job.id for name, job in jobs.items() if job.engine == engine}
        try:
            known = engines.load(engine).states(root, set(of_engine.values()))
        except UserError as refusal:
            echo(f'tagrun: {engine} does not say how its runs are: {refusal}')
            continue
        for name, number in of_engine.items():
            if number in known:
                of_runs[name] = known[number]
    return of_runs


def refuse_second(root: Path, folders: list[Path]) -> None:
    """Raise UserError if an engine has one of the runs already."""
    jobs = read_all(folders)
    for name, state in states(root, jobs).items():
        raise UserError(
            f'{name} is {state} already, as job {jobs[name].id} of {jobs[name].engine}: '
            f'`tagrun stop {name}` cancels it'
        )


# --- settings of an engine ---------------------------------------------------------------------


class Option(argparse.Action):
    """--slurm key=value, as often as one likes. It chooses the engine, too."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the value to those before it."""
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])
        namespace.on = self.dest


def settings(
    repository: Repository,
    engine: str,
    words: Iterable[str] | None,
    known: Mapping[str, tuple[str, str]],
) -> dict[str, str]:
    """Return {key: value} of `git config tagrun.<engine>.<key>` and the command line, which wins.

    words: of the command line, ['key=value', …]. known: {key: (pattern, an example of it)}. A value
    matches its pattern from end to end, so that nothing else gets into a command. Raises UserError
    for any other.
    """
    pairs = [
        (f'git config tagrun.{engine}.{key}', key, value)
        for key, value in repository.settings(engine).items()
    ]
    for word in words or []:
        key, _, value = word.partition('=')
        pairs.append((f'--{engine} {word}', key, value))
    for where, key, value in pairs:
        _check_setting(engine, where, key, value, known)
    return {key: value for _, key, value in pairs}


def _check_setting(
    engine: str, where: str, key: str, value: str, known: Mapping[str, tuple[str, str]]
) -> None:
    if key not in known:
        hint = did_you_mean(key, known) or f' It has {", ".join(known)}'
        raise UserError(f'{where}: {engine} has no setting {key!r}.{hint}')
    pattern, example = known[key]
    if not re.fullmatch(pattern, value, re.ASCII):
        raise UserError(f'{where}: {value!r} is not a valid {key}; e.g. {example}')
