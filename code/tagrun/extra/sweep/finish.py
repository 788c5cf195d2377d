"""The end of a sweep: the set of its trials, their table and plots, what to type next.

    code = Finish(repository, request, inputs, source).report(stopped=0, trained=True)

It trains nothing.
"""

import os
import re
import signal

from tagrun.core import finder
from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch
from tagrun.core.tables import set_table
from tagrun.core.tables.selection import Selection
from tagrun.extra.sweep.inputs import SweepInputs
from tagrun.extra.sweep.progress import best_of
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.runs import DONE
from tagrun.extra.sweep.sources import Source
from tagrun.store import experlist, layout, statistic
from tagrun.store.run_ref import RunRef


class Finish:
    """The end of a sweep that trained here."""

    def __init__(
        self, repository: Repository, request: SweepRequest, inputs: SweepInputs, source: Source
    ):
        self._repository, self._request = repository, request
        self._inputs, self._source, self._runs = inputs, source, inputs.runs
        self._searched = request.search is not None

    def report(self, stopped: int, trained: bool) -> int:
        """Show what came out, and return the exit code.

        stopped: the signal that stopped the sweep, or 0. trained: whether any trial was trained.
        """
        runs = self._runs.refs(self._source.trials())
        states = {run: self._runs.status(run.number).state for run in runs}
        self._list(runs)
        done = [run for run, state in states.items() if state in DONE]
        if done:
            self._table(with_best_first=self._searched and not stopped)
            if trained and not stopped:
                self._plots()
        failed = [run for run, state in states.items() if state == statistic.FAILED]
        left = [run for run in runs if run not in done and run not in failed]
        self._tell_failed(failed)
        if not stopped:
            self._tell_left(left)
        if stopped and len(done) < self._source.total:
            echo(
                f'stopped after {len(done)} of {self._source.total} trials: '
                'the same command goes on'
            )
            return launch.CTRL_C if stopped == signal.SIGINT else launch.RESUMABLE
        return 1 if failed or left else 0

    def _tell_failed(self, failed: list[RunRef]) -> None:
        if failed:
            echo(
                f'{plural(len(failed), "trial")} failed: {experlist.compact(failed)}; '
                'the same command with --failed goes on with them'
            )

    def _tell_left(self, left: list[RunRef]) -> None:
        if left:
            echo(
                f'{plural(len(left), "trial")} did not come to an end: {experlist.compact(left)}; '
                'the same command goes on with them'
            )

    def _list(self, runs: list[RunRef]) -> None:
        """Make the trials a set, for `table <tag>`."""
        root, tag = self._repository.root, self._request.tag
        begun = [run for run in runs if (run.folder(root) / statistic.NAME).is_file()]
        if experlist.add(root, tag, begun):
            path = os.path.relpath(layout.list_file(root, tag))
            echo(f'the set {tag!r}: {quote(path)}')

    def _table(self, with_best_first: bool) -> None:
        choice = Selection(
            set=self._request.tag,
            sort_by=self._source.metric if with_best_first else None,
            group=self._request.seeds > 1,
            keep=re.compile('variant') if self._request.vary else None,
            only_changed=True,
        )
        echo()
        set_table.show(self._repository.root, choice)
        best = best_of(self._runs.statuses())
        number = best.id if best else 0
        run = self._runs.ref(number)
        echo(f'  next     table {" ".join(choice.words())}')
        echo(f'           git diff {run.tag} {run.code_ref}      what sets the best apart')
        echo(f'           rerun {run} -f')

    def _plots(self) -> None:
        """Plot the metric over each argument with several values, where `plot` is installed."""
        plot = finder.command('plot')
        if not plot or not self._repository.flag('curves', True):
            return
        several = [
            name
            for name, parameter in self._inputs.space.items()
            if len(parameter.texts) > 1 or parameter.span
        ]
        for name in several:
            try:
                plot.main(self._plot_words(name, several))
            except UserError as error:
                echo(f'tagrun: no plot over {name}: {error}')

    def _plot_words(self, name: str, several: list[str]) -> list[str]:
        words = [f'@{self._request.tag}', '--over', name]
        if self._source.metric:
            return [*words, '--metric', self._source.metric]
        if len(several) == 2:
            words += ['--by', *(other for other in several if other != name)]
        return words
