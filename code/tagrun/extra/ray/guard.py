"""Stand between a Ray worker and `tagrun continue`: if the worker ends, training saves and ends.

    python -I guard.py <the worker's process id> python code/tagrun continue t1/0

A worker that is killed takes no child along. One that ends by itself kills its children, but not
theirs. So this child dies with the worker, and its own child gets SIGTERM when it is dead, however
it died (Linux's PR_SET_PDEATHSIG; elsewhere training goes on to its end).
"""

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
RESUMABLE = 75


def die_with_parent() -> None:
    """Have Linux send this process SIGTERM when its parent ends."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main(worker: int, words: list[str]) -> int:
    """Run a command as long as the worker, our parent, lives; return the exit code."""
    die_with_parent()
    if os.getppid() != worker:  # it has ended already
        return RESUMABLE
    child = subprocess.Popen(words, preexec_fn=die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    return code if code >= 0 else RESUMABLE


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
