"""Write to the run's log why main.py could not be imported or ended early: no log is open yet.

    import_failure.keep_traceback()     # what `import tagrun.training` does in a run

Python prints the traceback on the screen as ever. Once the run is open, its own log has all.
"""

import contextlib
import os
import sys
import traceback
from types import TracebackType
from typing import TextIO

from tagrun.store import atomic, run_json

LOG = 'log'


def keep_traceback() -> None:
    """Let Python's last word on an exception go to the log too, in a process that trains a run."""
    if run_json.ENVIRONMENT in os.environ and sys.excepthook is sys.__excepthook__:
        sys.excepthook = _write_and_print


def _write_and_print(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Do what Python does, and write it to the log unless stderr is that file."""
    sys.__excepthook__(kind, error, trace)
    path = os.path.join(os.environ[run_json.ENVIRONMENT], LOG)
    with contextlib.suppress(OSError, ValueError), _opened(path) as log:
        if not os.path.samestat(os.fstat(2), os.fstat(log.fileno())):
            log.writelines(traceback.format_exception(kind, error, trace))


def _opened(path: str) -> TextIO:
    return os.fdopen(atomic.open_to_append(path), 'a', encoding='utf-8')
