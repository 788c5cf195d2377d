"""Everything that differs between two runs: inputs, code, config, seed, packages, hardware,
settings, data, where they part, and their metrics beside the noise of the seed.

    explain.compare(repository, root, run_files.read(root, one), run_files.read(root, other))

It reads what the runs left, and trains nothing. explain_text.py shows the result on one screen.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from tagrun.core.cli.messages import UserError
from tagrun.core.compare import first_divergence, seed_noise, surroundings
from tagrun.core.compare.run_files import RunFiles
from tagrun.core.compare.seed_noise import MetricDifference
from tagrun.core.compare.surroundings import Pairs
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.record import secret_rules
from tagrun.store import statistic, trace

COMPARED: dict[str, Callable[[Path], object]] = {
    'the traces': trace.epochs,
    'the metrics of each epoch': first_divergence.metrics,
    'the last weights': first_divergence.weights,
}
# the seed and the config are compared apart; the tool's own tests train nothing
PATHS = ('code', '!code/seed', '!code/config.py', '!code/tagrun/tests', '!code/tagrun/bench')
HEAD = 'diff --git '
WHOLE_FILE = ('Binary files', 'deleted file', 'new file', 'old mode', 'new mode')


class CodeDifference(TypedDict):
    """How the code of two runs differs."""

    files: dict[str, list[str]]  # {path: lines of its hunks}
    tool: list[str]  # files of code/tagrun
    unknown: str | None  # why the code cannot be compared


class Comparison(TypedDict):
    """What differs between two runs; {} or None where nothing does. `why --json` prints it."""

    runs: list[str]
    code: CodeDifference
    config: Pairs  # the arguments as trained
    seed: list[Any] | None
    inputs: Pairs
    packages: Pairs
    hardware: Pairs
    settings: Pairs
    data: Pairs
    data_unknown: list[str]  # phases of which a fingerprint is missing
    inputs_known: bool  # both recorded them
    surroundings_known: bool  # both have an environment.json
    unfinished: list[str]  # those of the two runs; they are compared as far as both go
    compared: list[str]  # those of COMPARED that both have
    first_difference: dict[str, Any] | None  # of first_divergence.py
    lost: list[str]  # what one of the two finished runs lacks, of what is compared
    metric: dict[str, MetricDifference]


def compare(repository: Repository, root: Path, one: RunFiles, other: RunFiles) -> Comparison:
    """Return what differs between two runs, without secrets.

    Raises UserError where a file that is there cannot be read.
    """
    groups = surroundings.differences(one, other)
    unfinished = [str(files.run) for files in (one, other) if _is_unfinished(files)]
    difference, lost = _first_difference(one.folder, other.folder, bool(unfinished))
    comparison: Comparison = {
        'runs': [str(one.run), str(other.run)],
        'code': _code(repository, one, other),
        'config': groups['config'],
        'seed': [one.seed, other.seed] if one.seed != other.seed else None,
        'inputs': groups['inputs'],
        'packages': groups['packages'],
        'hardware': groups['hardware'],
        'settings': groups['settings'],
        'data': groups['data'],
        'data_unknown': surroundings.data_unknown(one, other),
        'inputs_known': surroundings.inputs_known(one, other),
        'surroundings_known': bool(one.environment and other.environment),
        'unfinished': unfinished,
        'compared': _compared(one.folder, other.folder),
        'first_difference': difference,
        'lost': lost,
        'metric': seed_noise.compare(repository, root, one, other),
    }
    redacted: Comparison = secret_rules.redact_value(comparison)
    return redacted


def _first_difference(
    one: Path, other: Path, is_unfinished: bool
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return where two runs part, and what one of two finished ones lacks.

    Raises UserError where a file that is there cannot be read.
    """
    difference, lost = _compare(one, other, is_unfinished)
    if not difference and not lost:
        return None, []
    problem = first_divergence.unreadable(first_divergence.compared_files(one, other))
    if problem:
        raise UserError(f'{problem}, so the two cannot be compared')
    # a file that could not be read for a moment is read now
    return _compare(one, other, is_unfinished)


def _compare(
    one: Path, other: Path, is_unfinished: bool
) -> tuple[dict[str, Any] | None, list[str]]:
    if is_unfinished:
        return first_divergence.as_far_as_both_go(one, other), []
    return first_divergence.compared(one, other)


def _is_unfinished(files: RunFiles) -> bool:
    """Return whether a run stopped before its end, or still trains."""
    return files.statistic.get('status', statistic.FINISHED) != statistic.FINISHED


def hunks(diff: str, prefix: str) -> dict[str, list[str]]:
    """Return {path of the project: lines of its hunks} of git's diff, its heads left out.

    prefix: the project's folder in the repository, with a slash at its end, or ''.
    """
    files: dict[str, list[str]] = {}
    lines: list[str] = []
    in_hunk = False
    for line in diff.split('\n'):
        if line.startswith(HEAD):
            path = _path(line).removeprefix(prefix)
            lines, in_hunk = files.setdefault(path, []), False
        elif line.startswith('@@'):
            in_hunk = True
            lines.append(f'@@ line {_line_number(line)}')
        elif (in_hunk and line) or line.startswith(WHOLE_FILE):
            lines.append(line)
    return files


def _path(head: str) -> str:
    """Return 'new' of 'diff --git a/old b/new', where git quotes each half that needs it."""
    return re.split(' "?b/', head)[-1].removesuffix('"')


def _line_number(head: str) -> str:
    """Return '14' of '@@ -12,3 +14,5 @@ def f():'."""
    return head.split('+', 1)[1].partition(' ')[0].partition(',')[0]


def _code(repository: Repository, one: RunFiles, other: RunFiles) -> CodeDifference:
    without = [str(files.run) for files in (one, other) if not files.commit]
    if not one.commit or not other.commit:
        return _unknown(f'no commit has the code of {" and ".join(without)}')
    try:
        diff = repository.diff(one.commit, other.commit, *PATHS)
    except GitError as error:
        return _unknown(str(error))
    files = hunks(diff, repository.prefix)
    tool = [path for path in files if path.startswith('code/tagrun/')]
    own = {path: lines for path, lines in files.items() if path not in tool}
    return {'files': own, 'tool': tool, 'unknown': None}


def _unknown(reason: str) -> CodeDifference:
    return {'files': {}, 'tool': [], 'unknown': reason}


def _compared(one: Path, other: Path) -> list[str]:
    """Return which of COMPARED both runs have, by their folders."""
    return [name for name, read in COMPARED.items() if read(one) and read(other)]
