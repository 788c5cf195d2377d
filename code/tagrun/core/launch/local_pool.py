"""Train several runs of this machine at once, each in a process of its own.

Where there are GPUs, each has one.

    pool = Pool(repository, at_once=2); pool.start(folder)
    ended = pool.wait(0.5)               # [Ended('t1/0', 0, '', 12.5), …]

What a training prints goes to its log alone. CPU threads are those of config.py, for another number
may change a result's last bits. A training that goes on although its launcher was killed is waited
for like its own.
"""

import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.repository import Repository
from tagrun.core.launch import evaluation, launch, resume
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.launch.ownership import Owned
from tagrun.store import evaluations, lock, statistic
from tagrun.store.lock import Lock
from tagrun.store.run_ref import RunRef

VISIBLE = 'CUDA_VISIBLE_DEVICES'
LOOK_S = 0.5  # between two looks at a training that is not our child
LONGEST = 4000  # bytes that a child may say of why it could not
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Ended(NamedTuple):
    """A run whose training has ended."""

    name: str  # 't1/0'
    code: int | None  # exit code; None of one that was not our child
    error_text: str  # why it could not be trained, or ''
    seconds: float  # from start to end


class Child(NamedTuple):
    """A run that is being trained."""

    name: str
    folder: Path
    slot: int
    began: float  # time.monotonic()
    pid: int | None = None  # None: somebody else trains it
    # descriptor of what it says of why it could not; it is closed when the child ends
    error_pipe: int | None = None


class Pool:
    """The trainings of this machine that belong together.

    at_once: None is one, or one for each GPU. processes: of each training, which gets so many GPUs.
    """

    def __init__(
        self, repository: Repository, at_once: int | None = None, processes: int = 1
    ) -> None:
        self.repository, self.processes = repository, processes
        self.children: dict[str, Child] = {}
        self.devices = gpus()
        self.at_once = at_once or max(1, len(self.devices) // processes)
        self.most_kb = 0  # memory of the largest training so far
        self._has_warned = False

    def has_room(self) -> bool:
        """Return whether one more may start.

        A slot must be free and, beside others, the memory that the largest of them took.
        """
        if len(self.children) >= self.at_once:
            return False
        if not self.children or not self.most_kb or available_kb() >= self.most_kb:
            return True
        if not self._has_warned:
            echo(
                f'tagrun: {len(self.children)} at once is what the memory holds: one takes '
                f'{self.most_kb / 1e6:.1f} GB'
            )
            self._has_warned = True
        return False

    def start(self, folder: Path) -> None:
        """Train the prepared run in `folder`, or go on with it.

        One that somebody else trains is waited for. Nothing where it is among the children already.
        """
        name = str(RunRef.of_folder(folder))
        if name in self.children:
            return
        taken = {child.slot for child in self.children.values()}
        slot = min(set(range(self.at_once)) - taken)
        child = Child(name, folder, slot, time.monotonic())
        # a signal that comes in between is handled when the child is among `children`
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            held = _lock(folder)
            self.children[name] = self._fork(child, held) if held else child
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def wait(self, timeout_s: float | None) -> list[Ended]:
        """Return those that ended, once there is one or `timeout_s` (None: for ever) has passed."""
        children = self.children.values()
        ours = {child.error_pipe: child for child in children if child.error_pipe is not None}
        others = [child for child in children if child.pid is None]
        patience_s = min(LOOK_S, timeout_s or LOOK_S) if others else timeout_s
        ready = select.select(list(ours), [], [], patience_s)[0]
        ended = [self._reap(ours[descriptor]) for descriptor in ready]
        for child in others:
            if lock.owner(child.folder) is None:
                ended.append(self._ended(child, None, ''))
        return ended

    def signal_all(self, number: int) -> None:
        """Send a signal to all that are ours, and wait no longer for others."""
        for child in list(self.children.values()):
            if child.pid:
                os.kill(child.pid, number)
            else:
                del self.children[child.name]

    def _fork(self, child: Child, held: Lock) -> Child:
        """Start the process that trains a run whose lock we hold; it owns the run."""
        reader, writer = os.pipe()
        pid = held.fork()
        if not pid:
            owned = Owned(child.folder, held)
            _train_in_child(self.repository, owned, writer, self._device(child.slot))
        os.close(writer)
        return child._replace(pid=pid, error_pipe=reader)

    def _device(self, slot: int) -> str | None:
        return device_slice(self.devices, slot, self.processes) if self.devices else None

    def _reap(self, child: Child) -> Ended:
        assert child.pid is not None and child.error_pipe is not None
        with open(child.error_pipe, 'rb') as file:
            text = file.read(LONGEST).decode(errors='replace')
        _, status, usage = os.wait4(child.pid, 0)
        self.most_kb = max(self.most_kb, usage.ru_maxrss)
        return self._ended(child, os.waitstatus_to_exitcode(status), text.strip())

    def _ended(self, child: Child, code: int | None, error_text: str) -> Ended:
        self.children.pop(child.name, None)
        return Ended(child.name, code, error_text, time.monotonic() - child.began)


def _lock(folder: Path) -> Lock | None:
    """Return a run's lock; None where somebody else has it."""
    if lock.owner(folder) is not None:
        return None
    try:
        return Lock(folder)
    except lock.Held:
        return None


def _train_in_child(
    repository: Repository, owned: Owned, error_pipe: int, device: str | None
) -> NoReturn:
    """Train without the terminal, and end the process."""
    code = 1
    try:
        # Ctrl-C at the terminal reaches who waits for us, and that one hands it on
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        if device is not None:
            os.environ[VISIBLE] = device
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        with owned:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            code = train_owned(repository, owned)
    except UserError as refusal:
        _say(error_pipe, str(refusal))
    except KeyboardInterrupt:
        code = launch.CTRL_C
    except BaseException as error:
        _say(error_pipe, f'{type(error).__name__}: {error}')
    finally:
        os._exit(code)


def _say(pipe: int, text: str) -> None:
    os.write(pipe, text[:LONGEST].encode(errors='replace'))


def train(repository: Repository, folder: Path) -> int:
    """Train a run that never began, or go on with it where it stood; return the exit code.

    Of the folder of an evaluation it makes that. Raises UserError where somebody else has it.
    """
    with Owned(folder) as owned:
        return train_owned(repository, owned)


def train_owned(repository: Repository, owned: Owned) -> int:
    """Train a run that we own, as `train`."""
    folder = owned.folder
    if evaluations.is_evaluation(folder):
        return evaluation.evaluate_owned(repository, owned)
    if not (folder / statistic.NAME).exists():
        return launch.train_owned(repository, owned)
    resume.read_resumable(repository, folder)
    return resume.resume_owned(repository, owned, LaunchOptions())


def device_slice(devices: list[str], slot: int, processes: int = 1) -> str:
    """Return CUDA_VISIBLE_DEVICES for the training in a slot: '0', or '2,3' for two processes."""
    first = slot * processes % len(devices)
    return ','.join((devices + devices)[first : first + min(processes, len(devices))])


def gpus() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES takes this machine's GPUs; [] without any."""
    if VISIBLE in os.environ:
        names = [name.strip() for name in os.environ[VISIBLE].split(',')]
        return [name for name in names if name not in ('', '-1')]
    if not shutil.which('nvidia-smi'):
        return []
    done = subprocess.run(
        ['nvidia-smi', '--query-gpu=index', '--format=csv,noheader'],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.split() if not done.returncode else []


def available_kb() -> float:
    """Return the memory that a further process may take, in kB; infinite where it is not known."""
    try:
        with open('/proc/meminfo') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('MemAvailable:'))
    except (OSError, StopIteration):
        return float('inf')
