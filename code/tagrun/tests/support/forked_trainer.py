"""Train runs in forked children of a process that has loaded torch already.

    server = Server(code)
    ended = server.train(folder, kill_after=0.3)    # Ended(code=-9, seconds=0.3, step=57, …)

A start takes a tenth of a second instead of three. The child is what `python main.py` would be, in
the run whose folder this is, but it draws no confusion matrix. Calls of fault_calls.py may be put
into it. It resumes nothing: campaign.py does, by the code of `continue`.
"""

import gc
import importlib
import json
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

LONGEST_S = 120  # after which a child counts as hung
# modules that each child would load for itself
SLOW = (
    'torch._dynamo',
    'torch.utils.tensorboard',
    'torch.utils.tensorboard._pytorch_graph',
    'matplotlib.figure',
    'matplotlib.backends.backend_agg',
    'matplotlib.font_manager',
)


class Ended(NamedTuple):
    """How a child ended.

    code: its exit code, or minus a signal's number. seconds: from its start. step: training steps
    that it did. late: seconds from the first signal to its end. sent: the signals that reached it
    alive.
    """

    code: int
    seconds: float
    step: int
    late: float
    sent: list


class Server:
    def __init__(self, code):
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )

    def train(self, folder, kill_after=None, signals=(), calls=None, record=None):
        """Train the run in `folder`; SIGKILL after so many seconds, or [(seconds, signal), …].

        calls: the arguments of fault_calls.Calls; record: the file that gets what it recorded.
        """
        signals = [(kill_after, signal.SIGKILL)] if kill_after is not None else list(signals)
        job = {
            'folder': str(folder),
            'signals': signals,
            'calls': calls,
            'record': record and str(record),
        }
        self._process.stdin.write(json.dumps(job) + '\n')
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)


def serve(code):
    """Fork a child for each line of stdin, and answer with how it ended."""
    sys.path.insert(0, code)
    import main
    from tagrun.training import environment
    from tagrun.training.trace import Trace
    from tagrun.training.writer import Writer

    for module in SLOW:
        importlib.import_module(module)
    # read once for all children, and no pictures: both took most of a short training
    installed = [
        SimpleNamespace(metadata=item.metadata, version=item.version)
        for item in metadata.distributions()
    ]
    environment.metadata = SimpleNamespace(distributions=lambda: installed)
    Writer.confusion = lambda *_: None
    # a child's collector need not look through all of torch, at its end least of all
    gc.freeze()
    for line in sys.stdin:
        job, steps = json.loads(line), mmap.mmap(-1, 8)
        child = os.fork()
        if not child:
            _become(job, steps, Trace)
            return main.main()
        print(json.dumps(_watch(child, job['signals'], steps)._asdict()), flush=True)


def _become(job, steps, Trace):
    """Make this forked child the training of the job's run."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    screen = os.open(Path(job['folder']) / 'screen', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for descriptor, source in enumerate((nothing, screen, screen)):
        os.dup2(source, descriptor)
    os.environ['TAGRUN_RUN'] = job['folder']
    _count(Trace, steps)
    if job['calls']:
        import atexit

        from fault_calls import Calls

        calls = Calls(**{'folder': job['folder'], **job['calls']})
        if job['record']:
            atexit.register(_write_record, calls, Path(job['record']))


def _write_record(calls, path):
    path.write_bytes(pickle.dumps([tuple(call) for call in calls.recorded]))


def _count(Trace, steps):
    """Let the parent see how many steps were trained, whatever becomes of the child."""
    real = Trace.step

    def step(trace, trained):
        steps[:] = struct.pack('q', trained.step)
        real(trace, trained)

    Trace.step = step


def _watch(child, signals, steps):
    start, first, sent = time.monotonic(), None, []
    signals = [*signals, (LONGEST_S, signal.SIGKILL)]
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        seconds = time.monotonic() - start
        if pid:
            break
        if seconds >= signals[0][0]:
            first = seconds if first is None else first
            os.kill(child, signals[0][1])
            sent.append(signals.pop(0)[1])
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(status)
    late = seconds - first if first else 0.0
    return Ended(code, seconds, struct.unpack('q', steps[:])[0], late, sent)


if __name__ == '__main__':
    serve(sys.argv[1])
