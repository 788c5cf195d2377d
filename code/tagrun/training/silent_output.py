"""What a further process of a training writes and shows: nothing.

output = Silent(folder)     # it has the methods of output.py's Files
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from tagrun.store import statistic
from tagrun.training import distributed, log_head, shards, state_parts
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.output import Digest
from tagrun.training.report import Ending
from tagrun.training.trace import TrainedStep


class Silent:
    """A further process of a training: it keeps step with the first one, and writes nothing.

    What it prints is not shown; what it writes to stderr goes to the log alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._screen = folder, sys.__stderr__

    def acquire(self, info: dict[str, Any]) -> None:
        """Open the log. The first process has the lock."""
        self._screen = log_head.open_log(self._folder, info, shown=False).screen

    def begin(self, args: SimpleNamespace) -> None:
        """Write nothing."""

    def restore(self, name: str | None, state: Any) -> dict[str, Any]:
        """Leave it to the first process to choose a checkpoint."""
        return {}

    def open(
        self,
        args: SimpleNamespace,
        device: torch.device,
        state: Any,
        loaders: Mapping[str, Any],
        saved: dict[str, Any],
    ) -> None:
        """Open nothing."""

    def first_seen(self, batches: Iterator[Any], phase: str) -> Iterator[Any]:
        """Return the batches."""
        return batches

    def begin_phase(
        self, phase: str, epoch: int, batches: int | None, done: int
    ) -> Callable[[Any], None]:
        """Return what to call after each batch: it does nothing."""
        return _no_bar

    def trace_step(self, step: TrainedStep) -> None:
        """Trace nothing."""

    def scalar(self, name: str, value: Any, step: int) -> None:
        """Show nothing."""

    def summary(self, make: Callable[[str, Any], Any], name: str, value: Any, step: int) -> None:
        """Show nothing."""

    def on_checkpoint(self, function: Callable[[Path], object]) -> None:
        """Leave it to the first process."""

    def show(self) -> None:
        """Show nothing."""

    def save(self, state: Any, name: str, ranks: dict[str, Any], best: bool) -> Digest:
        """Write this process's part of a model that is divided."""
        if state_parts.is_sharded(state):
            shards.save_sharded(self._folder, name, state.state_dict())
        return None

    def weights_digest(self, state: Any) -> Digest:
        """Give the digest of this process's part of the weights to the first one."""
        if state_parts.is_sharded(state):
            shards.model_digests(state.model)
        return None

    def flush(self) -> None:
        """Wait for nothing: what this process writes is on disk at once."""

    def end_epoch(self, state: Any, numbers: dict[str, float], last: bool) -> None:
        """Show nothing."""

    def trace_weights(self, epoch: int, digest: Digest) -> None:
        """Trace nothing."""

    def report(self, epochs: EpochHistory) -> None:
        """Write no report."""

    def closing_steps(self) -> list[Callable[[], None]]:
        """Return nothing: nothing is open."""
        return []

    def add_to_finished(self) -> None:
        """Leave it to the first process."""

    def write_final_status(
        self, args: SimpleNamespace, epochs: EpochHistory | None, status: str, message: str | None
    ) -> None:
        """Leave it to the first process."""

    def release(self) -> None:
        """Keep it: the process ends."""

    def announce(self, ending: Ending) -> None:
        """Say what failed here. The first process says all else."""
        if ending.status == statistic.FAILED and not distributed.broken(ending):
            print(ending.text, file=self._screen)


def _no_bar(meter: Any) -> None:
    pass
