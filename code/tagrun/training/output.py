"""What a run writes and shows: checkpoints, trace, TensorBoard, bars, reports, log.

    output = Files(folder)      # the process that writes
    output = Silent(folder)     # a further process of the same training: silent_output.py

Both have the same methods. The order in which a run calls them: acquire, restore, open, report; in
each phase begin_phase; at each step what trace_step and begin_phase gave; end_epoch; closing_steps;
add_to_finished; write_final_status or announce.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from tagrun.store import atomic, beneath, confusion, history, layout, lock, run_json, statistic
from tagrun.training import (
    by_hand,
    checkpoint,
    data_split,
    distributed,
    environment,
    graph,
    log_head,
    seeding,
    shards,
    state_parts,
    values,
)
from tagrun.training.args import former
from tagrun.training.checks import warn_of_unsaved
from tagrun.training.class_names import class_names, phase_of
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.epoch_table import EpochTable
from tagrun.training.loader import count_batches
from tagrun.training.log import Log
from tagrun.training.progress import Bars
from tagrun.training.report import Ending, ended, epoch_line, first_start, info, now, report
from tagrun.training.sizes import Sizes
from tagrun.training.startup import Startup
from tagrun.training.trace import Trace, TrainedStep
from tagrun.training.writer import Writer

HEATMAP_S = 30  # at least between two drawings of a confusion matrix
Digest = Future | str | None  # the SHA-256 of the weights, now or when the background has it


class Files:
    """All that a run leaves in its folder, and what it shows on the screen."""

    def __init__(self, folder: Path) -> None:
        self.last_report: dict[str, Any] | None = None  # what statistic.json says
        self._folder = folder
        self._background = checkpoint.Background()
        self._closers: list[Callable[[], None]] = []  # of what is open, in that order
        self._started = first_start(folder) or now()
        self._sizes = Sizes(folder)
        self._history_text = history.Text()
        self._digest: Digest = None  # of the last epoch's weights
        self._matrices: dict[str, Any] | None = None  # those that confusion.json has
        self._drawn = time.monotonic()  # when a confusion matrix was drawn last
        self._startup: Startup | None = None  # what the screen shows until `open`
        self._first_epoch = 1  # that this run trains: more, where it began with a checkpoint
        self._former: dict[str, Any] = {}  # arguments that had other values at an earlier start
        # made by `acquire`
        self._info: dict[str, Any]
        self._lock: lock.Lock
        self._log: Log
        # made by `open`
        self._args: SimpleNamespace
        self._classes: dict[str, list[str] | None]
        self._checkpoints: checkpoint.Checkpoints
        self._trace: Trace
        self._writer: Writer
        self._bars: Bars
        self._table: EpochTable

    # --- the beginning ---------------------------------------------------------------------------

    def acquire(self, info: dict[str, Any]) -> None:
        """Take the run's lock and open its log. End the process if another one has the lock."""
        self._info = info
        try:
            self._lock = lock.Lock(self._folder)
        except lock.Held as held:
            log_head.say_held(info, held)
            distributed.leave(1)
        self._log = log_head.open_log(self._folder, info)

    def begin(self, args: SimpleNamespace) -> None:
        """Write the arguments, as they are trained, to the head of the log.

        Until `open` is called, the data and the model are loaded.
        """
        self._log.head(log_head.of_arguments(args))
        self._startup = Startup(self._log)

    def restore(self, name: str | None, state: Any) -> dict[str, Any]:
        """Load checkpoint `name`, or the newest before it that is whole; {} where there is none."""
        return checkpoint.restore_newest(self._folder, name, state, shards.load)

    def open(
        self,
        args: SimpleNamespace,
        device: torch.device,
        state: Any,
        loaders: Mapping[str, Any],
        saved: dict[str, Any],
    ) -> None:
        """Open all files that training writes. saved: the restored checkpoint, or {}."""
        self._args = args
        self._former = former(self._folder, args) if saved else {}
        warn_of_unsaved(state)
        self._digest = saved.get('weights')
        self._classes = class_names(loaders)
        self._open_checkpoints(state)
        self._open_trace(state, saved, _total_steps(args, loaders))
        self._writer = Writer(self._folder, saved.get('tensorboard'))
        self._closers.append(self._writer.close)
        environment.record(self._folder, device, loaders)
        if not saved.get('tensorboard'):
            self._first_epoch = state.epoch + 1
            data_split.warn(self._folder.parents[2], self._folder, self._info)
            self._draw_graph(state, device, loaders)
        if saved and not saved.get('tensorboard') and state.epoch >= (args.epochs or math.inf):
            info(f'all {args.epochs} epochs are trained already: --set epochs=… trains longer')
        self._sizes.begin(state, loaders)
        if self._startup:
            self._startup.end()
        self._bars = Bars(args.epochs, state.epoch, self._log.screen, monitor=args.monitor)
        self._bars.best(state.history)
        self._table = EpochTable(args.epochs)
        self._log.draw_below(self._bars.block)
        self._closers += [self._log.say_warnings, self._bars.close]
        # the names of the run's folder, its tag's and __result__, should the power go
        for parent in self._folder.parents[:3]:
            self._background.submit(atomic.sync_folder, parent)

    def _open_checkpoints(self, state: Any) -> None:
        self._checkpoints = checkpoint.Checkpoints(
            self._folder,
            self._background,
            self._args.keep_last,
            self._args.keep_every,
            best=f'epoch_{state.history.best_epoch}.pth',
        )
        self._checkpoints.check_room(state.state_dict())

    def _open_trace(self, state: Any, saved: dict[str, Any], total_steps: int) -> None:
        self._trace = Trace(self._folder, total_steps, self._args.stop_on_nan)
        self._trace.open(saved.get('trace', 0))
        self._closers.append(self._trace.close)
        # the checkpoint knew the file's size before the line of its own weights
        if saved and state.phase is None:
            self._trace.weights(state.epoch, saved['weights'])

    def _draw_graph(self, state: Any, device: torch.device, loaders: Mapping[str, Any]) -> None:
        """Draw the model's graph, from two samples."""
        model = state_parts.only_network(state)
        # a divided one the first process alone cannot run
        if model is None or distributed.is_sharded(model):
            return
        # not `or`: a loader over a stream has no length, and so no truth
        loader = loaders.get('val', loaders.get('train', ()))
        if isinstance(loader, Iterator):  # the batch would be gone
            return
        events, reason = graph.draw(distributed.unwrapped(model), loader, device)
        self._writer.graph(events)
        if reason:
            self._log.only_file(f'no graph in TensorBoard: {reason}\n')

    # --- while it trains -------------------------------------------------------------------------

    def first_seen(self, batches: Iterator[Any], phase: str) -> Iterator[Any]:
        """Return the batches; the shapes of a phase's first one are recorded as it passes."""
        return self._sizes.first_seen(batches, phase)

    def begin_phase(
        self, phase: str, epoch: int, batches: int | None, done: int
    ) -> Callable[[Any], None]:
        """Begin a bar. Returns what to call after each batch, with the state's meter."""
        self._bars.phase(phase, epoch, batches, done)
        return self._bars.step

    def trace_step(self, step: TrainedStep) -> None:
        """Add a training step to the trace and to TensorBoard."""
        self._trace.step(step)
        self._writer.step(step.step, step.values, step.rates)

    def scalar(self, name: str, value: Any, step: int) -> None:
        """Show a number in TensorBoard; say once that it cannot be shown."""
        self._writer.scalar(name, value, step)

    def summary(self, make: Callable[[str, Any], Any], name: str, value: Any, step: int) -> None:
        """Show what `make` (of summaries.py) makes of a value; say once that it cannot be shown."""
        self._writer.show_made(name, lambda: make(name, value), step)

    def on_checkpoint(self, function: Callable[[Path], object]) -> None:
        """Call function(path) when a checkpoint is on disk; say what it raises."""
        self._checkpoints.on_saved = lambda path: _attempt_hook(function, path)

    def show(self) -> None:
        """Let readers see the steps so far."""
        self._trace.show()
        self._writer.show()

    def save(self, state: Any, name: str, ranks: dict[str, Any], best: bool) -> Digest:
        """Copy the run as it stands for the background to write. Returns the weights' digest.

        ranks: what each of several processes adds to the checkpoint.
        """
        content = {
            'state': self._state_dict(state, name),
            'random': seeding.random_state() if state.phase else None,
            'trace': self._trace.show(),
            'tensorboard': self._writer.flush(),
            **ranks,
        }
        self._background.submit(self._trace.sync)
        return self._checkpoints.save(name, content, best, list(state_parts.networks(state)))

    def _state_dict(self, state: Any, name: str) -> dict[str, Any]:
        """Return what the checkpoint holds. All processes write a model that is divided, now."""
        if not state_parts.is_sharded(state):
            return state.state_dict()
        self._background.wait()
        return shards.save_sharded(self._folder, name, state.state_dict())

    def weights_digest(self, state: Any) -> Digest:
        """Return the digest of the weights, of which no checkpoint is saved."""
        if state_parts.is_sharded(state):
            weights = shards.model_digests(state.model)
        else:
            weights = values.copied(state_parts.weights_now(state), name='state')
        return self._background.submit(checkpoint.weights_digest, weights)

    def flush(self) -> None:
        """Wait until all that was saved is on disk."""
        self._background.wait()

    # --- at an epoch's end -----------------------------------------------------------------------

    def end_epoch(self, state: Any, numbers: dict[str, float], last: bool) -> None:
        """Show the epoch's metrics: in a row, on the bars and in TensorBoard."""
        self._bars.epoch(state.history)
        line = epoch_line(state.history, self._args.epochs)
        self._log.print_row(line, lambda columns: self._table.rows(state.history, columns))
        if state.epoch == self._first_epoch:
            self._writer.hparams(self._args)
            self._check_monitor(state.epoch, numbers)
        self._writer.epoch(state.epoch, numbers)
        # a heatmap takes a tenth of a second: now and then, and at the end
        if last or time.monotonic() - self._drawn > HEATMAP_S:
            self._draw_matrices(state.history)
            self._drawn = time.monotonic()

    def _check_monitor(self, epoch: int, numbers: dict[str, float]) -> None:
        """Say that the first epoch cannot be the best, unless its phase comes in a later one."""
        phase = phase_of(self._args.monitor, self._args.phases)
        is_later = phase and not any(name.startswith(f'{phase}/') for name in numbers)
        if self._args.monitor not in numbers and not is_later:
            info(
                f'tagrun: epoch {epoch} cannot be the best: it has no {self._args.monitor}, which '
                f'is monitor in config.py, but {", ".join(numbers) or "no metric"}'
            )

    def _draw_matrices(self, epochs: EpochHistory) -> None:
        for name, matrix in epochs.matrices.items():
            classes = self._classes_of(name, len(matrix))
            self._writer.confusion(name, matrix, classes, epochs.best_epoch)

    def _classes_of(self, metric: str, count: int) -> list[str] | None:
        """Return the names of the phase's classes, where they are as many as the matrix has."""
        classes = self._classes.get(phase_of(metric, self._classes))
        return classes if classes and len(classes) == count else None

    def trace_weights(self, epoch: int, digest: Digest) -> None:
        """Add the line of an epoch's end to the trace."""
        assert digest is not None  # only a Silent output has none
        self._digest = digest
        self._trace.weights(epoch, digest)

    def report(self, epochs: EpochHistory) -> None:
        """Write history.csv and statistic.json in the background, after the checkpoint before."""
        content = report(self._info, self._args, epochs, self._started, self._former)
        self._background.submit(self._write_report, content, list(epochs.rows), self._digest)
        # those of a new best epoch, or of a checkpoint
        if epochs.matrices and epochs.matrices is not self._matrices:
            self._matrices = epochs.matrices
            tables = {
                name: (self._classes_of(name, len(matrix)), matrix.tolist())
                for name, matrix in epochs.matrices.items()
            }
            self._background.submit(confusion.write, self._folder, epochs.best_epoch, tables)

    def _write_report(
        self, content: dict[str, Any], rows: list[dict[str, Any]], digest: Digest
    ) -> None:
        if isinstance(digest, Future):
            digest = digest.result()
        if digest:
            content['digest']['weights'] = digest
        if rows:
            history.write(self._folder, rows, self._history_text)
        statistic.write(self._folder, {**content, **self._sizes.content})
        self.last_report = content

    # --- the end ---------------------------------------------------------------------------------

    def closing_steps(self) -> list[Callable[[], None]]:
        """Return what closes the run, in order. Each must be called, whatever another one raised.

        The background comes first, for it writes to files that the others close.
        """
        return [self._background.drain, *reversed(self._closers)]

    def add_to_finished(self) -> None:
        """Add the run to finished.txt, or say why it is not there: it is trained all the same.

        What git does not record is on no list.
        """
        if not self._info['commit']:
            return
        name = run_json.name(self._info)
        finished = layout.list_file(self._folder.parents[2], 'finished')
        try:
            beneath.make_folder(finished.parent)
            atomic.append_line(finished, name)
        except OSError as error:
            info(
                f'tagrun: {name} is trained, but could not be added to finished.txt '
                f'({error.strerror}): `tagrun doctor --fix` adds it'
            )

    def write_final_status(
        self, args: SimpleNamespace, epochs: EpochHistory | None, status: str, message: str | None
    ) -> None:
        """Write how the run ended to statistic.json. epochs: None if training never began.

        It comes after the last report: the background has nothing to do any more.
        """
        content = self.last_report or self._of_earlier_start(epochs)
        content = content or report(self._info, args, epochs, self._started, self._former)
        content = ended({**content, **self._sizes.content}, status, message)
        statistic.write(self._folder, content)
        if status == statistic.FINISHED and by_hand.is_by_hand(self._info):
            info(by_hand.summary(self._folder, content))

    def _of_earlier_start(self, epochs: EpochHistory | None) -> dict[str, Any] | None:
        """Return what statistic.json says, where this start of the run failed before it began."""
        return statistic.read_or_none(self._folder) if epochs is None else None

    def release(self) -> None:
        """Give back the screen and the run's lock, where the process lives on."""
        self._log.close()
        self._lock.release()

    def announce(self, ending: Ending) -> None:
        """Say how the run ended. The traceback is for the log, or with TAGRUN_DEBUG the screen."""
        if self._startup:
            self._startup.clear()
        say_traceback = info if os.environ.get('TAGRUN_DEBUG') else self._log.only_file
        line = f'tagrun: {run_json.name(self._info)} {ending.text}'
        if by_hand.is_by_hand(self._info):
            line += f'\n  its files: {self._folder}'
        for say, text in ((say_traceback, ending.traceback), (info, line)):
            with contextlib.suppress(Exception):  # should one be gone, the others tell
                say(text)


def _total_steps(args: SimpleNamespace, loaders: Mapping[str, Any]) -> int:
    """Return the training steps of all epochs; 0 where they are not known."""
    most = getattr(args, 'steps_per_epoch', 0)
    return (args.epochs or 0) * count_batches(loaders.get('train'), most)


def _attempt_hook(function: Callable[[Path], object], path: Path) -> None:
    try:
        function(path)
    except Exception as error:  # the researcher's own: the checkpoint is whole
        info(f'tagrun: {path.name} is saved, but your hook failed: {type(error).__name__}: {error}')
