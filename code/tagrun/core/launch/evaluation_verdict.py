"""Say whether an evaluation that was made again is the same as the first one, bit for bit.

    code = report(root, folder, info)       # 0, or 3 if it differs

Every metric and every count of the confusion matrices is compared, then, as for runs, what the two
were made with: arguments, environment, data. The verdict goes into the new one's run.json.
"""

from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import echo, plural, styled
from tagrun.core.compare import first_divergence, run_files, surroundings
from tagrun.core.compare.first_divergence import Difference
from tagrun.core.compare.run_files import RunFiles
from tagrun.core.launch import rerun_verdict
from tagrun.store import confusion, run_json, statistic
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef

DIFFERS = rerun_verdict.DIFFERS


def report(root: Path, folder: Path, info: dict[str, Any]) -> int:
    """Print the verdict and write it to run.json; return DIFFERS or 0.

    info: the content of the new evaluation's run.json. Where the first one did not finish there is
    no verdict.
    """
    run = run_json.ref(info)
    original = EvaluationRef(run, info[run_json.EVALUATE]['rerun_of'])
    folders = original.folder(root), folder
    before, after = _read(run, folders)
    if before.statistic.get('status') != statistic.FINISHED:
        echo(f'tagrun: {original} did not finish: there is nothing to compare with')
        return 0
    difference = first_difference(after, before)
    if difference:
        problem = first_divergence.unreadable(_compared_files(folders))
        if problem:
            echo(f'tagrun: it is not compared with {original}: {problem}')
            return rerun_verdict.FAILED
        # a file that could not be read for a moment is read now
        before, after = _read(run, folders)
        difference = first_difference(after, before)
    groups = surroundings.differences(before, after)
    _write(folder, difference, groups)
    lines = rerun_verdict.difference_lines(groups)
    if not difference:
        verdict = styled(f'the same as {original}, bit for bit', 'green')
        echo(verdict, f': {plural(len(after.metric), "metric")}')
    else:
        values = f'{difference["here"]} here, {difference["there"]} there'
        verdict = styled('not the same', 'red')
        echo('tagrun: ', verdict, f' as {original}: {difference["stream"]} ({values})')
        lines = lines or [surroundings.unexplained(difference['stream'])]
        lines += rerun_verdict.unknown_lines(before, after)
    for line in lines:
        echo(f'  {line}')
    return DIFFERS if difference else 0


def _read(run: RunRef, folders: tuple[Path, Path]) -> tuple[RunFiles, RunFiles]:
    before, after = (run_files.read_folder(run, folder) for folder in folders)
    return before, after


def _compared_files(folders: tuple[Path, Path]) -> list[Path]:
    return [folder / name for folder in folders for name in (statistic.NAME, confusion.NAME)]


def first_difference(here: RunFiles, there: RunFiles) -> Difference | None:
    """Return the first value in which two evaluations differ, or None."""
    for name in {**there.metric, **here.metric}:
        difference = _difference(name, here.metric.get(name), there.metric.get(name))
        if difference:
            return difference
    digests = [each.statistic.get('digest', {}).get('weights') for each in (here, there)]
    return _difference('weights', *digests) or _of_matrices(here.folder, there.folder)


def _of_matrices(here: Path, there: Path) -> Difference | None:
    matrices = [_matrices(folder) for folder in (here, there)]
    for name in {**matrices[1], **matrices[0]}:
        counts = [matrix.get(name) for matrix in matrices]
        if counts[0] != counts[1]:
            return {'stream': name, 'here': 'other counts', 'there': 'those of confusion.json'}
    return None


def _matrices(folder: Path) -> dict[str, confusion.Matrix]:
    try:
        return confusion.read(folder)[1]
    except (OSError, ValueError):
        return {}


def _difference(name: str, here: Any, there: Any) -> Difference | None:
    # JSON has 'nan' as a string, which equals itself
    return None if here == there else {'stream': name, 'here': here, 'there': there}


def _write(
    folder: Path, difference: Difference | None, groups: dict[str, surroundings.Pairs]
) -> None:
    verdict: dict[str, Any] = {'same': not difference}
    if difference:
        verdict['first_difference'] = difference
    differing = {name: pairs for name, pairs in groups.items() if pairs}
    if differing:
        verdict['differs'] = differing
    # as it is now: the evaluation may have added inputs
    run_json.write(folder, {**run_json.read(folder), 'verdict': verdict})
