"""Say whether a rerun with the recorded seed is the same as the run it repeats, bit for bit.

If it is not, say from where on.

    watch = Watch(root, folder, info); watch.look() now and then; code = watch.end()

It compares trace.csv as it grows, and at the end all that first_divergence.py compares. What the
two were trained with (arguments, inputs, environment, data) surroundings.py compares. Where the run
that it repeats is not finished, it compares as far as that one goes, and gives no verdict.
"""

from pathlib import Path
from typing import Any

from tagrun.core.check import nondeterminism_lint
from tagrun.core.check.nondeterminism_lint import Suspect
from tagrun.core.cli.messages import echo, plural, styled
from tagrun.core.compare import first_divergence, run_files, surroundings
from tagrun.core.compare.first_divergence import Difference
from tagrun.core.compare.run_files import RunFiles
from tagrun.core.record import snapshot
from tagrun.store import run_json, safe_read, statistic, trace
from tagrun.store.run_ref import RunRef

FAILED, DIFFERS = 1, 3
SHOWN = 8  # lines of a group
SHOWN_SUSPECTS = 3
LONGEST = 100  # characters of a line of code
# kinds of lines by which something goes in that no record has, the likeliest first
UNRECORDED = ('environment', 'unseeded', 'clock', 'hash', 'written', 'file')
WORDS = {'config': 'argument ', 'inputs': 'input ', 'data': 'data '}
# the same commit gives the same arguments, unless something else goes in
NOT_OF_THE_COMMIT = (
    'the commit is the same: config.py took this from outside, e.g. from a variable of the '
    'environment or a file'
)


class Watch:
    """Compares the trace of the rerun in `folder` with that of the run it repeats.

    info: the content of the rerun's run.json, which names that run.
    """

    def __init__(self, root: Path, folder: Path, info: dict[str, Any]) -> None:
        self._root, self._folder, self._info = root, folder, info
        self._name = info['rerun_of']
        self._ref = RunRef.parse(self._name) or RunRef(self._name, 0)
        self._original = self._ref.folder(root)
        self._expected, _ = trace.lines(self._original)
        self._offset = 0  # bytes of trace.csv that were read
        self._compared = 0  # lines
        self._difference: Difference | None = None

    def look(self) -> None:
        """Compare what is new, and say so at the first difference."""
        if self._difference or not self._expected:
            return
        new, self._offset = trace.lines(self._folder, self._offset)
        self._difference = trace.first_difference(new, self._expected[self._compared :])
        self._compared += len(new)
        if self._difference:
            self._report(self._difference)

    def end(self) -> int:
        """Print the verdict and write it to run.json; return DIFFERS or 0.

        FAILED where a file that is there cannot be read, or one is lost and the others are the
        same. Where one of the two did not finish there is no verdict yet, unless they differ
        already.
        """
        self.look()
        if not _is_finished(self._folder):
            return DIFFERS if self._difference else 0
        is_whole = _is_finished(self._original)
        difference, lost = self._difference, list[str]()
        if not difference:
            difference, lost = self._compare(is_whole)
        if (difference or lost) and not self._difference:
            files = first_divergence.compared_files(self._folder, self._original)
            problem = first_divergence.unreadable(files)
            if problem:
                self._report_unread(problem)
                return FAILED
            # what could not be read for a moment is read now
            difference, lost = self._compare(is_whole)
        if difference and not self._difference:
            self._report(difference)
        if lost and not difference:
            self._report_lost(lost)
            return FAILED
        if not difference:
            self._report_same(is_whole)
        if difference or is_whole:
            self._write(difference)
        return DIFFERS if difference else 0

    def _compare(self, is_whole: bool) -> tuple[Difference | None, list[str]]:
        """Return the first difference, and what of a finished run is lost."""
        if is_whole or statistic.read_or_none(self._original) is None:
            return first_divergence.compared(self._folder, self._original)
        return first_divergence.as_far_as_both_go(self._folder, self._original), []

    def _write(self, difference: Difference | None) -> None:
        verdict: dict[str, Any] = {'same': not difference}
        if difference:
            verdict['first_difference'] = difference
        groups = {name: pairs for name, pairs in self._surroundings().items() if pairs}
        if groups:
            verdict['differs'] = groups
        # as it is now: training may have added inputs
        run_json.write(self._folder, {**run_json.read(self._folder), 'verdict': verdict})

    def _report(self, difference: Difference) -> None:
        values = f'{difference["here"]} here, {difference["there"]} there'
        what = first_divergence.what(difference)
        verdict = styled('not the same', 'red')
        echo('tagrun: ', verdict, f' as {self._name}: {what} ({values})')
        lines = difference_lines(self._surroundings())
        if not all(files.environment for files in self._files()):
            lines.append('what else differs is unknown: one of the two has no environment.json')
        lines = lines or self._guess(difference)
        lines += unknown_lines(*self._files())
        for line in lines:
            echo(f'  {line}')

    def _report_unread(self, problem: str) -> None:
        rerun = run_json.name(self._info)
        echo(
            f'tagrun: {rerun} is not compared with {self._name}: {problem}. '
            f'`tagrun why {self._name} {rerun}` compares them later'
        )

    def _report_lost(self, lost: list[str]) -> None:
        echo(
            f'tagrun: whether {run_json.name(self._info)} is the same as {self._name} is unknown: '
            f'{" and ".join(lost)} cannot be read. What both have is the same'
        )

    def _guess(self, difference: Difference) -> list[str]:
        """Return what to look at where nothing recorded differs."""
        lines = [surroundings.unexplained(difference['stream'])]
        suspects = _suspects(self._folder / 'code')
        for suspect in suspects[:SHOWN_SUSPECTS]:
            lines.append(f'look at  code/{suspect.file}:{suspect.line}  {suspect.text[:LONGEST]}')
        return lines

    def _report_same(self, is_whole: bool) -> None:
        if is_whole:
            verdict = styled(f'the same as {self._name}, bit for bit', 'green')
            what = f"{self._compared_traces()}every epoch's metrics, the last weights"
            echo('\n', verdict, f': {what}')
        else:
            echo(
                f'\nthe same as {self._name} as far as that one goes, bit for bit: '
                f"{self._compared_traces()}its epochs' metrics. {self._name} is not finished: "
                f'`continue {self._name}`, and `tagrun why {self._name} '
                f'{run_json.name(self._info)}` compares the rest'
            )
        for line in difference_lines(self._surroundings()):
            echo(f'  {line}')

    def _compared_traces(self) -> str:
        """Return what of the traces was compared, for the verdict."""
        if self._expected:
            return f'{min(self._compared, len(self._expected)):,} lines of trace.csv, '
        epochs = len(trace.epochs(self._original))
        return f'the trace of {plural(epochs, "epoch")}, ' if epochs else ''

    def _surroundings(self) -> dict[str, surroundings.Pairs]:
        """Return what differs of what the two were trained with: [there, here] by group."""
        return surroundings.differences(*self._files())

    def _files(self) -> tuple[RunFiles, RunFiles]:
        rerun = run_files.read(self._root, run_json.ref(self._info))
        return run_files.read(self._root, self._ref), rerun


def unknown_lines(one: RunFiles, other: RunFiles) -> list[str]:
    """Return a line on the data of which nobody knows whether they differ."""
    phases = surroundings.data_unknown(one, other)
    return [f'unknown: {surroundings.data_sentence(phases)}'] if phases else []


def difference_lines(groups: dict[str, surroundings.Pairs]) -> list[str]:
    """Return lines on what differs: ['torch: 2.13.0 there, 2.14.0 here', …]."""
    lines: list[str] = []
    for group, pairs in groups.items():
        for name, values in list(pairs.items())[:SHOWN]:
            before, now = map(surroundings.value_text, values)
            lines.append(f'{WORDS.get(group, "")}{name}: {before} there, {now} here')
        if len(pairs) > SHOWN:
            lines.append(f'… {len(pairs) - SHOWN} more: `tagrun why` has them')
        if group == 'config' and pairs:
            lines.append(NOT_OF_THE_COMMIT)
    return lines


def _suspects(code: Path) -> list[Suspect]:
    """Return the lines of a run's own code by which something unrecorded may go in."""
    files = []
    try:
        for path in sorted(code.glob('*.py')):
            files.append(snapshot.File(path.name, '100644', safe_read.read_bytes(path)))
        suspects = nondeterminism_lint.find(files)
    except (OSError, SyntaxError, ValueError):
        return []
    known = [suspect for suspect in suspects if suspect.kind in UNRECORDED]
    return sorted(known, key=lambda suspect: UNRECORDED.index(suspect.kind))


def _is_finished(folder: Path) -> bool:
    """Return whether a run is finished, as far as its statistic.json says."""
    try:
        return bool(statistic.state(folder) == statistic.FINISHED)
    except (OSError, ValueError):
        return False
