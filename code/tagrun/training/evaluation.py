"""One evaluation of a trained run, from inside: main.py's loop around phases that do not train.

    with open_run(config) as run:       # where run.json, in TAGRUN_RUN, has the key `evaluate`
        run.begin(state, loaders)       # the whole state, from the checkpoint
        for batch in run.batches(state, loader, 'test'): …
        run.end_epoch(state)

It has the methods of run.py's Run that main.py and epoch.py use. Each phase begins with the state
as the checkpoint has it, and with the seeds and the order that it had when the run measured it: so
the same phase gives the same bits. The loader of 'train' goes to epoch.py under the name
TRAIN_SET, so that `phase == 'train'` is false there; the metrics are called train/… all the same.
It writes into its own folder alone: statistic.json, confusion.json, environment.json, log, lock.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any, NoReturn

import torch

from tagrun.store import checkpoints, confusion, lock, run_json, statistic
from tagrun.training import args as arguments
from tagrun.training import (
    checkpoint,
    distributed,
    environment,
    log_head,
    seeding,
    shards,
    sizes,
    state_parts,
)
from tagrun.training.checks import check_batches, check_state
from tagrun.training.class_names import class_names, phase_of
from tagrun.training.closing import attempt
from tagrun.training.epoch_history import METRIC, columns
from tagrun.training.group import Alone
from tagrun.training.loader import TRAIN, count_samples, moved, watch_workers
from tagrun.training.meter import Meter
from tagrun.training.phase_batches import PhaseBatches
from tagrun.training.progress import Bars
from tagrun.training.report import Ending, describe, ended, info, now
from tagrun.training.run_inputs import RunInputs
from tagrun.training.short_run import ShortRun
from tagrun.training.signals import Stop

TRAIN_SET = 'train set'  # what epoch.py gets in place of 'train'


class Evaluation:
    """An evaluation that this process makes; open_run makes it.

    folder: its own, and not the run's. root: the project's. args: the run's, with what was set
    for this evaluation. samples: how many the batch under way has.
    """

    def __init__(self, config: ModuleType, folder: Path) -> None:
        self.folder, self.info = folder, run_json.read(folder)
        self.root = folder.parents[4]  # of <root>/__result__/<tag>/<id>/evaluation/<n>
        self.args, self.device = SimpleNamespace(), torch.device('cpu')
        self.samples = 0
        self._request: dict[str, Any] = self.info[run_json.EVALUATE]
        self._inputs = RunInputs(self.root, folder, self.info, Alone())
        self._stop = Stop(info, 'stopping after this batch')
        self._acquire()
        os.chdir(self.root)
        self._phases: list[str] = []  # as epoch.py gets them
        self._classes: dict[str, list[str] | None] = {}  # their names by phase
        self._meter = Meter()  # the state's, once `begin` has it
        self._weights = ''  # the digest of the checkpoint's
        self._is_whole_epoch = False  # the checkpoint was saved at an epoch's end
        self._is_measured = False
        self._started, self._since = now(), time.monotonic()
        self._content = self._first_content()
        try:
            self.args = _arguments(config, self.info)
            self._log.head(log_head.of_arguments(self.args))
            self._source = PhaseBatches(self.args, ShortRun({}, self.args, folder), ())
            seeding.set_determinism(self.args.determinism, self.args.torch_compile)
            torch.set_num_threads(self.args.threads)
            self.device = distributed.own_device(self.args.device)
            seeding.seed_everything(self.args.seed)
            self._bars = Bars(None, 0, self._log.screen, one_phase=True)
            self._log.draw_below(self._bars.block)
            self._write(statistic.RUNNING)
        except Exception as error:  # a value in config.py; there is nothing to close yet
            self._fail([error])

    def _acquire(self) -> None:
        """Take the evaluation's lock and open its log. End the process if another one has it."""
        try:
            self._lock = lock.Lock(self.folder)
        except lock.Held as held:
            log_head.say_held(self.info, held)
            distributed.leave(1)
        self._log = log_head.open_log(self.folder, self.info)

    def begin(self, state: Any, loaders: Any) -> None:
        """Load the whole state from the checkpoint, after its SHA-256 was compared.

        loaders: {'train': …, 'val': …}. Raises ValueError for a phase without a loader, and
        checkpoint.Damaged for a file that is not the one that was chosen.
        """
        check_state(state)
        self._phases = self._chosen_phases(loaders)
        check_batches(self._phases, loaders)
        self._classes = class_names(loaders)
        watch_workers(loaders)
        if isinstance(getattr(state, 'meter', None), Meter):
            self._meter = state.meter
        self._restore(state)
        self._weights = _digest(state)
        self._content |= {
            'epoch': state.epoch + self._is_whole_epoch,
            'phases': [self._name(phase) for phase in self._phases],
            'digest': {'checkpoint': self._request['sha256'], 'weights': self._weights},
            'parameters': sizes.parameters(state),
            'samples': sizes.samples(_without(loaders, TRAIN_SET)),
        }
        environment.record(self.folder, self.device, _without(loaders, TRAIN_SET))
        self._since = time.monotonic()

    def _chosen_phases(self, loaders: Any) -> list[str]:
        """Return the phases as epoch.py gets them; put the loader of 'train' under its new name."""
        phases = self._request['phases']
        if phases is None:
            phases = [phase for phase in self.args.phases if phase != TRAIN]
        if not phases:
            raise ValueError(
                "config.py: phases has 'train' alone: --phase train measures the network on it"
            )
        missing = [phase for phase in phases if phase not in loaders]
        if missing:
            raise ValueError(
                f'there is no phase {", ".join(map(repr, missing))}: build_loaders gave '
                f'{", ".join(map(repr, loaders))}'
            )
        if TRAIN not in phases:
            return list(phases)
        loaders[TRAIN_SET] = loaders[TRAIN]
        return [TRAIN_SET if phase == TRAIN else phase for phase in phases]

    def _name(self, phase: str) -> str:
        """Return what a phase is called in the metrics, and what its seeds follow from."""
        return TRAIN if phase == TRAIN_SET else phase

    def _restore(self, state: Any) -> None:
        """Put into `state` what the checkpoint holds. It stands before the epoch that it ended.

        So a phase has the random numbers that it had when the run measured it.
        """
        name, wanted = self._request['checkpoint'], self._request['sha256']
        if checkpoints.listed(self.folder).get(name) != wanted:
            raise checkpoint.Damaged(f'{name} is not the one that was to be evaluated, or is gone')
        state.load_state_dict(shards.load(self.folder, name)['state'])
        self._is_whole_epoch = state.phase is None and state.epoch > 0
        state.epoch -= self._is_whole_epoch
        state.phase, state.batch, state.metrics, state.seconds = None, 0, {}, 0.0

    def weights_of(
        self, word: str, part: str = '', into: torch.nn.Module | None = None, strict: bool = True
    ) -> dict[str, Any]:
        """Return the weights that the run took; see Run.weights_of."""
        return self._inputs.weights_of(word, part, into, strict)

    # --- the loop --------------------------------------------------------------------------------

    def should_stop(self, state: Any) -> bool:
        """Return whether all phases are measured."""
        return self._is_measured

    def phases(self, state: Any) -> Iterator[str]:
        """Yield the phases to measure. One that changed the weights is followed by a fresh state.

        So each phase measures what the checkpoint holds.
        """
        for phase in self._phases:
            yield phase
            if _digest(state) != self._weights:
                self._say_changed(self._name(phase))
                metrics = state.metrics
                self._restore(state)
                state.metrics = metrics

    def _say_changed(self, phase: str) -> None:
        line = f'epoch.py changes the weights in phase {phase!r}, as training does'
        self._content['message'] = line
        info(f'tagrun: {line}: the next phase begins with those of the checkpoint')

    def batches(self, state: Any, loader: Any, phase: str) -> Iterator[Any]:
        """Yield the loader's batches, on the device."""
        if state.phase != phase:
            state.phase, state.batch = phase, 0
            self._meter.reset()
        name = self._name(phase)
        self._bars.phase(name, state.epoch + 1, self._source.count(loader, name), state.batch)
        for batch in self._source.remaining(state, loader, name):
            self._record_shapes(name, batch)
            self.samples = count_samples(loader, state.batch, batch)
            self._meter.begin_step()
            yield moved(batch, self.device)
            state.batch += 1
            self._bars.step(self._meter)
            if self._stop.signal:
                raise self._stop.exception()

    def _record_shapes(self, phase: str, batch: Any) -> None:
        shapes = self._content.setdefault('batch', {})
        if phase not in shapes:
            shapes[phase] = sizes.shapes(batch)

    def end_epoch(self, state: Any) -> None:
        """Keep what was measured, for statistic.json and confusion.json.

        Raises TypeError for what is not a metric, as a run does.
        """
        metrics = {self._name(phase): values for phase, values in state.metrics.items()}
        numbers, matrices, refused = columns(metrics, self._classes)
        if refused:
            raise TypeError(f'{"; ".join(refused)}: {METRIC}')
        self._content['metric'] = numbers
        tables = {name: (self._classes_of(name), each.tolist()) for name, each in matrices.items()}
        if tables:
            confusion.write(self.folder, self._content['epoch'], tables)
        self._is_measured = True
        words = [f'{name} {number:.4f}' for name, number in numbers.items()]
        self._log.only_file(f'{"  ".join(words)}\n')

    def _classes_of(self, metric: str) -> list[str] | None:
        return self._classes.get(phase_of(metric, self._classes))

    # --- what Run shows in TensorBoard, and an evaluation does not --------------------------------

    def scalar(self, name: str, value: Any) -> None:
        """Show nothing: an evaluation has no TensorBoard."""

    def text(self, name: str, value: Any) -> None:
        """Show nothing."""

    def image(self, name: str, value: Any) -> None:
        """Show nothing."""

    def figure(self, name: str, value: Any) -> None:
        """Show nothing."""

    def histogram(self, name: str, value: Any) -> None:
        """Show nothing."""

    def on_checkpoint(self, function: Callable[[Path], object]) -> None:
        """Save nothing, and so never call it."""

    def finish(self, hook: Callable[[Any, Any], object] | None, state: Any) -> None:
        """Do not call epoch.py's finish(run, state): it belongs to the end of training."""

    # --- the end ---------------------------------------------------------------------------------

    def __enter__(self) -> 'Evaluation':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write how it ended. `finished` comes last: what was killed before does not count."""
        self._stop.begin_exit()
        errors = [] if error is None else [error]
        attempt(self._bars.close, errors)
        attempt(self._log.say_warnings, errors)
        if not errors:
            attempt(lambda: self._write(statistic.FINISHED), errors)
        if errors:
            self._fail(errors)
        Alone().leave()

    def _fail(self, errors: list[BaseException]) -> NoReturn:
        """Say why it failed or stopped, on disk and on the screen; end the process."""
        ending = _ending(errors, self.folder)
        if not attempt(lambda: self._write(ending.status, ending.line), errors):
            ending = _ending(errors, self.folder)
        Alone().exit(ending, self._announce)

    def _announce(self, ending: Ending) -> None:
        say_traceback = info if os.environ.get('TAGRUN_DEBUG') else self._log.only_file
        line = f'tagrun: {run_json.name(self.info)} {ending.text}'
        for say, text in ((say_traceback, ending.traceback), (info, line)):
            with contextlib.suppress(Exception):  # should one be gone, the other says it
                say(text)

    def _first_content(self) -> dict[str, Any]:
        """Return what statistic.json says before anything was measured."""
        return {
            'run': f'{self.info["tag"]}/{self.info["id"]}',
            'evaluation': self._request['id'],
            'status': statistic.RUNNING,
            'checkpoint': self._request['checkpoint'],
            'set': self._request['set'],
            'seed': self.info['seed'],
            'commit': self.info['commit'],
            'metric': {},
            'digest': {'checkpoint': self._request['sha256']},
        }

    def _write(self, status: str, message: str | None = None) -> None:
        seconds = time.monotonic() - self._since
        times = {'started': self._started, 'updated': now(), 'seconds': seconds}
        settings = {name: value for name, value in vars(self.args).items() if name != 'seed'}
        asked = {key: getattr(self.args, key, None) for key in ('monitor', 'monitor_mode')}
        content = {**self._content, **asked, 'hparam': settings, 'time': times}
        message = message or self._content.get('message')
        statistic.write(self.folder, ended(content, status, message))


def _arguments(config: ModuleType, content: dict[str, Any]) -> SimpleNamespace:
    """Return the run's arguments, with the values that were set for this evaluation.

    content: that of run.json. JSON has made a list of a tuple: it becomes one again.
    """
    args = arguments.load(config, content['seed'], content.get('set', {}))
    for name, value in content[run_json.EVALUATE]['set'].items():
        is_tuple = isinstance(getattr(args, name, None), tuple) and isinstance(value, list)
        setattr(args, name, tuple(value) if is_tuple else value)
    return args


def _digest(state: Any) -> str:
    return checkpoint.weights_digest(state_parts.weights_now(state))


def _without(loaders: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {phase: loader for phase, loader in loaders.items() if phase != name}


def _ending(errors: list[BaseException], folder: Path) -> Ending:
    """Return how it ended; of one that was stopped nothing is kept."""
    ending = describe(errors, folder)
    if ending.status != statistic.INTERRUPTED:
        return ending
    line = f'stopped by {errors[0] if str(errors[0]) else "Ctrl-C"}: nothing of it counts'
    return ending._replace(line=line, text=line)
