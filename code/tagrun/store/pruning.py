"""prune: a file in a run's folder that asks it to stop at its next epoch's end, as not worth more.
Its line says who asks, and why.

    request(folder, 'median: val/acc 0.31 after epoch 4'); why = reason(folder); clear(folder)

A sweep writes it, training looks for it at each epoch's end, `continue` removes it.
"""

from pathlib import Path

from tagrun.store import atomic, safe_read

NAME = 'prune'
LONGEST = 200  # characters of a reason


def request(folder: str | Path, why: str) -> None:
    """Ask the run to stop."""
    atomic.write(Path(folder) / NAME, why.replace('\n', ' ') + '\n')


def reason(folder: str | Path) -> str:
    """Return why the run is to stop, or ''."""
    content = safe_read.read_or_none(Path(folder) / NAME)
    if content is None:
        return ''
    return content.decode(errors='replace').strip()[:LONGEST] or NAME


def clear(folder: str | Path) -> None:
    """Take the request back, if there is one."""
    (Path(folder) / NAME).unlink(missing_ok=True)
