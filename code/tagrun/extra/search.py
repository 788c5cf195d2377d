"""Chooses a sweep's values, and which trials are not worth their end: Optuna, with its journal as a file.

    judge = Judge(sweep); trial = judge.next(); judge.look(running); judge.ended(number, seen)

The journal is __statistic__/search/<tag>.log; Optuna's own tools read it. What is chosen for the n-th trial follows from the sweep's seed, n
and the results that were there by then: with -j 1 and without --prune the same search is made again from the same seed. A value that has been
tried is not trained a second time. It trains nothing: sweeping.py does, and a poor trial stops itself at its next epoch's end.
"""
import fcntl
import hashlib
import json
import math
import os
import sys

from tagrun.command.say import Refusal, quote
from tagrun.extra import trials
from tagrun.store import history, jsonfile, layout, pruning, statistic, table

REQUIREMENTS = 'requirements-sweep.txt'
ENDED = {statistic.FINISHED: 'COMPLETE', statistic.PRUNED: 'PRUNED', statistic.FAILED: 'FAIL'}


class Judge:
    """A study of Optuna's. `--search`: a study's trial is some values, trained with each seed. Else it is a single run of a grid, judged while it trains."""

    def __init__(self, sweep):
        self.optuna = _optuna(sweep.repository.root)
        self.sweep, self.options, self.seed = sweep, sweep.options, sweep.seed
        self.metric = metric(sweep.options, sweep.codes[0].config)
        self.mode = direction(self.metric, sweep.codes[0].config)
        self.study = self._study()
        self.runs = {}          # {id of a run: number of the study's trial}
        self.members = {}       # {number of the study's trial: its Trials, one a seed}
        self._reported = {}     # {id of a run: epochs that the study knows}
        self._waiting = []      # Trials that were chosen and not yet begun
        self.total = sweep.options.trials * sweep.options.seeds if self.options.search else 0
        self._again = self._open() if self.options.search else []
        if not self.options.search:
            for number in sorted(sweep.labels):
                self.ended(number, sweep.look(number))

    def _study(self):
        """The study of this command: another metric, another space, another pruner are another study of the same journal."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
        path = layout.statistic(self.sweep.repository.root) / 'search' / f'{self.sweep.tag}.log'
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            raise Refusal(f'{path} is a link to another place: remove it')
        pruners = {None: self.optuna.pruners.NopPruner, 'median': self.optuna.pruners.MedianPruner, 'hyperband': self._hyperband}
        what = {'search': self.options.search, 'metric': self.metric, 'mode': self.mode, 'prune': self.options.prune, 'seeds': self.options.seeds,
                'space': {name: axis.span or axis.texts for name, axis in sorted(self.sweep.axes.items())} if self.options.search else None,
                'code': [code.name for code in self.sweep.codes]}
        name = f'{self.sweep.tag} {hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]}'
        try:
            study = self.optuna.create_study(storage=JournalStorage(JournalFileBackend(str(path), _Flock(path))), study_name=name, load_if_exists=True,
                                             direction={'min': 'minimize', 'max': 'maximize'}[self.mode], pruner=pruners[self.options.prune]())
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(f'{quote(path)} cannot be read ({type(error).__name__}: {error}): move it away, the runs stay') from None
        if not study.user_attrs:
            study.set_user_attr('tagrun', {**what, 'seed': self.seed})
        return study

    def _hyperband(self):
        return self.optuna.pruners.HyperbandPruner(min_resource=1, max_resource=self._epochs())

    def _epochs(self):
        """The most that a trial may train."""
        texts = self.sweep.axes['epochs'].texts if 'epochs' in self.sweep.axes else [trials.literal(self.sweep.codes[0].config, 'epochs')]
        numbers = [int(number) for number in map(_number, texts) if number and number >= 1]
        return max(numbers, default=100)

    # --- a search: what to train next ---

    def _open(self):
        """Take up the study's trials: those of a sweep that was killed go on, those that ended meanwhile are told."""
        again = []
        for frozen in self.study.get_trials(deepcopy=False):
            _, members = self._members(frozen)
            if frozen.state == self.optuna.trial.TrialState.RUNNING:
                again += [trial for trial in members if not self.sweep.is_done(trial)]
                self._tell_if_done(frozen.number)
            elif self.options.failed and frozen.state == self.optuna.trial.TrialState.FAIL:
                again += [trial for trial in members if not self.sweep.is_done(trial)]
        return again

    def _members(self, frozen):
        """(number, Trials) of a study's trial: its values with each seed."""
        values = {name: self._text(name, value) for name, value in frozen.params.items() if name in self.sweep.axes}
        code = next((code for code in self.sweep.codes if code.name == frozen.params.get('variant', '')), self.sweep.codes[0])
        found = trials.make(code, values, self.sweep.axes, self.sweep.seeds)
        self.members[frozen.number] = found
        for trial in found:
            self.begun(trial)
        return frozen.number, found

    def begun(self, trial):
        """A trial has a run now, or had one before."""
        run = self.sweep.number(trial)
        if run is not None:
            self.sweep.labels[run] = trial.label
            self.runs.setdefault(run, next(number for number, members in self.members.items() if any(member.key == trial.key for member in members)))

    def all(self):
        return list({trial.key: trial for members in self.members.values() for trial in members}.values())

    def done(self):
        """How many need no training any more; one that was chosen twice counts twice, as it does in --trials."""
        return sum(self.sweep.is_done(trial) for members in self.members.values() for trial in members)

    def next(self):
        """The next trial to train, or None."""
        if self._again:
            return self._again.pop(0)
        while not self._waiting and len(self.members) < self.options.trials:
            begun = {trial.key for members in self.members.values() for trial in members}
            number, members = self._members(self._ask())
            self._waiting = [trial for trial in members if trial.key not in begun and not self.sweep.is_done(trial)]
            self._tell_if_done(number)
        return self._waiting.pop(0) if self._waiting else None

    def _ask(self):
        """A new trial of the study. A fresh sampler each time, its seed from the sweep's and the trial's number, so that a kill changes nothing."""
        number = len(self.study.get_trials(deepcopy=False))
        seed = int.from_bytes(hashlib.sha256(f'{self.seed} search {number}'.encode()).digest()[:4], 'big')
        self.study.sampler = self._sampler(seed)
        space = {name: self._distribution(axis) for name, axis in self.sweep.axes.items()}
        if len(self.sweep.codes) > 1:
            space['variant'] = self.optuna.distributions.CategoricalDistribution([code.name for code in self.sweep.codes])
        return self.study.ask(space)

    def _sampler(self, seed):
        if self.options.search == 'random':
            return self.optuna.samplers.RandomSampler(seed=seed)
        return self.optuna.samplers.TPESampler(seed=seed, constant_liar=self.sweep.pool.at_once > 1)

    def _distribution(self, axis):
        made, span = self.optuna.distributions, axis.span
        if span is None:
            return made.CategoricalDistribution(axis.texts)
        if span.whole:
            return made.IntDistribution(int(span.low), int(span.high), log=span.log, step=int(span.step or 1))
        return made.FloatDistribution(span.low, span.high, log=span.log, step=span.step)

    def _text(self, name, value):
        """A value as it is written into config.py; of steps the nearest, without the rounding of sums."""
        axis = self.sweep.axes[name]
        if axis.span is None:
            return str(value)
        if axis.span.step and not axis.span.whole:
            return axis.texts[round((value - axis.span.low) / axis.span.step)]
        return repr(value)

    # --- what the study is told ---

    def look(self, running):
        """Tell the study the epochs of the runs at work, and stop those that it finds poor at their next epoch's end."""
        for name in running:
            number = int(name.rpartition('/')[2])
            poor, folder = self._report(number), self.sweep.folder(number)
            if poor and not pruning.wanted(folder):
                pruning.ask(folder, poor)

    def _report(self, number):
        """Tell the study a run's epochs that it does not know yet; why it is poor, or ''."""
        rows, trial = self._history(number), self._trial(number)
        known, poor = self._reported.get(number, 0), ''
        if self.study.get_trials(deepcopy=False)[trial.number].state.is_finished():
            return ''
        for epoch, row in enumerate(rows[known:], known + 1):
            value = _number(row.get(self.metric))
            if value is not None and math.isfinite(value):
                trial.report(value, epoch)
                if not poor and trial.should_prune():
                    poor = f'{self.options.prune}: {self.metric} {value:.4g} after epoch {epoch}'
        self._reported[number] = max(known, len(rows))
        return poor

    def _history(self, number):
        try:
            return history.read(self.sweep.folder(number))
        except (OSError, ValueError):
            return []

    def _trial(self, number):
        """The study's trial of a run; of a grid it is made now, or found by the run that it names."""
        from optuna.trial import Trial
        known = self.study.get_trials(deepcopy=False)
        if number not in self.runs:
            self.runs.update((number, frozen.number) for frozen in known if frozen.user_attrs.get('run') == number)
        if number not in self.runs:
            made = self.study.ask()
            made.set_user_attr('run', number)
            self.runs[number] = made.number
            return made
        return Trial(self.study, known[self.runs[number]]._trial_id)

    def ended(self, number, seen):
        """A run has ended, or was so before the sweep was taken up."""
        metrics = seen.content.get('metric')
        if metrics and seen.state == statistic.FINISHED and self.metric not in metrics:
            self.sweep.give_up(f'{seen.name} has no metric {self.metric!r}, and so no trial can be judged by it: --metric {", ".join(map(str, metrics))}')
        if self.options.prune:
            self._report(number)
        if self.options.search:
            for trial, members in self.members.items():
                if any(self.sweep.number(member) == number for member in members):
                    self._tell_if_done(trial)
        elif seen.state in ENDED:
            self._tell(self._trial(number).number, seen.state, self._value(seen.content))

    def _tell_if_done(self, number):
        """When every run of a study's trial has ended: the mean of what they came to."""
        members = self.members[number]
        if not all(self.sweep.is_done(trial) for trial in members):
            return
        states = [self.sweep.state(trial) for trial in members]
        values = [self._value(self.sweep.look(self.sweep.number(trial)).content) for trial in members]
        worst = next((state for state in (statistic.FAILED, statistic.PRUNED) if state in states), statistic.FINISHED)
        self._tell(number, worst, None if None in values else math.fsum(values) / len(values))

    def _tell(self, number, state, value):
        if self.study.get_trials(deepcopy=False)[number].state.is_finished():
            return
        if state == statistic.FINISHED and (value is None or not math.isfinite(value)):
            state = statistic.FAILED
        told = self.optuna.trial.TrialState[ENDED[state]]
        self.study.tell(number, value if state == statistic.FINISHED else None, state=told)

    def _value(self, content):
        """The metric at the run's best epoch."""
        return jsonfile.number(content.get('metric', {}).get(self.metric))


class _Flock:
    """The lock of the journal while it is written to: the kernel frees it when we are killed. Optuna's own, a link, would be waited for."""

    def __init__(self, journal):
        self._path = journal.with_name(f'{journal.name}.lock')

    def acquire(self):
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return True

    def release(self):
        os.close(self._descriptor)


def _number(text):
    """A float of history.csv's, or None."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def check(root, options, config):
    """Raises Refusal for what is missing, before a tag is spent."""
    metric(options, config)
    _optuna(root)


def metric(options, config):
    """The name of what is to be made best: --metric, else what config.py watches. Raises Refusal."""
    name = options.metric or trials.literal(config, 'watch')
    if not isinstance(name, str):
        raise Refusal('--metric NAME is needed: config.py does not say what it watches')
    return name


def direction(metric, config):
    """'min' or 'max': config.py's watch_mode where it is what is watched, in whatever phase; else by its name."""
    watch = trials.literal(config, 'watch')
    like = table.Run('', {}, watch if isinstance(watch, str) else None, trials.literal(config, 'watch_mode'))
    found = table.direction([like], table.Column('metric', metric))
    return found if found in ('min', 'max') else 'max'


def _optuna(root):
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise Refusal(f'--search and --prune need the package {error.name}: {quote(sys.executable)} -m pip install -r '
                      f'{quote(root / "code" / REQUIREMENTS)}') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
