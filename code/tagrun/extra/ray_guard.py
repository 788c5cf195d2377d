"""Between a Ray worker and `tagrun continue`: however the worker ends, training is told to stop, and saves.

    python -I ray_guard.py <the worker's process id> python code/tagrun continue t1/0

A worker that is killed takes no child along, and one that ends by itself kills its children, but not theirs. So this child dies with the
worker, and its own child is told when it is dead, however it died (Linux's PR_SET_PDEATHSIG; elsewhere training goes on to its end).
"""
import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent():
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


die_with_parent()
if os.getppid() != int(sys.argv[1]):    # it has ended already
    sys.exit(75)
child = subprocess.Popen(sys.argv[2:], preexec_fn=die_with_parent)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
code = child.wait()
sys.exit(code if code >= 0 else 75)
