"""An Optuna study: what was suggested, what came out, which trials are poor. Its journal is a file.

    study = Study(root, 'nets', Question('tpe', 'val/acc', 'max', …), seed=4242, longest=100)
    suggestion = study.suggest(space, variants=['']); study.tell(suggestion.number, 'finished', 0.9)

The journal (journal.py) is __statistic__/search/<tag>.log. Another question is another study of the
same journal. The n-th suggestion follows from the seed, n and the results by
then: with -j 1 and without --prune a search suggests the same again. Nothing else imports Optuna.
"""

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.extra.sweep import journal
from tagrun.extra.sweep.space import Parameter, Range
from tagrun.extra.sweep.trials import hashed_seed
from tagrun.store import beneath, statistic

REQUIREMENTS = 'requirements-sweep.txt'
VARIANT = 'variant'  # the parameter that chooses between variants of the code
RUN = 'run'  # the user attribute that holds the id of a grid's run
OPEN, FAILED = 'RUNNING', 'FAIL'
STATES = {statistic.FINISHED: 'COMPLETE', statistic.PRUNED: 'PRUNED', statistic.FAILED: FAILED}
DIRECTIONS = {'min': 'minimize', 'max': 'maximize'}


class Question(NamedTuple):
    """What a study answers. Its fields, in this order, are the study's identity."""

    search: str | None
    metric: str
    mode: str  # 'min' or 'max'
    prune: str | None
    seeds: int
    space: Mapping[str, Range | list[str]] | None  # None for a grid
    code: list[str]  # names of the variants

    @property
    def digest(self) -> str:
        """Return what tells the study from others of the journal."""
        return hashlib.sha256(json.dumps(self._asdict()).encode()).hexdigest()[:8]


class Suggestion(NamedTuple):
    """A trial of the study."""

    number: int
    state: str  # 'RUNNING', 'COMPLETE', 'PRUNED' or 'FAIL'
    params: Mapping[str, object]
    run: int | None  # the id of a grid's run


class Study:
    """A study of Optuna's, opened."""

    def __init__(self, root: Path, tag: str, question: Question, seed: int, longest: int):
        """longest: epochs that a trial may train, for hyperband. Raises UserError."""
        self.question, self.seed = question, seed
        # how many epochs of each trial the study knows
        self._reported: dict[int, int] = {}
        self._optuna = import_optuna(root)
        self._name = f'{tag} {question.digest}'
        path = journal.path(root, tag)
        beneath.make_folder(path.parent)
        if journal.cut_torn_line(path):
            echo(f'tagrun: {quote(path)}: its last line was half-written, and is cut off')
        try:
            self._storage = journal.storage(path)
            self._study = self._open(longest)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f'{quote(path)} cannot be read ({type(error).__name__}: {error}): move it '
                'away, the runs stay'
            ) from None
        if not self._study.user_attrs:
            self._study.set_user_attr('tagrun', {**question._asdict(), 'seed': seed})

    def suggestions(self) -> list[Suggestion]:
        """Return all trials of the study, by number."""
        return [_suggestion(trial) for trial in self._study.get_trials(deepcopy=False)]

    def suggest(
        self, space: dict[str, Parameter], variants: list[str], parallel: bool
    ) -> Suggestion:
        """Return a new trial with values of the space, and one of several variants.

        The sampler is new each time, its seed follows from the trial's number: so a kill changes
        nothing. parallel: other trials are open.
        """
        number = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = self._sampler(hashed_seed(f'{self.seed} search {number}'), parallel)
        choices = {name: self._distribution(parameter) for name, parameter in space.items()}
        if len(variants) > 1:
            choices[VARIANT] = self._optuna.distributions.CategoricalDistribution(variants)
        return _suggestion(self._study.ask(choices))

    def of_run(self, run: int) -> int:
        """Return the number of the trial that stands for a grid's run; make it if there is none."""
        for suggestion in self.suggestions():
            if suggestion.run == run:
                return suggestion.number
        trial = self._study.ask()
        trial.set_user_attr(RUN, run)
        return int(trial.number)

    def report(self, number: int, values: list[float | None]) -> str:
        """Tell the study the metric after each epoch of a trial, and return why it is poor, or ''.

        None stands for an epoch without the metric. What the study knows already is left out.
        """
        trial = self._open_trial(number)
        if trial is None:
            return ''
        known, reason = self._reported.get(number, 0), ''
        for epoch, value in enumerate(values[known:], known + 1):
            if value is not None and math.isfinite(value):
                trial.report(value, epoch)
                if not reason and trial.should_prune():
                    reason = (
                        f'{self.question.prune}: {self.question.metric} {value:.4g} '
                        f'after epoch {epoch}'
                    )
        self._reported[number] = max(known, len(values))
        return reason

    def tell(self, number: int, state: str, value: float | None) -> None:
        """Tell the study how a trial ended. One that has ended already stays as it is."""
        if self._open_trial(number) is None:
            return
        if state == statistic.FINISHED and (value is None or not math.isfinite(value)):
            state = statistic.FAILED
        if state != statistic.FINISHED:
            value = None
        ending = self._optuna.trial.TrialState[STATES[state]]
        self._study.tell(number, value, state=ending)

    def _open(self, longest: int) -> Any:
        return self._optuna.create_study(
            storage=self._storage,
            study_name=self._name,
            load_if_exists=True,
            direction=DIRECTIONS[self.question.mode],
            pruner=self._pruner(longest),
        )

    def _pruner(self, longest: int) -> Any:
        pruners = self._optuna.pruners
        if self.question.prune == 'hyperband':
            return pruners.HyperbandPruner(min_resource=1, max_resource=longest)
        return pruners.MedianPruner() if self.question.prune else pruners.NopPruner()

    def _sampler(self, seed: int, parallel: bool) -> Any:
        if self.question.search == 'random':
            return self._optuna.samplers.RandomSampler(seed=seed)
        return self._optuna.samplers.TPESampler(seed=seed, constant_liar=parallel)

    def _distribution(self, parameter: Parameter) -> Any:
        distributions, span = self._optuna.distributions, parameter.span
        if span is None:
            return distributions.CategoricalDistribution(parameter.texts)
        if span.whole:
            return distributions.IntDistribution(
                int(span.low), int(span.high), log=span.log, step=int(span.step or 1)
            )
        return distributions.FloatDistribution(span.low, span.high, log=span.log, step=span.step)

    def _open_trial(self, number: int) -> Any:
        """Return Optuna's trial with this number; None where it has ended."""
        if self._study.get_trials(deepcopy=False)[number].state.is_finished():
            return None
        study_id = self._storage.get_study_id_from_name(self._name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return self._optuna.trial.Trial(self._study, trial_id)


def import_optuna(root: Path) -> ModuleType:
    """Return the module, quiet. Raises UserError where it is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        requirements = root / 'code' / REQUIREMENTS
        raise UserError(
            f'--search and --prune need the package {error.name}: {quote(sys.executable)} '
            f'-m pip install -r {quote(requirements)}'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _suggestion(trial: Any) -> Suggestion:
    """Return what we need of Optuna's Trial or FrozenTrial."""
    # a new Trial has no state: it is open
    state = trial.state.name if hasattr(trial, 'state') else OPEN
    return Suggestion(trial.number, state, trial.params, trial.user_attrs.get(RUN))
