"""prune: a file in a run's folder that asks it to stop at its next epoch's end, as not worth more. Its line says who asks, and why.

    ask(folder, 'median: val/acc 0.31 after epoch 4'); why = wanted(folder); forget(folder)

A sweep writes it, training looks for it at each epoch's end, `continue` removes it.
"""
from pathlib import Path

from tagrun.store import atomic, reading

NAME = 'prune'
LONGEST = 200       # letters of a reason


def ask(folder, why):
    atomic.write(Path(folder) / NAME, why.replace('\n', ' ') + '\n')


def wanted(folder):
    """Why it is to stop, or ''."""
    try:
        return reading.regular(Path(folder) / NAME).decode(errors='replace').strip()[:LONGEST] or NAME
    except (OSError, ValueError):
        return ''


def forget(folder):
    (Path(folder) / NAME).unlink(missing_ok=True)
