"""What a Ray worker runs for a run: `tagrun continue <tag>/<id>`, watched.

    ray.remote(train).remote(guard, [python, 'code/tagrun', 'continue', 't1/0'], root, folder, note)

If a worker dies, its training saves and ends, and goes on where Ray tries again. Ray sends this
file to the worker as text: it imports nothing of ours, and training knows nothing of Ray.
"""

import contextlib
import fcntl
import os
import subprocess
import time

RESUMABLE, KILLED = 75, 128  # … and the number of the signal
LOOK_S = 0.5  # Ray's cancel reaches Python between two looks
PATIENCE_S = 60  # for a training to save, whose worker died
THREADS = 'OMP_NUM_THREADS'


def train(
    guard: str, words: list[str], root: str, folder: str, note: str, threads: str | None = None
) -> int:
    """Train a run; return the exit code, 75 when it was cancelled.

    guard: guard.py; folder: the run's; note: the file that gets 'running'; threads:
    OMP_NUM_THREADS as it was where the run was given to Ray, or None. Raises ChildProcessError
    where training was killed: Ray tries again.
    """
    with open(note, 'w', encoding='utf-8') as file:
        file.write('running')
    wait_for_lock(os.path.join(folder, 'lock'))
    # the log is all there is
    child = subprocess.Popen(
        [words[0], '-I', guard, str(os.getpid()), *words],
        cwd=root,
        env=environment(threads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        code = _wait(child)
    except KeyboardInterrupt:  # Ray's cancel
        child.terminate()
        child.wait()
        return RESUMABLE
    if code == RESUMABLE or code > KILLED:
        raise ChildProcessError('training was killed')
    return code


def environment(threads: str | None) -> dict[str, str]:
    """Return our environment with OMP_NUM_THREADS as it was: Ray sets it to its own number."""
    variables = {name: value for name, value in os.environ.items() if name != THREADS}
    if threads:
        variables[THREADS] = threads
    return variables


def wait_for_lock(path: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until nobody trains the run: training whose worker died here may still be saving."""
    end = time.monotonic() + patience_s
    with contextlib.suppress(FileNotFoundError), open(path, 'rb') as file:
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(LOOK_S)


def _wait(child: 'subprocess.Popen[bytes]') -> int:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(LOOK_S)
