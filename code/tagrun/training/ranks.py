"""A run as each of several processes sees it: the first leads and writes, the others train along and are silent.

    Leader(config, folder), Follower(config, folder)        # open_run gives one of them where torchrun started the process

A batch of a Loader is each process's part of it, a loss that is traced that of the whole batch. All save, stop and end together. They speak
of that not at each step, which would take longer than a small model's, but when they look for who shall stop, four times a second.
What a follower prints is not shown; what goes to its stderr is in the log, and what ends it is said by agent.start.
"""
import contextlib
import os
import sys

from tagrun.store import statistic
from tagrun.training import checkpoint, distributed, loader as order, seeding, shards
from tagrun.training.log import Log
from tagrun.training.meter import fetch
from tagrun.training.run import Run


class Leader(Run):
    def _own(self):
        super()._own()
        self._meet()
        distributed.lead()

    def _meet(self):
        self._together = distributed.Together()
        self._steps = []        # that are not traced yet, each with this process's own loss

    def _check_division(self, state, loaders):
        if not hasattr(state.model, 'share'):
            raise TypeError('state.py: several processes train, each its own model: self.model = distributed.wrap(build_model(args).to(device), args.shard)')
        for phase in self.args.phases:
            if not order.is_divided(loaders[phase]):
                raise ValueError(f'dataloader.py: {phase!r} is a {type(loaders[phase]).__name__}; several processes need the Loader of tagrun.training, '
                                 'which divides each batch among them (or one process: --nproc 1)')

    def batches(self, state, loader, phase):
        """This process's part of each batch; see Run.batches."""
        for batch in super().batches(state, loader, phase):
            share = order.share(loader, state.batch)
            state.model.share, state.meter.counts, self._share = share, share > 0, share
            yield batch

    def _trace_step(self, epoch, step, digests, loss, lr):
        self._steps.append((epoch, step, digests, lr, self._share, loss if self._share or loss is None else 0.0))

    def _trace_steps(self):
        """The steps since the last look, with the loss over all samples: the processes' own, weighted, added up in their order."""
        steps, self._steps = self._steps, []
        losses = iter(fetch([loss for *_, loss in steps if loss is not None]))
        own = [None if loss is None else share * next(losses) for *_, share, loss in steps]
        for (epoch, step, digests, lr, *_), parts in zip(steps, zip(*distributed.gathered(own)) if steps else ()):
            super()._trace_step(epoch, step, digests, None if None in parts else sum(parts), lr)

    def _asked(self, due, now):
        looked, save, stop = self._together.ask(due, self._stop.wanted, now)
        self._stop.wanted = self._stop.wanted or stop
        if looked:
            self._trace_steps()
        return save, stop

    def _asked_at_an_end(self, last):
        return self._asked(False, now=True)[1], distributed.told(super()._asked_at_an_end(last)[1])

    def _settle(self):
        super()._settle()
        distributed.part()

    def _restore(self, state):
        saved = super()._restore(state)
        distributed.told(saved.get('name'))
        return saved

    def _content(self, state, name):
        """A model that is divided is written by all, now."""
        if not distributed.is_sharded(state.model):
            return super()._content(state, name)
        self._background.wait()
        return shards.put(self.folder, name, state.state_dict())

    def _weights(self, state):
        if not distributed.is_sharded(state.model):
            return super()._weights(state)
        return self._background.submit(checkpoint.weights_digest, shards.model_digests(state.model))

    def _draw_graph(self, state, loaders):
        if not distributed.is_sharded(state.model):     # which the first process alone cannot run
            super()._draw_graph(state, loaders)

    def _parts(self, state):
        if not state.phase:
            return {}
        return {'ranks': distributed.gathered({'random': seeding.random_state(), 'meter': checkpoint.copied(state.meter.state_dict())})}

    def __exit__(self, kind, error, trace):
        if error is not None:
            distributed.quiet()
        return super().__exit__(kind, error, trace)

    def _finish(self):
        super()._finish()
        distributed.part()
        distributed.leave(0)

    def _end(self, status, message=None):
        """Of a failure agent.start says which process's it was."""
        failed = status == statistic.FAILED and distributed.MARK in os.environ
        super()._end(statistic.RUNNING if failed else status, None if failed else message)

    def _leave(self, ending):
        if ending.status != statistic.FAILED or not distributed.report(ending):
            with contextlib.suppress(SystemExit):
                super()._leave(ending)
        distributed.leave(ending.code)


class Follower(Leader):
    """Does what the first does, so that they meet, and writes nothing."""

    def _own(self):
        self._log = Log(self.folder / 'log', shown=False)
        self._meet()

    def _open(self, state, loaders, saved):
        self._trace = self._writer = self._bars = self._checkpoints = _Nothing()

    def _restore(self, state):
        name = distributed.told(None)
        if name is None:
            return {}
        saved = checkpoint.load(self.folder, name)
        state.load_state_dict(shards.filled(self.folder, name, saved['state']))
        return saved

    def _asked(self, due, now):
        return super()._asked(False, now)       # the first one's clock counts

    def _stream(self):
        return (distributed.rank(),)

    def _save(self, state, name, best=False):
        if distributed.is_sharded(state.model):
            shards.put(self.folder, name, state.state_dict())
        self._parts(state)

    def _weights(self, state):
        if distributed.is_sharded(state.model):
            shards.model_digests(state.model)

    def _show(self, state, numbers, last):
        pass

    def _report(self):
        pass

    def _finish(self):
        distributed.part()
        distributed.leave(0)

    def _end(self, status, message=None):
        pass

    def _leave(self, ending):
        if ending.status != statistic.FAILED:
            distributed.leave(0)                # the first one says it
        if not distributed.report(ending) and not distributed.broken(ending):
            print(ending.text, file=sys.__stderr__)
        distributed.leave(ending.code)


class _Nothing:
    """Stands for what the first process alone has: whatever is called does nothing."""

    def __getattr__(self, name):
        return lambda *arguments, **options: None
