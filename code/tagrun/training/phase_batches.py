"""The batches of each phase, from where the run stands, with every generator as it was there.

source = PhaseBatches(args, short_run, rank_stream=()); source.restore(saved)
for batch in source.remaining(state, loader, 'train'): …
saved['read'] = source.read()
"""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from tagrun.training import loader as order
from tagrun.training import seeding
from tagrun.training.loader import TRAIN
from tagrun.training.short_run import ShortRun
from tagrun.training.stream import Stream


class PhaseBatches:
    """Where batches come from. rank_stream: what makes this process's random numbers its own."""

    def __init__(
        self, args: SimpleNamespace, short_run: ShortRun, rank_stream: tuple[int, ...]
    ) -> None:
        self._args, self._short_run, self._rank_stream = args, short_run, rank_stream
        self._streams: dict[str, Stream] = {}  # of loaders that are not a Loader, by phase
        self._read: dict[str, int] = {}  # batches of an iterator read before a resume, by phase
        self._random_state: dict[str, Any] | None = None  # to go on with in a resumed phase

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a checkpoint, or from {}."""
        self._random_state, self._read = saved.get('random'), dict(saved.get('read', {}))

    def read(self) -> dict[str, int]:
        """Return how many batches of an iterator were read, by phase: it goes into a checkpoint."""
        return {**self._read, **{phase: stream.read for phase, stream in self._streams.items()}}

    def count(self, loader: Any, phase: str) -> int | None:
        """Return the batches of a whole phase; None where they are not known."""
        return order.count_batches(loader, self._most(phase)) or None

    def remaining(self, state: Any, loader: Any, phase: str) -> Iterator[Any]:
        """Return an iterator over the rest of the phase."""
        seeding.seed_everything(
            seeding.mix(self._args.seed, phase, state.epoch, *self._rank_stream)
        )
        if order.is_own(loader):
            order.seek(loader, self._args.seed, state.epoch, state.batch, phase)
            batches = iter(loader)
        else:
            batches = self._stream(loader, phase).batches(state.epoch, state.batch)
        if self._random_state:
            seeding.restore(self._random_state)
            self._random_state = None
        return itertools.islice(batches, self._short_run.left(state, self._most(phase)))

    def _most(self, phase: str) -> int:
        """Return how many batches the phase has at most; 0: all that its loader gives."""
        return getattr(self._args, 'steps_per_epoch', 0) if phase == TRAIN else 0

    def _stream(self, loader: Any, phase: str) -> Stream:
        stream = self._streams.get(phase)
        if stream is None or stream.loader is not loader:
            stream = Stream(loader, self._args.seed, phase, self._read.pop(phase, 0))
            self._streams[phase] = stream
        return stream
