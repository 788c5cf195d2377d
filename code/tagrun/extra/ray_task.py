"""What a Ray worker runs for a run: `tagrun continue <tag>/<id>`, watched.

    ray.remote(train).remote(guard, [python, 'code/tagrun', 'continue', 't1/0'], root, run_folder, note, None)

A worker that dies takes training along: it saves, and goes on where Ray tries again. It is sent to the worker by its text: it imports
nothing of ours, and training knows nothing of Ray.
"""
import contextlib
import fcntl
import os
import subprocess
import time

RESUMABLE = 75
LOOK_S = 0.5        # Ray's cancel reaches Python between two looks
PATIENCE_S = 60     # for a training to save, whose worker died


def train(guard, words, root, folder, note, threads):
    """Training's exit code; 75 when it was cancelled. Raises ChildProcessError where training was killed: Ray tries again.

    guard: ray_guard.py; folder: the run's; note: the file that says 'running'; threads: OMP_NUM_THREADS as it was where the run was given to Ray, or None.
    """
    with open(note, 'w', encoding='utf-8') as file:
        file.write('running')
    _wait_for_lock(os.path.join(folder, 'lock'))
    environment = {name: value for name, value in os.environ.items() if name != 'OMP_NUM_THREADS'}     # Ray sets it
    environment |= {'OMP_NUM_THREADS': threads} if threads else {}
    nothing = subprocess.DEVNULL    # the log is all there is
    child = subprocess.Popen([words[0], '-I', guard, str(os.getpid()), *words], cwd=root, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
    try:
        code = _wait(child)
    except KeyboardInterrupt:   # Ray's cancel
        child.terminate()
        child.wait()
        return RESUMABLE
    if code == RESUMABLE:
        raise ChildProcessError('training was killed')
    return code


def _wait(child):
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(LOOK_S)


def _wait_for_lock(path):
    """Until nobody trains the run any more: the training of a worker that died here may still be saving."""
    end = time.monotonic() + PATIENCE_S
    with contextlib.suppress(FileNotFoundError), open(path, 'rb') as file:
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(LOOK_S)
