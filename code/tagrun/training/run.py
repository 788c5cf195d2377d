"""One run, from inside: its arguments and seed, and what happens around each batch and each epoch.

    with open_run(config) as run:            # see main.py for the whole loop
        run.begin(state, loaders)
        for batch in run.batches(state, loader, 'train'): …
        run.end_epoch(state)
        run.finish(hook, state)

run.json, in the folder that TAGRUN_RUN names, says what to train. A run knows nothing of the model:
what is trained, and how, is in main.py, epoch.py and state.py. It has two collaborators: group.py
agrees with the other processes, output.py writes.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any, NoReturn

import torch
from torch import nn

from tagrun.store import checkpoints, pruning, run_json, statistic
from tagrun.training import args as arguments
from tagrun.training import distributed, seeding, state_parts, summaries
from tagrun.training.checkpoint import is_nth
from tagrun.training.checks import check_batches, check_phases, check_plain, check_state
from tagrun.training.class_names import class_names
from tagrun.training.closing import attempt, cause
from tagrun.training.epoch_history import METRIC, EpochHistory, as_saved, columns
from tagrun.training.group import Alone, Group
from tagrun.training.loader import (
    TRAIN,
    count_samples,
    moved,
    order_digest,
    watch_workers,
)
from tagrun.training.meter import Meter
from tagrun.training.output import Digest, Files
from tagrun.training.phase_batches import PhaseBatches
from tagrun.training.report import describe, info
from tagrun.training.run_inputs import RunInputs
from tagrun.training.short_run import ShortRun
from tagrun.training.signals import Pruned, Stop
from tagrun.training.silent_output import Silent
from tagrun.training.trace import TrainedStep, batch_digest

SHOW_S = 1  # after which readers see the trace: `rerun -f` follows it


class Run:
    """A run that this process trains; open_run makes it.

    folder: its own. root: the project's. args: config.py's arguments and the seed. device: to train
    on. samples: how many the training batch under way has, in all processes together.
    """

    def __init__(
        self,
        config: ModuleType,
        folder: Path,
        group: Alone | Group,
        output: Files | Silent,
    ) -> None:
        self.folder, self.info = folder, run_json.read(folder)
        self.root = folder.parents[2]  # not run.json's: the project may have been moved since
        self.args, self.device = SimpleNamespace(), torch.device('cpu')
        self._group, self._output, self._stop = group, output, Stop(info)
        self._inputs = RunInputs(self.root, folder, self.info, group, output)
        self._output.acquire(self.info)
        self._group.begin()
        os.chdir(self.root)
        self._history: EpochHistory | None = None  # the state's, once `begin` has it
        self._classes: dict[str, list[str] | None] = {}  # their names by phase
        self.samples = 0  # of the training batch under way, in all processes together
        self._meter = Meter()  # the state's, once `begin` has it
        self._step = 0  # the training step under way, or the last one
        self._hook_failure = ''  # of `finish`, in a line
        # when the epoch's clock went on, when it was last saved, when the trace was last shown
        self._since = self._saved = self._shown = time.monotonic()
        try:
            self.args = arguments.load(config, self.info['seed'], self.info.get('set', {}))
            self._short_run = ShortRun(self.info, self.args, folder)
            self._source = PhaseBatches(self.args, self._short_run, self._group.stream)
            self._output.begin(self.args)
            self.device = _set_up_torch(self.args)
            # what build_loaders draws follows from the seed, too
            seeding.seed_everything(self.args.seed)
        except Exception as error:  # a value in config.py; there is nothing to close yet
            self._exit([error])

    def begin(self, state: Any, loaders: Mapping[str, Any]) -> None:
        """Restore the newest checkpoint, if there is one, and open the files that training writes.

        loaders: {'train': …, 'val': …}, an iterable of batches for each phase of config.py.
        """
        check_state(state)
        check_plain(state)
        check_phases(self.args.phases, loaders, self.args.epochs)
        check_batches(self.args.phases, loaders)
        self._classes = class_names(loaders)
        watch_workers(loaders)
        self._group.check(self.args.phases, state, loaders)
        saved = distributed.own_part(self._inputs.restore(state), state)
        self._source.restore(saved)
        self._history, self._step = state.history, state.step
        if isinstance(getattr(state, 'meter', None), Meter):
            self._meter = state.meter
        self._short_run.begin(state, saved)
        self._output.open(self.args, self.device, state, loaders, saved)
        self._since = self._saved = self._shown = time.monotonic()
        self._output.report(state.history)

    def weights_of(
        self, word: str, part: str = '', into: nn.Module | None = None, strict: bool = True
    ) -> dict[str, Any]:
        """Return {name: tensor} of another run's checkpoint or of a file: a teacher, an encoder.

        word: 'pre/0:best', 'pre/0:3' or a path. part: a network or module of it, e.g. 'encoder'.
        into: a module that gets them; strict: whether those that do not fit are refused, or
        printed. They are on the CPU. Of several processes all call it. run.json records the file
        with its SHA-256; a rerun, and this run when it goes on, take the same. Raises InputError.
        """
        return self._inputs.weights_of(word, part, into, strict)

    def should_stop(self, state: Any) -> bool:
        """Return whether training is over: all epochs are done, or patience has run out.

        With epochs = None it goes on until it is stopped.
        """
        return self._is_last(state.epoch) or state.history.out_of_patience()

    def _is_last(self, epoch: int) -> bool:
        """Return whether config.py asks for no more than these epochs."""
        return self.args.epochs is not None and epoch >= self.args.epochs

    def phases(self, state: Any) -> Iterator[str]:
        """Yield config.py's phases that this epoch still has to do, in their order.

        Of two evaluations (any other phase than 'train') eval_interval epochs lie between. The last
        epoch has them, too.
        """
        interval = getattr(self.args, 'eval_interval', 1)
        epoch = state.epoch + 1
        evaluates = is_nth(epoch, interval) or self._is_last(epoch)
        for phase in self.args.phases:
            is_due = evaluates or phase == TRAIN or TRAIN not in self.args.phases
            # others were done before an interruption
            if is_due and phase not in state.metrics:
                yield phase

    # --- around each batch -----------------------------------------------------------------------

    def batches(self, state: Any, loader: Any, phase: str) -> Iterator[Any]:
        """Yield the loader's batches, on the device, from where the run stands in this phase.

        After each one it is traced and counted; when it is time, or a signal asks for it, the run
        is saved in between. A `break` counts the batch in whose step it stands, if the meter was
        given something of it, or is not used.
        """
        if state.phase != phase:
            state.phase, state.batch = phase, 0
            self._meter.reset()
        count = self._counter(state, loader, phase)
        remaining = self._output.first_seen(self._source.remaining(state, loader, phase), phase)
        for batch in self._group.divided(remaining, state, loader):
            if phase == TRAIN:
                digests = order_digest(loader, state.batch), batch_digest(batch)
                self.samples = count_samples(loader, state.batch, batch)
                self._step = state.step + 1
            else:
                digests = '', ''
            self._meter.begin_step()
            try:
                yield moved(batch, self.device)
            except GeneratorExit:
                if self._meter.last or not self._meter.is_used():
                    count(digests)
                raise
            count(digests)
            self._save_or_stop(state)
            self._short_run.moment(state)

    def _counter(self, state: Any, loader: Any, phase: str) -> Callable[[tuple[str, str]], None]:
        """Return what counts a batch that was trained or evaluated; it takes its digests."""
        batches = self._source.count(loader, phase)
        step_bar = self._output.begin_phase(phase, state.epoch + 1, batches, state.batch)
        trace_step = self._group.step_tracer(self._output.trace_step)
        groups = state_parts.rate_groups(state)

        def count(digests: tuple[str, str]) -> None:
            state.batch += 1
            if phase == TRAIN:
                state.step += 1
                rates = state_parts.learning_rates(groups)
                given = self._meter.last
                trace_step(TrainedStep(state.epoch + 1, state.step, *digests, given, rates))
            step_bar(self._meter)

        return count

    def _save_or_stop(self, state: Any) -> None:
        clock = time.monotonic()
        if clock - self._shown > SHOW_S:
            self._output.show()
            self._shown = clock
        at_once = self._short_run.save_due(state)
        due = at_once or clock - self._saved > 60 * self.args.save_minutes
        # several processes look at a phase's first step: they trace it at once, as one does
        is_first = state.batch == 1
        due, signal = self._group.poll(due, self._stop.signal, at_once or is_first)
        if due or signal:
            self._save(state, checkpoints.name_within(state.epoch + 1, state.phase, state.batch))
        if signal:
            self._stop_by(signal)

    def _stop_by(self, signal: int) -> NoReturn:
        """Stop all processes after the save before. The signal may have come to another one."""
        self._stop.signal = self._stop.signal or signal
        self._flush()
        raise self._stop.exception()

    def _flush(self) -> None:
        self._output.flush()
        self._group.barrier()

    def _save(self, state: Any, name: str, best: bool = False) -> Digest:
        state.seconds, self._since = self._seconds(state), time.monotonic()
        self._saved = time.monotonic()
        state.metrics = as_saved(state.metrics)
        built = {'built': self._inputs.built}
        more = {'read': self._source.read(), **built, **self._group.rank_states(state)}
        return self._output.save(state, name, more, best)

    def _seconds(self, state: Any) -> float:
        """Return the seconds of training in this epoch, pauses left out."""
        return state.seconds + time.monotonic() - self._since

    # --- at an epoch's end -----------------------------------------------------------------------

    def end_epoch(self, state: Any) -> None:
        """Record the epoch's metrics, print them and save the run.

        A number of state.metrics becomes a column, a 1-d array a column for each class, a square
        matrix a heatmap. Raises TypeError for what is none of these, when all else is saved.
        """
        numbers, matrices, refused = columns(state.metrics, self._classes)
        rates = state_parts.learning_rates(state_parts.rate_groups(state))
        row = {**numbers, **state_parts.as_floats(rates)}
        # of a metric that each process has of its own, the first one's: all stop after one epoch
        row, refused = self._group.broadcast((row, refused))
        best = state.history.add(row, matrices, self._seconds(state))
        state.epoch, state.phase, state.batch = state.epoch + 1, None, 0
        state.metrics, state.seconds = {}, 0.0
        self._since = time.monotonic()
        last = self.should_stop(state)
        reason = '' if last else pruning.reason(self.folder)
        signal, reason = self._group.poll_epoch(self._stop.signal, reason)
        self._output.end_epoch(state, numbers, last)
        is_regular = is_nth(state.epoch, self.args.save_interval)
        due = is_regular or last or best or signal or reason or refused
        self._report_epoch(state, bool(due), best)
        self._short_run.end_epoch(state)
        self._short_run.moment(state)
        if refused:
            self._flush()
            raise TypeError(
                f'{"; ".join(refused)}: {METRIC}. Epoch {state.epoch} is saved without it'
            )
        if reason and not last:
            self._flush()
            raise Pruned(reason)
        if signal and not last:
            self._stop_by(signal)

    def _report_epoch(self, state: Any, due: bool, best: bool) -> None:
        if due:
            digest = self._save(state, f'epoch_{state.epoch}.pth', best)
        else:
            digest = self._output.weights_digest(state)
        self._output.trace_weights(state.epoch, digest)
        self._output.report(state.history)

    # --- what else TensorBoard and the disk get --------------------------------------------------

    def scalar(self, name: str, value: Any) -> None:
        """Show a number, or a tensor of one, in TensorBoard at the current training step.

        A resumed run cuts it back, as all that TensorBoard shows. Of several processes the first
        one shows it. What cannot be shown is said once, here and for the other four kinds.
        """
        self._output.scalar(name, value, self._step)

    def text(self, name: str, value: Any) -> None:
        """Show a text, as Markdown, in TensorBoard at the current training step."""
        self._output.summary(summaries.text, name, value, self._step)

    def image(self, name: str, value: Any) -> None:
        """Show an image in TensorBoard: (H, W), (C, H, W) or (H, W, C), with C of 1, 3 or 4.

        Integers go from 0 to 255, other numbers from 0 to 1.
        """
        self._output.summary(summaries.image, name, value, self._step)

    def figure(self, name: str, value: Any) -> None:
        """Show a matplotlib Figure in TensorBoard, and close it in pyplot."""
        self._output.summary(summaries.figure, name, value, self._step)

    def histogram(self, name: str, value: Any) -> None:
        """Show the distribution of an array or tensor in TensorBoard."""
        self._output.summary(summaries.histogram, name, value, self._step)

    def on_checkpoint(self, function: Callable[[Path], object]) -> None:
        """Call function(path) whenever a checkpoint is on disk, e.g. to copy it elsewhere.

        It runs beside training, in the thread that writes; call it after `begin`. What it raises
        is said, and training goes on. Of several processes the first one calls it.
        """
        self._output.on_checkpoint(function)

    # --- at the run's end ------------------------------------------------------------------------

    def finish(self, hook: Callable[['Run', Any], object] | None, state: Any) -> None:
        """Call hook(run, state), if there is one: training is over, and all of it is on disk.

        It has a seed of its own. Where it fails the run is finished all the same; the failure is in
        `message` of statistic.json, and `continue` calls the hook again.
        """
        if hook is None:
            return
        self._flush()
        seeding.seed_everything(seeding.mix(self.args.seed, 'finish', *self._group.stream))
        failure = ''
        try:
            hook(self, state)
        except Exception as error:  # the researcher's own: what was trained is whole
            ending = describe([error], self.folder)
            failure = f'{statistic.HOOK_FAILED}: {ending.line}'
            text = f'is trained, but finish(run, state) {ending.text}'
            self._output.announce(ending._replace(text=text))
        self._hook_failure = self._group.first_failure(failure)

    def __enter__(self) -> 'Run':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the run and say how it ended: on disk, on the screen and by the exit code.

        What fails here is added to the error that ended the run, and every later step is done.
        """
        self._stop.begin_exit()
        errors: list[BaseException] = []
        if error is not None:
            self._group.disarm()
            errors.append(cause(error, self._stop))
        for close in self._output.closing_steps():
            attempt(close, errors)
        if not errors:
            attempt(self._finish, errors)
        if errors:
            self._fail(errors)
        self._group.leave()

    def _finish(self) -> None:
        """Record that the run is finished, the status last.

        A run that is killed before it is continued, and not listed a second time.
        """
        self._group.barrier()
        self._output.add_to_finished()
        message = self._hook_failure or None
        self._output.write_final_status(self.args, self._history, statistic.FINISHED, message)

    def _fail(self, errors: list[BaseException]) -> NoReturn:
        if not attempt(lambda: self._write_status(errors), errors):
            attempt(lambda: self._write_status(errors), errors)  # with what has just failed
        self._exit(errors)

    def _write_status(self, errors: list[BaseException]) -> None:
        status, message = self._group.final_status(describe(errors, self.folder))
        self._output.write_final_status(self.args, self._history, status, message)

    def _exit(self, errors: list[BaseException]) -> NoReturn:
        """Announce how the run ended, and end the process."""
        self._group.exit(describe(errors, self.folder), self._output.announce)


def _set_up_torch(args: SimpleNamespace) -> torch.device:
    """Set what config.py says of this machine. Returns the device to train on."""
    seeding.set_determinism(args.determinism, args.torch_compile)
    torch.set_num_threads(args.threads)
    return distributed.own_device(args.device)
