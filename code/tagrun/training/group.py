"""The processes that train a run together: they save, stop and end after the same step.

    group = Alone()     # one process
    group = Group()     # one of several that torchrun started; open_run chooses

Both have the same methods. A batch of a Loader is divided among the processes of a Group, and a
traced loss is that of the whole batch. They do not talk at each step, which would take longer than
a step of a small model: they agree four times a second on whether to save or to stop.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from tagrun.store import statistic
from tagrun.training import distributed, seeding, values
from tagrun.training import loader as order
from tagrun.training.checks import check_division
from tagrun.training.meter import fetch
from tagrun.training.report import Ending
from tagrun.training.trace import TrainedStep

TraceStep = Callable[[TrainedStep], None]


class Alone:
    """The only process of a run.

    at_end: what puts the process back as it was, where it lives on after the run.
    """

    # what makes this process's random numbers differ from those of the others
    stream: tuple[int, ...] = ()

    def __init__(self, at_end: Sequence[Callable[[], None]] = ()) -> None:
        self._at_end = at_end

    def begin(self) -> None:
        """Meet the other processes: there are none."""

    def check(self, phases: Sequence[str], state: Any, loaders: Mapping[str, Any]) -> None:
        """Check that the batches can be divided: there is nothing to divide."""

    def broadcast(self, value: Any) -> Any:
        """Return the first process's value."""
        return value

    def divided(self, batches: Iterator[Any], state: Any, loader: Any) -> Iterator[Any]:
        """Return the batches of this process: all of them."""
        return batches

    def step_tracer(self, trace_step: TraceStep) -> TraceStep:
        """Return what to call with each step, so that `trace_step` gets whole batches."""
        return trace_step

    def poll(self, due: bool, signal: int | None, now: bool) -> tuple[bool, int | None]:
        """Return (whether all save, the signal that stops all or None)."""
        return due, signal

    def poll_epoch(self, signal: int | None, reason: str) -> tuple[int | None, str]:
        """Return (the signal that stops all or None, why the sweep prunes the run or '')."""
        return signal, reason

    def first_failure(self, failure: str) -> str:
        """Return the failure of the first process that has one; ''."""
        return failure

    def rank_states(self, state: Any) -> dict[str, Any]:
        """Return what each process adds to a checkpoint: nothing."""
        return {}

    def barrier(self) -> None:
        """Wait until all processes have come here. They may end from here on."""

    def disarm(self) -> None:
        """Stop waiting for the other processes: this one is ending."""

    def final_status(self, ending: Ending) -> tuple[str, str | None]:
        """Return the status and the message that statistic.json gets."""
        return ending.status, ending.line

    def leave(self) -> None:
        """End this process, whose run is finished: main.py goes on to its end."""
        for step in self._at_end:
            step()

    def exit(self, ending: Ending, announce: Callable[[Ending], None]) -> NoReturn:
        """Announce how the run ended, and end this process."""
        announce(ending)
        self.leave()
        sys.exit(ending.code)


class _OwnStep(NamedTuple):
    """A step of this process."""

    step: TrainedStep  # its values are of this process's part of the batch
    fraction: float  # of the batch's samples that this process has


class Group:
    """One of several processes that train a run. The first one writes; see output.py."""

    def __init__(self) -> None:
        rank = distributed.rank()
        self.stream: tuple[int, ...] = (rank,) if rank else ()
        self._consensus = distributed.StopConsensus()
        self._fraction = 1.0  # of the current batch's samples that this process has
        self._steps: list[_OwnStep] = []  # since the last look
        self._trace_step: TraceStep | None = None

    def begin(self) -> None:
        """Say to the agent which process is the first: it gets the signals."""
        if distributed.rank() == 0:
            distributed.announce_leader()

    def check(self, phases: Sequence[str], state: Any, loaders: Mapping[str, Any]) -> None:
        """Raise TypeError or ValueError if the model or the batches cannot be divided."""
        check_division(phases, state, loaders)

    def broadcast(self, value: Any) -> Any:
        """Return the first process's value."""
        return distributed.broadcast(value)

    def divided(self, batches: Iterator[Any], state: Any, loader: Any) -> Iterator[Any]:
        """Return this process's part of each batch; its gradients and metrics are weighted."""
        for batch in batches:
            self._fraction = order.rank_fraction(loader, state.batch)
            for model in distributed.shared(state):
                model.rank_fraction = self._fraction
            state.meter.counts = self._fraction > 0
            yield batch

    def step_tracer(self, trace_step: TraceStep) -> TraceStep:
        """Return what to call with each step, so that `trace_step` gets whole batches."""
        self._trace_step = trace_step
        return self._collect

    def _collect(self, step: TrainedStep) -> None:
        if not self._fraction:
            step = step._replace(values=dict.fromkeys(step.values, 0.0))
        self._steps.append(_OwnStep(step, self._fraction))

    def _trace_collected(self) -> None:
        """Trace the steps since the last look, each with the values over all its samples.

        Each is the sum of the processes' own, weighted, in the order of their ranks.
        """
        steps, self._steps = self._steps, []
        if not steps or self._trace_step is None:
            return
        numbers = iter(fetch([value for own in steps for value in own.step.values.values()]))
        weighted = [_weighted(own, numbers) for own in steps]
        of_each_step = zip(*distributed.all_gather(weighted), strict=True)
        for own, parts in zip(steps, of_each_step, strict=True):
            self._trace_step(own.step._replace(values=_summed(parts)))

    def poll(self, due: bool, signal: int | None, now: bool) -> tuple[bool, int | None]:
        """Return (whether all save, the signal that stops all or None), the same in all.

        due: whether it is time to save; the first process's clock counts. now: agree at this step;
        the same in all.
        """
        due = due and distributed.rank() == 0
        looked, save, agreed = self._consensus.ask(due, signal, now)
        if looked:
            self._trace_collected()
        return save, agreed

    def poll_epoch(self, signal: int | None, reason: str) -> tuple[int | None, str]:
        """Return (the signal that stops all or None, why the sweep prunes the run or '')."""
        _, agreed = self.poll(False, signal, now=True)
        return agreed, distributed.broadcast(reason)

    def first_failure(self, failure: str) -> str:
        """Return the failure of the first process that has one; ''."""
        return next(filter(None, distributed.all_gather(failure)), '')

    def rank_states(self, state: Any) -> dict[str, Any]:
        """Return what each process adds to a checkpoint in the middle of a phase."""
        if not state.phase:
            return {}
        own = {
            'random': seeding.random_state(),
            'meter': values.copied(state.meter.state_dict(), name='state.meter'),
        }
        return {'ranks': distributed.all_gather(own)}

    def barrier(self) -> None:
        """Wait until all processes have come here. They may end from here on."""
        distributed.barrier_and_release()

    def disarm(self) -> None:
        """Stop waiting for the other processes: this one is ending."""
        distributed.disarm_watchdog()

    def final_status(self, ending: Ending) -> tuple[str, str | None]:
        """Return the status and the message that statistic.json gets.

        The agent adds a failure when all have ended: it knows which process failed first.
        """
        if ending.status == statistic.FAILED and distributed.MARK in os.environ:
            return statistic.RUNNING, None
        return ending.status, ending.line

    def leave(self) -> None:
        """End this process, whose run is finished."""
        distributed.leave(0)

    def exit(self, ending: Ending, announce: Callable[[Ending], None]) -> NoReturn:
        """Report how the run ended to the agent, else announce it, and end this process.

        The first process's exit code counts where nothing failed.
        """
        failed = ending.status == statistic.FAILED
        try:
            if not (failed and distributed.report(ending)):
                announce(ending)
        finally:
            if distributed.rank() and not failed:
                distributed.leave(0)
            distributed.leave(ending.code)


def _weighted(own: _OwnStep, numbers: Iterator[float]) -> dict[str, float]:
    return {name: own.fraction * next(numbers) for name in own.step.values}


def _summed(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the sums of the values that all processes have."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: sum(part[name] for part in parts) for name in names}
