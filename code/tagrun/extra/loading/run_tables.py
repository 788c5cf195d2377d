"""history.csv and trace.csv of a run as pandas' data frames, and the table of a set.

    history(folder)['val/acc'].max()
    trace(folder).plot('step', 'loss')
    of_set(root, Selection('paper'))     # what pandas reads from the CSV file of `table paper`

Numbers have all their digits.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import formats, selection
from tagrun.core.tables.selection import Selection
from tagrun.store import history as history_file
from tagrun.store import safe_read
from tagrun.store import trace as trace_file
from tagrun.store.run_ref import RunRef

if TYPE_CHECKING:
    from pandas import DataFrame


def history(folder: Path) -> 'DataFrame':
    """Return a row for each epoch: its number, every metric, learning rates, seconds."""
    path = folder / history_file.NAME
    try:
        content = safe_read.read_bytes(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f'{RunRef.of_folder(folder)} has no {history_file.NAME} that can be read: '
            f'{getattr(error, "strerror", None) or error}'
        ) from None
    return _read_csv(content)


def trace(folder: Path) -> 'DataFrame':
    """Return a row for each training step: epoch, step, order, batch, and what the meter got.

    What that was called is a column each, e.g. loss. weights: the digest of the weights, in the
    last row of each epoch. Raises UserError where the run has no trace.csv.
    """
    import pandas as pd

    lines, _ = trace_file.lines(folder)
    if not lines:
        raise UserError(
            f'{RunRef.of_folder(folder)} has no {trace_file.NAME} here, which has a line for each '
            'training step: a run that came through git comes without it'
        )
    width = len(trace_file.COLUMNS)
    cells = [(line + ',' * width).split(',')[:width] for line in lines]
    steps = [row for row in cells if row[1]]
    columns = dict(zip(trace_file.COLUMNS, zip(*steps, strict=True), strict=False))
    frame = pd.DataFrame(
        {
            'epoch': [int(number) for number in columns.get('epoch', ())],
            'step': [int(number) for number in columns.get('step', ())],
            'order': columns.get('order', ()),
            'batch': columns.get('batch', ()),
            **_values(columns.get('loss', ())),
        }
    )
    digests = {int(row[0]): row[-1] for row in cells if not row[1]}
    is_last = ~frame['epoch'].duplicated(keep='last')
    numbers = frame['epoch'].where(is_last, -1).tolist()
    return frame.assign(weights=[digests.get(number, '') for number in numbers])


def of_set(root: Path, choice: Selection) -> 'DataFrame':
    """Return the table that `table` writes as CSV for these options. Raises UserError."""
    selected = selection.select(root, choice)
    return _read_csv(formats.to_csv(selected.columns, selected.rows))


def _values(cells: Sequence[str]) -> dict[str, list[float]]:
    """Return the numbers of the column `loss` by their names, NaN where a step has none."""
    steps = [trace_file.step_values(cell) for cell in cells]
    names: dict[str, None] = {}
    for values in steps:
        names.update(dict.fromkeys(values))
    return {name: [values.get(name, float('nan')) for values in steps] for name in names}


def _read_csv(content: bytes) -> 'DataFrame':
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split('.')[:2])
    # since 3.1 that is the default, and naming it is deprecated
    exact: dict[str, Any] = {'float_precision': 'round_trip'} if version < (3, 1) else {}
    return pd.read_csv(io.BytesIO(content), encoding='utf-8-sig', **exact)
