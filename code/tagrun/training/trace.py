"""Writes trace.csv (store/trace.py has the format): values are kept as they are at each step, and
turned to text in bulk.

    trace.step(TrainedStep(3, 120, order, batch, {'loss': loss}, {}))   # it waits for no device
    offset = trace.show(); trace.sync()             # readers see it up to this byte; it is on disk
"""

import math
import os
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tagrun.store import atomic
from tagrun.store import trace as store
from tagrun.training.loader import leaves
from tagrun.training.meter import fetch

LONGEST = 1_000_000  # lines; a longer training is thinned to every n-th step
EVERY = 1_000  # steps kept before they are written
SAMPLED = 1_024  # values of a tensor that its digest reads


class TrainedStep(NamedTuple):
    """What is traced and shown of a training step."""

    epoch: int  # from 1, as the step
    step: int
    order: str  # the digests of its order and batch
    batch: str
    values: Mapping[str, Any]  # what the meter was given: numbers or 0-d tensors by name
    rates: Mapping[str, Any]  # the learning rates, as such


class Trace:
    """The trace.csv of a run in `folder`."""

    def __init__(self, folder: Path, total_steps: int, stop_on_nan: bool = False) -> None:
        self.every = max(1, math.ceil(total_steps / LONGEST))
        self._stop_on_nan = stop_on_nan
        self._path = Path(folder) / store.NAME
        self._pending: list[TrainedStep] = []
        # (epoch, digest) of the line that comes before them
        self._digest: tuple[int, str | Future] | None = None
        self._file: FileIO | None = None
        self._has_written = False  # a step, since this start

    def open(self, offset: int) -> None:
        """Begin a new file, or cut an earlier start's back to `offset` bytes and go on."""
        if not offset or not self._path.exists():
            atomic.write(self._path, store.HEADER)
            offset = 0
        # what was turned to text is written at once, or says why not
        self._file = os.fdopen(atomic.open_to_append(self._path), 'ab', buffering=0)
        if offset and offset < os.fstat(self._file.fileno()).st_size:
            os.ftruncate(self._file.fileno(), offset)

    def step(self, step: TrainedStep) -> None:
        """Add a training step."""
        if self._is_traced(step.step) or self._stop_on_nan:
            self._pending.append(step)
            # the first one at once: readers see that the run has trained (store/first_step.py)
            if len(self._pending) >= EVERY or not self._has_written:
                self._has_written = True
                self._write()

    def _is_traced(self, step: int) -> bool:
        return step % self.every == 0 or step == 1

    def weights(self, epoch: int, digest: str | Future) -> None:
        """Add the line of an epoch's end; digest: 64 hexadecimal digits, or a future of them."""
        self._write()
        self._digest = epoch, digest

    def show(self) -> int:
        """Let readers see all steps so far. Returns the file's size in bytes."""
        self._write()
        assert self._file
        return self._file.tell()

    def sync(self) -> None:
        """Put on disk what was shown."""
        assert self._file
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write what is pending and close the file, whatever the writing raised."""
        if self._file:
            try:
                self._write()
            finally:
                self._file.close()

    def _write(self) -> None:
        """Write all that is pending, as text.

        Raises FloatingPointError after the line of a number that is NaN or infinite.
        """
        assert self._file
        lines = self._weights_lines()
        given = [value for step in self._pending for value in step.values.values()]
        fetched = iter(fetch(given))
        failure = None
        for epoch, step, order, batch, names, _ in self._pending:
            values = dict(zip(names, fetched, strict=False))
            failure = self._not_finite(values, epoch, step)
            if failure or self._is_traced(step):
                lines.append(f'{epoch},{step},{order},{batch},{store.step_cell(values)},\n')
            if failure:
                break
        self._digest, self._pending = None, []
        assert self._file
        atomic.write_all(self._file, ''.join(lines).encode('ascii'))
        if failure:
            raise failure

    def _not_finite(
        self, values: Mapping[str, float], epoch: int, step: int
    ) -> FloatingPointError | None:
        for name, value in values.items():
            if self._stop_on_nan and not math.isfinite(value):
                what = 'the loss' if name == 'loss' else name
                return FloatingPointError(
                    f'{what} is {value} at step {step}, in epoch {epoch}; stop_on_nan in '
                    'config.py is on'
                )
        return None

    def _weights_lines(self) -> list[str]:
        if self._digest is None:
            return []
        epoch, digest = self._digest
        if isinstance(digest, Future):
            digest = digest.result()
        return [f'{epoch},,,,,{digest[:16]}\n']


def batch_digest(batch: Any) -> str:
    """Return the CRC-32, in hexadecimal, of a batch: all its tensors and arrays (loader.leaves).

    It reads up to SAMPLED values spread over each tensor.
    """
    digest = 0
    for array in _arrays(batch):
        flat = array.reshape(-1)
        sampled = np.ascontiguousarray(flat[:: max(1, flat.size // SAMPLED)])
        digest = zlib.crc32(sampled, digest)  # type: ignore[arg-type]  # an array is a buffer
    return f'{digest:08x}'


def _arrays(batch: Any) -> Iterator[np.ndarray]:
    for value in leaves(batch):
        if not torch.is_tensor(value):
            if value.dtype.kind in 'biufc':
                yield value
        # one that a loader puts on a GPU is not waited for
        elif value.device.type == 'cpu' and value.layout == torch.strided:
            yield _array(value)


def _array(tensor: Tensor) -> np.ndarray:
    try:
        return tensor.numpy(force=True)
    except TypeError:  # bfloat16 and its like, which NumPy does not have
        return tensor.detach().reshape(-1).view(torch.uint8).numpy()
