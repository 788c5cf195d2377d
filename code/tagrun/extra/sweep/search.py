"""Sources that ask Optuna: OptunaSource chooses values, PrunedGrid ends poor trials early.

    source = make_source(repository, request, inputs)
    trial = source.ask(); source.watch([0, 1]); source.tell(0, status)

A search's suggestion is some values, trained with each seed. Values that were tried are not trained
a second time. A poor trial is requested to stop; training does so at its next epoch's end.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from tagrun.core.cli.messages import UserError
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.git.repository import Repository
from tagrun.extra.sweep import study, trials
from tagrun.extra.sweep.inputs import SweepInputs
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.runs import TrialRuns
from tagrun.extra.sweep.sources import GridSource, Source
from tagrun.extra.sweep.study import Question, Study, Suggestion
from tagrun.extra.sweep.trials import Key, Trial
from tagrun.extra.sweep.variants import Variant
from tagrun.store import history, jsonfile, pruning, statistic, table

EPOCHS = 100  # of a trial, where config.py does not say


class OptunaSource:
    """A search: Optuna suggests values, each a trial with every seed."""

    def __init__(self, study: Study, inputs: SweepInputs, request: SweepRequest):
        self.metric: str | None = study.question.metric
        self.total = request.trials * request.seeds
        self._study, self._inputs, self._runs = study, inputs, inputs.runs
        self._wanted, self._retry_failed = request.trials, request.retry_failed
        self._prune = request.prune is not None
        self._members: dict[int, list[Trial]] = {}  # {number of a suggestion: its trials}
        self._todo: list[Trial] = []

    def catch_up(self) -> str:
        """Take up the study: its open trials go on, those that ended since are reported."""
        todo: dict[Key, Trial] = {}
        for suggestion in self._study.suggestions():
            members = self._add(suggestion)
            is_open = suggestion.state == study.OPEN
            if is_open or (self._retry_failed and suggestion.state == study.FAILED):
                # each once: two suggestions may have come to the same values
                todo |= {trial.key: trial for trial in members if not self._runs.is_done(trial)}
            if is_open:
                self._tell_if_done(suggestion.number)
        self._todo = list(todo.values())
        return ''

    def ask(self) -> Trial | None:
        """Return the next trial to train; a new suggestion's where none is left; or None."""
        while not self._todo and len(self._members) < self._wanted:
            tried = {trial.key for trial in self.trials()}
            suggestion = self._study.suggest(
                self._inputs.space,
                [variant.name for variant in self._inputs.variants],
                parallel=self._inputs.pool.at_once > 1,
            )
            self._todo = [
                trial
                for trial in self._add(suggestion)
                if trial.key not in tried and not self._runs.is_done(trial)
            ]
            self._tell_if_done(suggestion.number)
        return self._todo.pop(0) if self._todo else None

    def tell(self, number: int, status: RunStatus) -> str:
        """Tell the study of a run that has ended, as soon as all of its suggestion's have."""
        suggestions = self._suggestions_of(number)
        if self._prune:
            self._study.report(suggestions[0], self._values(number))
        for suggestion in suggestions:
            self._tell_if_done(suggestion)
        return missing_metric(status, self._study.question.metric)

    def watch(self, numbers: Iterable[int]) -> None:
        """With --prune, tell the study the epochs so far, and request the end of poor runs."""
        for number in numbers if self._prune else ():
            suggestion = self._suggestions_of(number)[0]
            reason = self._study.report(suggestion, self._values(number))
            _request_end(self._runs.folder(number), reason)

    def trials(self) -> list[Trial]:
        """Return the trials of all suggestions, each once."""
        return list({trial.key: trial for trial in self._all()}.values())

    def done_count(self) -> int:
        """Return how many trials need no training.

        A trial that was suggested twice counts twice, as it does in --trials.
        """
        return sum(self._runs.is_done(trial) for trial in self._all())

    def _all(self) -> Iterable[Trial]:
        for members in self._members.values():
            yield from members

    def _add(self, suggestion: Suggestion) -> list[Trial]:
        """Take up a suggestion; return its trials, one for each seed."""
        space = self._inputs.space
        values = {
            name: space[name].text(value)
            for name, value in suggestion.params.items()
            if name in space
        }
        members = trials.make_trials(self._variant(suggestion), values, space, self._inputs.seeds)
        self._members[suggestion.number] = members
        self._runs.add(members)
        return members

    def _variant(self, suggestion: Suggestion) -> Variant:
        name = suggestion.params.get(study.VARIANT, '')
        for variant in self._inputs.variants:
            if variant.name == name:
                return variant
        return self._inputs.variants[0]

    def _suggestions_of(self, number: int) -> list[int]:
        """Return the suggestions that a run is a trial of, the first one first."""
        trial = self._runs.trials[number]
        return [
            suggestion
            for suggestion, members in self._members.items()
            if any(map(trial.is_same, members))
        ]

    def _values(self, number: int) -> list[float | None]:
        return epoch_values(self._runs.folder(number), self._study.question.metric)

    def _tell_if_done(self, suggestion: int) -> None:
        """Tell the study the mean over the seeds, when every trial of a suggestion has ended."""
        members = self._members[suggestion]
        if not all(self._runs.is_done(trial) for trial in members):
            return
        states = [self._runs.state(trial) for trial in members]
        state = statistic.FINISHED
        for worse in (statistic.PRUNED, statistic.FAILED):
            if worse in states:
                state = worse
        self._study.tell(suggestion, state, self._mean(members))

    def _mean(self, members: list[Trial]) -> float | None:
        """Return the mean of the metric over trials that have ended; None where one lacks it."""
        values = []
        for run in map(self._runs.number, members):
            value = None if run is None else self._best(run)
            if value is None:
                return None
            values.append(value)
        return math.fsum(values) / len(values)

    def _best(self, number: int) -> float | None:
        return best_value(self._runs.status(number), self._study.question.metric)


class PrunedGrid:
    """A grid whose runs a study compares while they train; it ends the poor ones."""

    metric: str | None = None

    def __init__(self, study: Study, grid: GridSource, runs: TrialRuns):
        self.total = grid.total
        self._study, self._grid, self._runs = study, grid, runs
        self._numbers: dict[int, int] = {}  # {id of a run: number of the study's trial}

    def catch_up(self) -> str:
        """Tell the study of the runs that ended before this command."""
        reasons = [
            self._tell_study(number, self._runs.status(number))
            for number in sorted(self._runs.trials)
        ]
        return next(filter(None, reasons), '')

    def ask(self) -> Trial | None:
        """Return the grid's next trial."""
        return self._grid.ask()

    def tell(self, number: int, status: RunStatus) -> str:
        """Tell the grid and the study that a run has ended."""
        self._grid.tell(number, status)
        return self._tell_study(number, status)

    def watch(self, numbers: Iterable[int]) -> None:
        """Tell the study the epochs of the runs that train, and request the end of poor ones."""
        for number in numbers:
            _request_end(self._runs.folder(number), self._report(number))

    def trials(self) -> list[Trial]:
        """Return the grid's trials."""
        return self._grid.trials()

    def done_count(self) -> int:
        """Return how many runs of the grid have ended."""
        return self._grid.done_count()

    def _report(self, number: int) -> str:
        if number not in self._numbers:
            self._numbers[number] = self._study.of_run(number)
        values = epoch_values(self._runs.folder(number), self._study.question.metric)
        return self._study.report(self._numbers[number], values)

    def _tell_study(self, number: int, status: RunStatus) -> str:
        metric = self._study.question.metric
        self._report(number)
        if status.state in study.STATES:
            value = best_value(status, metric)
            self._study.tell(self._numbers[number], status.state, value)
        return missing_metric(status, metric)


def make_source(repository: Repository, request: SweepRequest, inputs: SweepInputs) -> Source:
    """Return the source of a sweep's trials: a search, a grid, or a grid with --prune."""
    if request.search:
        return OptunaSource(_open_study(repository, request, inputs), inputs, request)
    grid = GridSource(inputs.runs, inputs.combinations())
    if request.prune:
        return PrunedGrid(_open_study(repository, request, inputs), grid, inputs.runs)
    return grid


def check(root: Path, request: SweepRequest, config: str) -> None:
    """Check that a search or --prune can work, before a tag is created. Raises UserError."""
    metric_name(request, config)
    study.import_optuna(root)


def metric_name(request: SweepRequest, config: str) -> str:
    """Return the metric that a sweep makes best: --metric, else the one that config.py monitors.

    Raises UserError where neither names one.
    """
    name = request.metric or monitored(config)[0]
    if not name:
        raise UserError('--metric NAME is needed: config.py does not name the metric to monitor')
    return name


def direction(metric: str, config: str) -> str:
    """Return 'min' or 'max': which values of a metric are better.

    config.py says so of the metric that it monitors, in every phase; else the name decides.
    """
    run = table.Run('', {}, *monitored(config))
    better = table.direction([run], table.Column('metric', metric))
    return better if better in ('min', 'max') else 'max'


def monitored(config: str) -> tuple[str, str]:
    """Return the metric that config.py monitors and its mode, ('val/acc', 'max'); '' for neither.

    A config.py of an older sweep calls them watch and watch_mode.
    """
    metric = trials.literal(config, 'monitor') or trials.literal(config, 'watch')
    mode = trials.literal(config, 'monitor_mode') or trials.literal(config, 'watch_mode')
    return (metric if isinstance(metric, str) else ''), str(mode)


def missing_metric(status: RunStatus, metric: str) -> str:
    """Return why no trial can be judged, where a finished run lacks the metric; else ''."""
    metrics = status.content.get('metric')
    if not metrics or status.state != statistic.FINISHED or metric in metrics:
        return ''
    return (
        f'{status.name} has no metric {metric!r}, and so no trial can be judged '
        f'by it: --metric {", ".join(map(str, metrics))}'
    )


def best_value(status: RunStatus, metric: str) -> float | None:
    """Return the metric at the run's best epoch, or None."""
    return jsonfile.number(status.content.get('metric', {}).get(metric))


def epoch_values(folder: Path, metric: str) -> list[float | None]:
    """Return the metric after each epoch of a run so far; None for an epoch without it."""
    try:
        rows = history.read(folder)
    except (OSError, ValueError):
        return []
    return [_number(row.get(metric)) for row in rows]


def longest_training(inputs: SweepInputs) -> int:
    """Return the most epochs that a trial may train."""
    if 'epochs' in inputs.space:
        epochs: list[object] = list(inputs.space['epochs'].texts)
    else:
        epochs = [trials.literal(inputs.config, 'epochs')]
    numbers = [_number(number) for number in epochs]
    return max((int(number) for number in numbers if number and number >= 1), default=EPOCHS)


def _open_study(repository: Repository, request: SweepRequest, inputs: SweepInputs) -> Study:
    metric = metric_name(request, inputs.config)
    space = {
        name: parameter.span or parameter.texts for name, parameter in sorted(inputs.space.items())
    }
    searched_space = space if request.search else None
    question = Question(
        search=request.search,
        metric=metric,
        mode=direction(metric, inputs.config),
        prune=request.prune,
        seeds=request.seeds,
        space=searched_space,
        code=[variant.name for variant in inputs.variants],
    )
    longest = longest_training(inputs)
    return Study(repository.root, request.tag, question, inputs.seeds[0], longest)


def _request_end(folder: Path, reason: str) -> None:
    if reason and not pruning.reason(folder):
        pruning.request(folder, reason)


def _number(text: object) -> float | None:
    """Return a number of history.csv or config.py as a float, or None."""
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
