"""Whether a run has trained anything, as its files say.

    first_step.is_done(folder)          # False: it failed before its first training step

Training traces its first step at once (training/trace.py), so this holds after a crash of Python,
too. An epoch that only evaluates leaves a line of trace.csv and a checkpoint at its end.
"""

from pathlib import Path

from tagrun.store import checkpoints, inputs, run_json, safe_read, trace

LONGEST = 1 << 16  # bytes that are read of trace.csv: its head and more than one line


def is_done(folder: Path) -> bool:
    """Return whether the run in `folder` trained a step; True where that cannot be read."""
    try:
        if _has_line(folder / trace.NAME):
            return True
        info = run_json.read(folder)
    except (OSError, ValueError):
        return True
    # the checkpoint that it began with is another run's
    if any(each.what == inputs.CHECKPOINT for each in inputs.known(info.get('inputs'))):
        return False
    return any((folder / checkpoints.FOLDER).glob('*.pth'))


def _has_line(path: Path) -> bool:
    """Return whether trace.csv has a line below its head."""
    try:
        with safe_read.open_file(path) as file:
            return len(file.read(LONGEST).splitlines()) > 1
    except FileNotFoundError:
        return False
