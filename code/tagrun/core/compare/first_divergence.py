"""Where two finished runs part: in trace.csv, then in history.csv (times left out), then in the
digest of the last weights.

    between(left, right)            # None, or
    {'stream': 'loss', 'epoch': '2', 'step': '31', 'here': '0.51', 'there': '0.52'}

Where a run has no trace.csv, e.g. one that was fetched, the digests of each epoch's trace are
compared instead. `here` is the left run's value and `there` the right one's; the keys are those of
run.json. No other file is read: surroundings.py compares what the runs were trained with.
"""

import errno
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tagrun.store import history, safe_read, statistic, trace
from tagrun.store.run_ref import RunRef

# {'stream', 'here', 'there'}, and 'epoch' and 'step' where they are known
Difference = dict[str, Any]
NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
WORDS = {
    'order': 'the order of the samples',
    'batch': 'the content of the batch',
    'loss': 'the loss',
    'weights': 'the weights',
    'length': 'the number of steps',
}


def between(left: Path, right: Path) -> Difference | None:
    """Return the first difference of what two runs' folders both have; None: there is none."""
    return compared(left, right)[0]


def compared(left: Path, right: Path) -> tuple[Difference | None, list[str]]:
    """Return (the first difference or None, what one of two finished runs lacks).

    What is lacking is unknown, not different: ['history.csv of t1/0']. What both lack is of an
    older version, or there was nothing to write.
    """
    parts: list[tuple[str, Callable[[Path], Any], Callable[[Any, Any], Difference | None]]] = [
        (trace.NAME, _trace, _of_traces),
        (history.NAME, metrics, _of_metrics),
        (f'the digest of the weights in {statistic.NAME}', weights, _of_weights),
    ]
    unknown: list[str] = []
    for name, read, differ in parts:
        one, other = read(left), read(right)
        if one and other:
            difference = differ(one, other)
            if difference:
                return difference, unknown
        elif one or other:
            unknown.append(f'{name} of {RunRef.of_folder(right if one else left)}')
    return None, unknown


def as_far_as_both_go(left: Path, right: Path) -> Difference | None:
    """Return the first difference of two runs of which one is not finished.

    What only one of them has, as it went further, does not count; nor do the last weights.
    """
    left_lines, right_lines = trace.lines(left)[0], trace.lines(right)[0]
    if left_lines and right_lines:
        difference: Difference | None = trace.first_difference(left_lines, right_lines)
    else:
        difference = _of_whole_epochs(trace.epochs(left), trace.epochs(right))
    if difference:
        return difference
    left_rows, right_rows = metrics(left), metrics(right)
    count = min(len(left_rows), len(right_rows))
    return _of_metrics(left_rows[:count], right_rows[:count])


def unreadable(paths: Iterable[Path]) -> str:
    """Return which file is there and cannot be read, and why; ''.

    To a comparison it looks like one that is missing.
    """
    for path in paths:
        try:
            safe_read.read_bytes(path)
        except OSError as error:
            if error.errno not in NO_FILE:
                name = '/'.join(path.parts[-3:])
                return f'{name} cannot be read ({error.strerror})'
        except ValueError:  # something else than a file, or a larger one
            continue
    return ''


def compared_files(*folders: Path) -> list[Path]:
    """Return the files that `between` reads."""
    names = (trace.NAME, history.NAME, statistic.NAME)
    return [folder / name for folder in folders for name in names]


def what(difference: Difference) -> str:
    """Return what differs and where: 'the loss at step 31 of epoch 2'."""
    stream = difference['stream']
    return f'{WORDS.get(stream, stream)}{place(difference)}'


def place(difference: Difference) -> str:
    """Return where a difference is, as far as it says.

    ' at step 31 of epoch 2', ' at the end of epoch 2', ' in epoch 2' or ''
    """
    if 'epoch' not in difference:
        return ''
    epoch, step = difference['epoch'], difference.get('step')
    if not step:
        return f' in epoch {epoch}'
    if step == 'end':
        return f' at the end of epoch {epoch}'
    return f' at step {step} of epoch {epoch}'


def metrics(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a run's history.csv; [] where it cannot be read."""
    try:
        return history.read(folder)
    except (OSError, ValueError):
        return []


def weights(folder: Path) -> str | None:
    """Return the digest of a run's last weights; None where there is none."""
    content = statistic.read_or_none(folder) or {}
    digest: str | None = content.get('digest', {}).get('weights')
    return digest


def _trace(folder: Path) -> tuple[list[str], list[str]] | None:
    """Return the lines of trace.csv and, where there are none, those of its epochs."""
    lines = trace.lines(folder)[0]
    epochs = [] if lines else trace.epochs(folder)
    return (lines, epochs) if lines or epochs else None


def _of_traces(
    left: tuple[list[str], list[str]], right: tuple[list[str], list[str]]
) -> Difference | None:
    left_lines, right_lines = left[0], right[0]
    if not (left_lines and right_lines):
        epochs = [each or trace.by_epoch(lines).splitlines()[1:] for lines, each in (left, right)]
        return trace.first_epoch_that_differs(*epochs)
    difference = trace.first_difference(left_lines, right_lines)
    if difference or len(left_lines) == len(right_lines):
        return difference
    return {'stream': 'length', 'here': len(left_lines), 'there': len(right_lines)}


def _of_whole_epochs(left: list[str], right: list[str]) -> Difference | None:
    """Compare the digests of epochs. The last one that both have may be half of one of them."""
    count = max(0, min(len(left), len(right)) - 1)
    return trace.first_epoch_that_differs(left[:count], right[:count])


def _of_metrics(
    left_rows: list[dict[str, str]], right_rows: list[dict[str, str]]
) -> Difference | None:
    for epoch, (left, right) in enumerate(zip(left_rows, right_rows, strict=False), 1):
        for name in {**left, **right}:
            if name != 'seconds' and left.get(name) != right.get(name):
                return {
                    'stream': name,
                    'epoch': str(epoch),
                    'step': 'end',
                    'here': left.get(name),
                    'there': right.get(name),
                }
    if len(left_rows) == len(right_rows):
        return None
    return {
        'stream': 'length',
        'here': f'{len(left_rows)} epochs',
        'there': f'{len(right_rows)} epochs',
    }


def _of_weights(left: str | None, right: str | None) -> Difference | None:
    return None if left == right else {'stream': 'weights', 'here': left, 'there': right}
