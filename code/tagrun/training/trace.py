"""Writes trace.csv (store/trace.py has the format): values are kept as they are at each step, and turned to text in bulk.

    trace.step(epoch, step, order, batch, loss)     # an append; nothing waits for the device
    offset = trace.show(); trace.sync()             # readers see it up to this byte; it is on disk
"""
import math
import os
import zlib
from pathlib import Path

import numpy as np
import torch

from tagrun.store import atomic
from tagrun.store import trace as store
from tagrun.training.meter import fetch

LONGEST = 1_000_000   # lines; a longer training is thinned to every n-th step
EVERY = 1_000         # steps kept before they are written
SAMPLED = 1_024       # values of a tensor that its digest reads


class Trace:
    def __init__(self, folder, total_steps, stop_on_nan=False):
        self._stop_on_nan = stop_on_nan
        self.every = max(1, -(-total_steps // LONGEST))
        self._path = Path(folder) / store.NAME
        self._pending = []          # (epoch, step, order, batch, loss)
        self._digest = None         # (epoch, digest) of the line that comes before them
        self._file = None

    def open(self, offset):
        """Begin a new file, or cut the one that is there back to `offset` bytes and go on."""
        if not offset or not self._path.exists():
            atomic.write(self._path, store.HEADER)
        elif offset < self._path.stat().st_size:
            os.truncate(self._path, offset)
        self._file = open(self._path, 'ab', buffering=0)    # what was turned to text is written at once, or tells why not

    def step(self, epoch, step, order, batch, loss):
        if step % self.every == 0 or step == 1:
            self._pending.append((epoch, step, order, batch, loss))
            if len(self._pending) >= EVERY:
                self._write()

    def weights(self, epoch, digest):
        """The line at an epoch's end; `digest`: 64 hexadecimal digits, or a future of them."""
        self._write()
        self._digest = epoch, digest

    def show(self):
        """Let readers see what is there; the file's size in bytes."""
        self._write()
        return self._file.tell()

    def sync(self):
        """Put on disk what was shown."""
        os.fsync(self._file.fileno())

    def close(self):
        if self._file:
            self.show()
            self._file.close()

    def _write(self):
        """All that is pending, as text. Raises FloatingPointError after the line of a loss that is no number."""
        lines, bad = [], None
        if self._digest:
            epoch, digest = self._digest
            lines.append(f'{epoch},,,,,{(digest if isinstance(digest, str) else digest.result())[:16]}\n')
        known = [entry for entry in self._pending if entry[4] is not None]
        losses = iter(fetch([entry[4] for entry in known]))
        for epoch, step, order, batch, loss in self._pending:
            value = next(losses) if loss is not None else None
            lines.append(f'{epoch},{step},{order},{batch},{"" if value is None else repr(value)},\n')
            if self._stop_on_nan and value is not None and not math.isfinite(value):
                bad = FloatingPointError(f'the loss is {value} at step {step}, in epoch {epoch}; stop_on_nan in config.py is on')
                break
        self._digest, self._pending = None, []
        atomic.put(self._file, ''.join(lines).encode('ascii'))
        if bad:
            raise bad


def batch_digest(batch):
    """CRC-32, in hexadecimal, of up to SAMPLED values spread over each tensor in a batch (a tensor, or tuples, lists, dicts of them)."""
    digest = 0
    for array in _arrays(batch):
        flat = array.reshape(-1)
        digest = zlib.crc32(np.ascontiguousarray(flat[::max(1, flat.size // SAMPLED)]), digest)
    return f'{digest:08x}'


def _arrays(value):
    if torch.is_tensor(value):
        if value.device.type == 'cpu' and value.layout == torch.strided:  # one that a loader puts on a GPU is not waited for
            yield _array(value)
    elif isinstance(value, np.ndarray):
        if value.dtype.kind in 'biufc':
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)


def _array(tensor):
    try:
        return tensor.numpy(force=True)
    except TypeError:   # bfloat16 and its like, which NumPy does not have
        return tensor.detach().reshape(-1).view(torch.uint8).numpy()
