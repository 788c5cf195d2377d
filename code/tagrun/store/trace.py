"""trace.csv: one line a training step, enough to say where two runs part.

    epoch,step,order,batch,loss,weights
    1,1,5d0c6a9f,a81b20c4,2.3214409351348877,
    1,36,…
    1,,,,,9c1185a5c5e9fc54

`order`: CRC-32 of the sample indices; `batch`: CRC-32 of up to 1,024 values spread over each tensor
of it; `loss`: what the meter was given in the step, each number as the shortest decimal that gives
the same bits: the number alone if it is called loss, else `critic=0.5 generator=1.25`; `weights`:
the first 16 digits of the SHA-256 of the weights, at each epoch's end. It is thinned past a million
lines, appended in bulk and cut back to the checkpoint on resume; training/trace.py writes it.

trace_epochs.csv is its digest, one line an epoch, for who gets a run through git: how many steps it
has lines of, a CRC-32 of each stream's column, and the weights.

    epoch,steps,order,batch,loss,weights
    1,36,77c91e05,a81b20c4,5d0c6a9f,9c1185a5c5e9fc54
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tagrun.store import limits, safe_read

NAME = 'trace.csv'
STREAMS = ('order', 'batch', 'loss', 'weights')  # in the order in which a difference spreads
COLUMNS = ('epoch', 'step', *STREAMS)
EPOCHS = 'trace_epochs.csv'
EPOCH_COLUMNS = ('epoch', 'steps', *STREAMS)
HEADER = ','.join(COLUMNS) + '\n'

_NOT_PLAIN = re.compile(r'[\s,=]|[^\x21-\x7e]')  # in the name of a step's value

# 'epoch', 'step', 'stream', and the two values 'here' and 'there', as run.json keeps them
Difference = dict[str, str | None]


def first_difference(lines: Iterable[str], others: Iterable[str]) -> Difference | None:
    """Return the first line that differs between two lists of lines, or None.

    Compares as far as both go: a run that is still writing does not differ yet.
    """
    for line, other in zip(lines, others, strict=False):
        if line != other:
            left, right = _cells(COLUMNS, line), _cells(COLUMNS, other)
            difference = _difference(left, right, STREAMS)
            return {**difference, 'step': left.get('step') or 'end'}
    return None


def first_epoch_that_differs(lines: Sequence[str], others: Sequence[str]) -> Difference | None:
    """Return as `first_difference`, of lines of trace_epochs.csv: the step is None.

    None too where one side has no line.
    """
    columns = ('epoch', 'length', *STREAMS)
    for line, other in zip(lines, others, strict=False):
        if line != other:
            left, right = _cells(columns, line), _cells(columns, other)
            return _difference(left, right, columns[1:])
    if lines and others and len(lines) != len(others):
        left_length, right_length = f'{len(lines)} epochs', f'{len(others)} epochs'
        return {'stream': 'length', 'here': left_length, 'there': right_length}
    return None


def step_values(cell: str) -> dict[str, float]:
    """Return the numbers of a cell of the column `loss`: {'loss': 0.5}; {} if it has none."""
    values: dict[str, float] = {}
    for word in cell.split():
        name, _, number = word.rpartition('=')
        try:
            values[name or 'loss'] = float(number)
        except ValueError:
            return {}
    return values


def step_cell(values: Mapping[str, float]) -> str:
    """Return the cell of `step_values`."""
    if list(values) == ['loss']:
        return repr(values['loss'])
    return ' '.join(f'{_NOT_PLAIN.sub("_", name)}={value!r}' for name, value in values.items())


def lines(folder: str | Path, offset: int = 0) -> tuple[list[str], int]:
    """Return (complete lines from byte `offset` on, header left out; the offset after them).

    A file that cannot be read has none: ([], offset).
    """
    try:
        with safe_read.open_file(Path(folder) / NAME) as file:
            file.seek(offset)
            content = file.read(limits.TRACE)
    except (OSError, ValueError):
        return [], offset
    content = content[: content.rfind(b'\n') + 1]
    complete = content.decode(errors='replace').splitlines()
    return complete[1:] if offset == 0 else complete, offset + len(content)


def by_epoch(lines: Iterable[str]) -> str:
    """Return the text of trace_epochs.csv for the lines of a trace."""
    epochs: dict[str, _Epoch] = {}
    for line in lines:
        epoch, step, *cells = (line + ',' * len(COLUMNS)).split(',')[: len(COLUMNS)]
        epochs.setdefault(epoch, _Epoch()).add(step, cells)
    rows = [f'{epoch},{sums.row()}' for epoch, sums in epochs.items()]
    return '\n'.join([','.join(EPOCH_COLUMNS), *rows]) + '\n'


def epochs(folder: str | Path) -> list[str]:
    """Return the lines of a run's trace_epochs.csv, header left out.

    Where it has a trace.csv, those that it gives; [] where it has neither.
    """
    steps, _ = lines(folder)
    if steps:
        return by_epoch(steps).splitlines()[1:]
    content = safe_read.read_or_none(Path(folder) / EPOCHS)
    return [] if content is None else content.decode(errors='replace').splitlines()[1:]


class _Epoch:
    """The sums over the steps of one epoch."""

    def __init__(self) -> None:
        self._steps = 0
        self._sums = [0, 0, 0]
        self._weights = ''

    def add(self, step: str, cells: list[str]) -> None:
        """Add a line of the trace: a step's, or that of the weights at the epoch's end."""
        if not step:
            self._weights = cells[-1]
            return
        self._steps += 1
        for index, cell in enumerate(cells[:-1]):
            self._sums[index] = zlib.crc32(f'{cell}\n'.encode(), self._sums[index])

    def row(self) -> str:
        """Return the epoch's line, its number left out."""
        sums = [f'{value:08x}' for value in self._sums]
        return ','.join([str(self._steps), *sums, self._weights])


def _cells(columns: Sequence[str], line: str) -> dict[str, str]:
    return dict(zip(columns, line.split(','), strict=False))


def _difference(left: dict[str, str], right: dict[str, str], streams: Sequence[str]) -> Difference:
    """Return the first stream in which two lines differ, 'length' where none does."""
    differing = (name for name in streams if left.get(name) != right.get(name))
    stream = next(differing, 'length')
    return {
        'epoch': left.get('epoch'),
        'step': None,
        'stream': stream,
        'here': left.get(stream),
        'there': right.get(stream),
    }
