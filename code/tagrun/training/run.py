"""One run, from inside: its folder, arguments and seed, and what happens around each batch and each epoch.

    with open_run(config) as run:            # see main.py for the whole loop
        run.begin(state, loaders)
        for batch in run.batches(state, loader, 'train'): …
        run.end_epoch(state)

`run` told it what to be through run.json in the folder that TAGRUN_RUN names; without that it is a scratch run, made by hand.
It knows nothing of the model: what is trained, and how, is in main.py, epoch.py and state.py.
"""
import contextlib
import itertools
import os
import sys
import time
from pathlib import Path

import torch

from tagrun.store import atomic, layout, lock, run_json, statistic
from tagrun.store import checkpoints as stored
from tagrun.training import args as arguments
from tagrun.training import checkpoint, environment, loader as order, progress, seeding
from tagrun.training.log import Log
from tagrun.training.report import describe, epoch_line, now, report, tell
from tagrun.training.signals import Stop, Stopped
from tagrun.training.trace import Trace, batch_digest
from tagrun.training.writer import Writer

HEATMAP_S = 30      # at least between two drawings of a confusion matrix
SHOW_S = 1          # after which the trace is shown to readers: `rerun -f` follows it
FAST_EPOCHS = 2


def open_run(config):
    """The run that TAGRUN_RUN names, or a new scratch run. Ends the process if somebody else is training it."""
    folder = os.environ.get(run_json.ENVIRONMENT)
    return Run(config, Path(folder) if folder else _scratch(Path(config.__file__).resolve().parent))


def _scratch(code):
    root = layout.root_of(code)
    number, folder = layout.claim(root, layout.SCRATCH)
    seed = int((code / 'seed').read_text())
    run_json.write(folder, run_json.build(root, layout.SCRATCH, number, None, seed))
    return folder


class Run:
    def __init__(self, config, folder):
        self.folder, self.info = folder, run_json.read(folder)
        try:
            self._lock = lock.Lock(folder)
        except lock.Held as held:
            sys.exit(f'tagrun: {run_json.name(self.info)} is being trained already: {held}')
        self.root = folder.parents[2]       # not run.json's: the project may have been moved since
        os.chdir(self.root)
        self._log = Log(folder / 'log')
        self._stop = Stop()
        self.args = arguments.load(config, self.info['seed'])
        self._fast = self.info.get('fast')
        if self._fast:
            self.args.epochs = min(self.args.epochs, FAST_EPOCHS)
        seeding.set_determinism(self.args.determinism, self.args.compile)
        torch.set_num_threads(self.args.threads)
        self.device = _device(self.args.device)
        self._background = checkpoint.Background()
        self._closing = contextlib.ExitStack()
        self._started, self._record, self._digest = _first_start(folder) or now(), None, None

    # --- the run's beginning -----------------------------------------------------------------------------------

    def begin(self, state, loaders):
        """Restore the newest checkpoint if there is one, open the files, say where the run stands."""
        _check_plain(state)
        _check_phases(self.args.phases, loaders)
        saved = self._restore(state)
        self._record, self._digest, self._random_state = state.record, saved.get('weights'), saved.get('random')
        self._classes = {phase: getattr(getattr(loader, 'dataset', None), 'classes', None) for phase, loader in loaders.items()}
        self._checkpoints = checkpoint.Checkpoints(self.folder, self._background, self.args.keep_last, self.args.keep_every)
        self._open_trace(state, saved, self.args.epochs * _length(loaders.get('train')))
        self._writer = Writer(self.folder, saved.get('tensorboard'))
        self._closing.callback(self._writer.close)
        self._write_environment(loaders)
        if not saved:
            self._draw_graph(state, loaders)
        self._bars = progress.Bars(self.args.epochs, state.epoch)
        self._closing.callback(self._bars.close)
        self._since = self._saved = self._shown = self._drawn = time.monotonic()
        self._report(statistic.RUNNING)

    def _open_trace(self, state, saved, total_steps):
        self._trace = Trace(self.folder, total_steps, self.args.stop_on_nan)
        self._trace.open(saved.get('trace', 0))
        self._closing.callback(self._trace.close)
        if saved and state.phase is None:  # the line of the checkpoint's own weights comes after what it knew of the file
            self._trace.weights(state.epoch, saved['weights'])

    def _restore(self, state):
        """Load the checkpoint that run.json names into `state`, or the newest before it that is whole; what was in it, or {}."""
        wanted, names = self.info['resume'], list(stored.listed(self.folder))
        if wanted is None:
            return {}
        for name in reversed(names[:names.index(wanted) + 1] if wanted in names else names):
            try:
                saved = checkpoint.load(self.folder, name)
            except (ValueError, RuntimeError, OSError) as error:
                print(f'tagrun: {error}; the one before it is taken', file=sys.stderr)
                continue
            state.load_state_dict(saved['state'])
            where = f'in epoch {state.epoch + 1}, after {state.batch} batches of {state.phase}' if state.phase else f'after epoch {state.epoch}'
            print(f'resumed {where} ({name})', file=sys.stderr)
            return saved
        print('tagrun: no checkpoint is whole; training begins anew', file=sys.stderr)
        return {}

    def _write_environment(self, loaders):
        changed = environment.write(self.folder, environment.collect(self.device, loaders))
        if changed:
            print(f'tagrun: not as at the first start of this run: {", ".join(changed)}; the same bits are not promised', file=sys.stderr)

    def _draw_graph(self, state, loaders):
        """The model's graph, from two samples; nothing that training draws later is touched: each phase is seeded."""
        example = next(iter(loaders.get('val') or loaders.get('train') or ()), None)
        if isinstance(example, (list, tuple)) and torch.is_tensor(example[0]):
            why_not = self._writer.graph(state.model, example[0][:2].to(self.device))
            if why_not:
                self._log.only_file(f'no graph in TensorBoard: {why_not}\n')

    # --- around each batch -------------------------------------------------------------------------------------

    def batches(self, state, loader, phase):
        """The loader's batches, on the device, from where the run stands in this phase.

        After each one it is traced and counted; when it is time, or a signal asks for it, the run is saved in between.
        """
        if state.phase != phase:
            state.phase, state.batch = phase, 0
            state.meter.reset()
        for batch in self._from_here(state, loader, phase):
            traced = (order.order_digest(loader, state.batch), batch_digest(batch)) if phase == 'train' else None
            yield _moved(batch, self.device)
            state.batch += 1
            if traced:
                state.step += 1
                loss = state.meter.last.get('loss')
                self._trace.step(state.epoch + 1, state.step, *traced, loss)
                self._writer.step(state.step, loss, state.optimizer.param_groups[0]['lr'])
            self._bars.step(state.meter)
            self._save_or_stop(state)
            if self._fast and state.batch >= self._fast:
                break

    def _from_here(self, state, loader, phase):
        """An iterator over what is left of the phase, with every generator as it was there."""
        seeding.seed_everything(seeding.mix(self.args.seed, phase, state.epoch))
        drop = order.start_at(loader, self.args.seed, state.epoch, state.batch)
        iterator = iter(loader)
        for _ in itertools.islice(iterator, drop):
            pass
        if self._random_state:
            seeding.restore(self._random_state)
            self._random_state = None
        self._bars.phase(phase, state.epoch + 1, _length(loader) or None, state.batch)
        return iterator

    def _save_or_stop(self, state):
        clock = time.monotonic()
        if clock - self._shown > SHOW_S:
            self._trace.show()
            self._shown = clock
        due = clock - self._saved > 60 * self.args.save_minutes
        if not due and not self._stop.wanted:
            return
        self._save(state, f'epoch_{state.epoch + 1}_{state.phase}_{state.batch}.pth')
        if self._stop.wanted:
            self._background.wait()
            raise Stopped(self._stop.wanted)

    def _save(self, state, name, best=False):
        """Hand the run as it stands to the background. Returns a future: the SHA-256 of the weights."""
        state.seconds, self._since = self._seconds(state), time.monotonic()
        content = {'state': state.state_dict(), 'random': seeding.random_state() if state.phase else None,
                   'trace': self._trace.show(), 'tensorboard': self._writer.flush()}
        self._background.submit(self._trace.sync)
        self._saved = time.monotonic()
        return self._checkpoints.save(name, content, best)

    def _seconds(self, state):
        """Of training in the epoch under way, pauses left out."""
        return state.seconds + time.monotonic() - self._since

    # --- at an epoch's end and at the run's ----------------------------------------------------------------------

    def end_epoch(self, state):
        """Record the epoch's metrics (numbers become columns, square matrices heatmaps), print them, save."""
        found = {f'{phase}/{name}': value for phase, metrics in state.metrics.items() for name, value in metrics.items()}
        matrices = {name: value for name, value in found.items() if torch.is_tensor(value) and value.ndim == 2}
        numbers = {name: float(value) for name, value in found.items() if name not in matrices}
        lr = state.optimizer.param_groups[0]['lr']
        better = state.record.add({**numbers, 'lr': lr}, matrices, self._seconds(state))
        state.epoch, state.phase, state.batch, state.metrics, state.seconds = state.epoch + 1, None, 0, {}, 0.0
        self._since = time.monotonic()
        last = state.epoch >= self.args.epochs or state.record.out_of_patience()
        self._bars.epoch()
        print(epoch_line(state.record, self.args.epochs))
        self._show(state, numbers, last)
        if last or better or self._stop.wanted or state.epoch % self.args.save_interval == 0:
            self._digest = self._save(state, f'epoch_{state.epoch}.pth', better)
        else:
            self._digest = self._background.submit(checkpoint.weights_digest, checkpoint.copied(state.model.state_dict()))
        self._trace.weights(state.epoch, self._digest)
        self._report(statistic.RUNNING)
        if self._stop.wanted and not last:
            raise Stopped(self._stop.wanted)

    def _show(self, state, numbers, last):
        """The epoch in TensorBoard. A heatmap takes a tenth of a second: now and then, and at the end."""
        if state.epoch == 1:
            self._writer.hparams(self.args)
            if self.args.watch not in numbers:
                tell(f'tagrun: no epoch will be the best: watch is {self.args.watch!r}, and the metrics are {", ".join(numbers)}')
        self._writer.epoch(state.epoch, numbers)
        if last or time.monotonic() - self._drawn > HEATMAP_S:
            for name, matrix in state.record.matrices.items():
                self._writer.confusion(name, matrix, self._classes.get(name.partition('/')[0]), state.record.best_epoch)
            self._drawn = time.monotonic()

    def _report(self, status, message=None):
        """Write history.csv and statistic.json, after the checkpoint that they tell of."""
        job = report(self.folder, self.info, self.args, self._record, self._started, status, message)
        digest = self._digest
        self._background.submit(lambda: job(digest if digest is None or isinstance(digest, str) else digest.result()))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Say how it ended: in statistic.json, in finished.txt if it is finished, in a line or two and by the exit code."""
        if error is None:
            try:
                return self._finish()
            except OSError as late:  # the last save found no room
                error = late
        ending = describe(error, self.folder)
        if os.environ.get('TAGRUN_DEBUG'):
            tell(ending.traceback)
        else:
            self._log.only_file(ending.traceback)
        with contextlib.suppress(OSError):  # where the disk is what failed, the screen and the exit code still tell
            self._close(ending.status, ending.line)
        tell(f'tagrun: {run_json.name(self.info)} {ending.text}')
        sys.exit(ending.code)

    def _finish(self):
        self._background.wait()
        self._close(statistic.FINISHED)
        if self.info['tag'] != layout.SCRATCH:
            finished = layout.list_file(self.root, 'finished')
            finished.parent.mkdir(parents=True, exist_ok=True)
            atomic.append_line(finished, run_json.name(self.info))

    def _close(self, status, message=None):
        """Put everything on disk; the last thing written is the status."""
        self._closing.close()
        self._report(status, message)
        self._background.wait()


def _first_start(folder):
    """When the run was first started, if this is not the first time."""
    try:
        return statistic.read(folder)['time'].get('started')
    except (OSError, ValueError):
        return None


def _device(name):
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    return torch.device(name)


def _length(loader):
    """Batches in an epoch of a loader; 0 where there is none or it does not know."""
    return len(loader) if hasattr(loader, '__len__') else 0


def _moved(batch, device):
    """The batch with its tensors on `device`; those in pinned memory are not waited for."""
    if torch.is_tensor(batch):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: _moved(value, device) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(_moved(value, device) for value in batch)
    return batch


def _check_phases(phases, loaders):
    without = [phase for phase in phases if phase not in loaders]
    if without:
        raise ValueError(f'config.py: phases has {", ".join(map(repr, without))}, but build_loaders gave only {", ".join(map(repr, loaders))}')


def _check_plain(value, name='state'):
    """A checkpoint holds tensors and plain values, so that loading one runs no code. Raises TypeError, naming what is neither."""
    if hasattr(value, 'state_dict'):
        value = value.state_dict()
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(item, f'{name}[{key!r}]' if name != 'state' else f'state.{key}')
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_plain(item, f'{name}[{index}]')
    elif not (torch.is_tensor(value) or type(value) in (int, float, str, bool, bytes, type(None))):
        raise TypeError(f'{name} is a {type(value).__name__}: a checkpoint takes tensors, numbers, strings and what has a state_dict')
