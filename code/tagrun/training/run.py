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

from tagrun.store import atomic, confusion, history, layout, lock, pruning, run_json, statistic
from tagrun.store import checkpoints as stored
from tagrun.training import args as arguments
from tagrun.training import agent, checkpoint, distributed, environment, loader as order, progress, seeding, shards
from tagrun.training.log import Log
from tagrun.training.report import describe, ended, epoch_line, now, report, tell
from tagrun.training.signals import Pruned, Stop
from tagrun.training.trace import Trace, batch_digest
from tagrun.training.trial import Trial
from tagrun.training.writer import Writer

HEATMAP_S = 30      # at least between two drawings of a confusion matrix
SHOW_S = 1          # after which the trace is shown to readers: `rerun -f` follows it


def open_run(config):
    """The run that TAGRUN_RUN names, or a new scratch run. Ends the process if somebody else is training it.

    Where several processes train it this one starts them, waits for them, and ends as they do.
    """
    code = Path(config.__file__).resolve().parent
    if distributed.is_rank():
        from tagrun.training import ranks
        distributed.join(getattr(config, 'device', 'auto'))
        folder = distributed.told(_folder(code) if distributed.rank() == 0 else None)
        return (ranks.Follower if distributed.rank() else ranks.Leader)(config, folder)
    folder = _folder(code)
    processes = agent.count(config, folder)
    if processes > 1 or agent.nodes()[0] > 1:
        sys.exit(agent.start(processes, folder))
    return Run(config, folder)


def _folder(code):
    folder = os.environ.get(run_json.ENVIRONMENT)
    return Path(folder) if folder else _scratch(code)


def _scratch(code):
    root = layout.root_of(code)
    number, folder = layout.claim(root, layout.SCRATCH)
    seed = int((code / 'seed').read_text())
    run_json.write(folder, run_json.build(root, layout.SCRATCH, number, None, seed))
    return folder


class Run:
    def __init__(self, config, folder):
        self.folder, self.info = folder, run_json.read(folder)
        self._stop = Stop()
        self._own()
        self.root = folder.parents[2]       # not run.json's: the project may have been moved since
        os.chdir(self.root)
        self._background = checkpoint.Background()
        self._closing = contextlib.ExitStack()
        self._started = _first_start(folder) or now()
        self._record = self._digest = self._told = self._matrices = None
        self._history = history.Text()
        try:
            self._configure(config)
        except Exception as error:  # a value in config.py; there is nothing to close yet
            self._leave(describe(error, folder))

    def _own(self):
        """Take the run, and its log."""
        try:
            self._lock = lock.Lock(self.folder)
        except lock.Held as held:
            tell(f'tagrun: {run_json.name(self.info)} is being trained already: {held}')
            distributed.leave(1)
        self._log = Log(self.folder / 'log')

    def _configure(self, config):
        self.args = arguments.load(config, self.info['seed'])
        self._trial = Trial(self.info, self.args)
        seeding.set_determinism(self.args.determinism, self.args.compile)
        torch.set_num_threads(self.args.threads)
        self.device = distributed.own_device(self.args.device)

    # --- the run's beginning -----------------------------------------------------------------------------------

    def begin(self, state, loaders):
        """Restore the newest checkpoint if there is one, open the files, say where the run stands."""
        _check_plain(state)
        _check_phases(self.args.phases, loaders)
        self._check_division(state, loaders)
        saved = distributed.own_part(self._restore(state), state)
        self._record, self._digest, self._random_state = state.record, saved.get('weights'), saved.get('random')
        self._classes = {phase: getattr(getattr(loader, 'dataset', None), 'classes', None) for phase, loader in loaders.items()}
        self._open(state, loaders, saved)
        self._since = self._saved = self._shown = self._drawn = time.monotonic()
        self._report()

    def _check_division(self, state, loaders):
        pass    # of the batches among several processes: ranks.py

    def _open(self, state, loaders, saved):
        """All that is written while it trains."""
        self._checkpoints = checkpoint.Checkpoints(self.folder, self._background, self.args.keep_last, self.args.keep_every,
                                                   best=f'epoch_{state.record.best_epoch}.pth')
        self._checkpoints.check_room(state.state_dict())
        self._open_trace(state, saved, self.args.epochs * _length(loaders.get('train')))
        self._writer = Writer(self.folder, saved.get('tensorboard'))
        self._closing.callback(self._writer.close)
        self._write_environment(loaders)
        if not saved:
            self._draw_graph(state, loaders)
        self._bars = progress.Bars(self.args.epochs, state.epoch)
        self._closing.callback(self._bars.close)
        for above in self.folder.parents[:3]:   # the names of the run's folder, its tag's and __result__, should the power go
            self._background.submit(atomic.sync_folder, above)

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
                whole = shards.filled(self.folder, name, saved['state'])
            except (checkpoint.Damaged, OSError) as error:
                print(f'tagrun: {error}; the one before it is taken', file=sys.stderr)
                continue
            state.load_state_dict(whole)
            stored.forget_after(self.folder, name)
            where = f'in epoch {state.epoch + 1}, after {state.batch} batches of {state.phase}' if state.phase else f'after epoch {state.epoch}'
            print(f'resumed {where} ({name})', file=sys.stderr)
            return {**saved, 'name': name}
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
            why_not = self._writer.graph(distributed.unwrapped(state.model), example[0][:2].to(self.device))
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
        for batch in itertools.islice(self._from_here(state, loader, phase), self._trial.left(state)):
            traced = (order.order_digest(loader, state.batch), batch_digest(batch)) if phase == 'train' else None
            yield _moved(batch, self.device)
            state.batch += 1
            if traced:
                state.step += 1
                self._trace_step(state.epoch + 1, state.step, traced, state.meter.last.get('loss'), state.optimizer.param_groups[0]['lr'])
            self._bars.step(state.meter)
            self._save_or_stop(state)
            self._trial.kill(state)

    def _trace_step(self, epoch, step, digests, loss, lr):
        self._trace.step(epoch, step, *digests, loss)
        self._writer.step(step, loss, lr)

    def _from_here(self, state, loader, phase):
        """An iterator over what is left of the phase, with every generator as it was there."""
        seeding.seed_everything(seeding.mix(self.args.seed, phase, state.epoch, *self._stream()))
        drop = order.start_at(loader, self.args.seed, state.epoch, state.batch)
        iterator = iter(loader)
        for _ in itertools.islice(iterator, drop):
            pass
        if self._random_state:
            seeding.restore(self._random_state)
            self._random_state = None
        self._bars.phase(phase, state.epoch + 1, _length(loader) or None, state.batch)
        return iterator

    def _stream(self):
        return ()       # of random numbers: each further process has its own

    def _save_or_stop(self, state):
        clock = time.monotonic()
        if clock - self._shown > SHOW_S:
            self._trace.show()
            self._writer.show()
            self._shown = clock
        trial = self._trial.save_due(state)
        due, stop = self._asked(trial or clock - self._saved > 60 * self.args.save_minutes, now=trial)
        if not due and not stop:
            return
        self._save(state, f'epoch_{state.epoch + 1}_{state.phase}_{state.batch}.pth')
        if stop:
            self._settle()
            raise self._stop.now()

    def _asked(self, due, now):
        """(whether to save, the signal that asks to stop or None). now: it must be known at this step; see ranks.py."""
        return due, self._stop.wanted

    def _asked_at_an_end(self, last):
        """(the signal that asks to stop or None, why the sweep prunes it or ''), at an epoch's end."""
        return self._stop.wanted, '' if last else pruning.wanted(self.folder)

    def _settle(self):
        """Until all that was saved is on disk."""
        self._background.wait()

    def _save(self, state, name, best=False):
        """Hand the run as it stands to the background. Returns a future: the SHA-256 of the weights."""
        state.seconds, self._since = self._seconds(state), time.monotonic()
        content = {'state': self._content(state, name), 'random': seeding.random_state() if state.phase else None,
                   'trace': self._trace.show(), 'tensorboard': self._writer.flush(), **self._parts(state)}
        self._background.submit(self._trace.sync)
        self._saved = time.monotonic()
        return self._checkpoints.save(name, content, best)

    def _content(self, state, name):
        return state.state_dict()

    def _parts(self, state):
        return {}       # what each of several processes adds to a checkpoint

    def _weights(self, state):
        """A future: the SHA-256 of the weights."""
        return self._background.submit(checkpoint.weights_digest, checkpoint.copied(state.model.state_dict()))

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
        stop, poor = self._asked_at_an_end(last)
        self._bars.epoch()
        print(epoch_line(state.record, self.args.epochs))
        self._show(state, numbers, last)
        if last or better or stop or poor or state.epoch % self.args.save_interval == 0:
            self._digest = self._save(state, f'epoch_{state.epoch}.pth', better)
        else:
            self._digest = self._weights(state)
        self._trace.weights(state.epoch, self._digest)
        self._report()
        self._trial.kill(state)
        if (stop or poor) and not last:
            self._settle()
            raise Pruned(poor) if poor else self._stop.now()

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

    def _report(self):
        """Write history.csv and statistic.json as things stand now, after the checkpoint that they tell of."""
        content = report(self.info, self.args, self._record, self._started)
        self._background.submit(self._write_report, content, list(self._record.history), self._digest)
        if self._record.matrices and self._record.matrices is not self._matrices:   # a new best epoch's, or a checkpoint's
            self._matrices = self._record.matrices
            self._background.submit(confusion.write, self.folder, self._record.best_epoch, {
                name: (self._classes.get(name.partition('/')[0]), matrix.tolist()) for name, matrix in self._matrices.items()})

    def _write_report(self, content, rows, digest):
        if digest:
            content['digest']['weights'] = digest if isinstance(digest, str) else digest.result()
        if rows:
            history.write(self.folder, rows, self._history)
        statistic.write(self.folder, content)
        self._told = content

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Say how it ended: in statistic.json, in finished.txt if it is finished, in a line or two and by the exit code."""
        self._stop.leaving()
        if error is None:
            try:
                return self._finish()
            except OSError as late:  # the last save found no room
                error = late
        if self._stop.wanted and isinstance(error, RuntimeError) and 'DataLoader worker' in str(error):
            error = self._stop.now()     # the signal went to all processes of the job, and took a worker first: the last save counts
        ending = describe(error, self.folder)
        for close in (self._closing.close, self._background.wait,
                      lambda: self._background.submit(self._end, ending.status, ending.line),   # in that thread: after any report that is still to come
                      self._background.wait):
            with contextlib.suppress(OSError):  # where the disk is what failed, the screen and the exit code still tell
                close()
        self._leave(ending)

    def _finish(self):
        """Put everything on disk, the status last: who is killed before it is continued, and not listed a second time."""
        self._background.wait()
        self._closing.close()
        if self.info['commit']:     # what git does not record is on no list
            finished = layout.list_file(self.root, 'finished')
            finished.parent.mkdir(parents=True, exist_ok=True)
            atomic.append_line(finished, run_json.name(self.info))
        self._end(statistic.FINISHED)

    def _end(self, status, message=None):
        told = self._told or report(self.info, self.args, self._record, self._started)
        statistic.write(self.folder, ended(told, status, message))

    def _leave(self, ending):
        """Say it, and end the process. The traceback is for the log, and for the screen of who asks for it."""
        (tell if os.environ.get('TAGRUN_DEBUG') else self._log.only_file)(ending.traceback)
        tell(f'tagrun: {run_json.name(self.info)} {ending.text}')
        sys.exit(ending.code)


def _first_start(folder):
    """When the run was first started, if this is not the first time."""
    try:
        return statistic.read(folder)['time'].get('started')
    except (OSError, ValueError):
        return None


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
