"""Runs of this machine, several at once: each trained by a process of its own, one GPU each where there are GPUs.

    pool = Pool(repository, at_once=2); pool.start(folder); ended = pool.wait(0.5)     # [Ended('t1/0', 0, '', 12.5), …]

What a training prints goes to its log alone. CPU threads are those of config.py, for another number may change a result's last bits.
A training that goes on although who started it was killed is waited for like its own.
"""
import importlib
import os
import select
import shutil
import signal
import subprocess
import time
from typing import NamedTuple

from tagrun.command import launch
from tagrun.command.say import Refusal, say
from tagrun.store import lock

VISIBLE = 'CUDA_VISIBLE_DEVICES'
LOOK_S = 0.5        # between two looks at a training that is not our child
LONGEST = 4000      # letters that a child may say of why it could not


class Ended(NamedTuple):
    name: str           # 't1/0'
    code: int           # exit code; None of one that was not our child
    words: str          # why it could not be trained, or ''
    seconds: float      # from start to end


class _Child(NamedTuple):
    name: str
    pid: int            # None: somebody else trains it
    words: int          # descriptor on which it says why it could not; it is closed when the child ends
    began: float
    slot: int
    folder: object


class Pool:
    def __init__(self, repository, at_once=None, processes=1):
        """at_once: None is one, or one for each GPU. processes: of each training, so many GPUs it gets."""
        self.repository, self.processes, self.children = repository, processes, {}
        self.devices = gpus()
        self.at_once = at_once or max(1, len(self.devices) // processes)
        self.most_kb = 0        # memory of the largest training so far
        self._told = False

    def has_room(self):
        """Whether one more may start: a slot is free and, beside others, the memory that the largest of them took."""
        if len(self.children) >= self.at_once:
            return False
        if not self.children or not self.most_kb or available_kb() >= self.most_kb:
            return True
        if not self._told:
            say(f'tagrun: {len(self.children)} at once is what the memory holds: one takes {self.most_kb / 1e6:.1f} GB')
            self._told = True
        return False

    def start(self, folder):
        """Train the prepared run in `folder`, or go on with it; one that somebody else trains is waited for."""
        name = f'{folder.parent.name}/{folder.name}'
        slot = min(set(range(self.at_once)) - {child.slot for child in self.children.values()})
        if lock.owner(folder) is not None:
            self.children[name] = _Child(name, None, None, time.monotonic(), slot, folder)
            return
        heard, said = os.pipe()
        pid = os.fork()
        if not pid:
            _train(self.repository, folder, said, self._device(slot))
        os.close(said)
        self.children[name] = _Child(name, pid, heard, time.monotonic(), slot, folder)

    def wait(self, timeout_s):
        """Those that ended; at least one, or `timeout_s` (None: for ever) has passed."""
        heard = {child.words: child for child in self.children.values() if child.pid}
        others = [child for child in self.children.values() if not child.pid]
        patience = min(LOOK_S, timeout_s or LOOK_S) if others else timeout_s
        ready = select.select(list(heard), [], [], patience)[0]
        return [self._reap(heard[descriptor]) for descriptor in ready] + [self._done(child, None, '') for child in others if lock.owner(child.folder) is None]

    def ask(self, number):
        """Hand a signal on to all that are ours, and wait no longer for others."""
        for child in list(self.children.values()):
            if child.pid:
                os.kill(child.pid, number)
            else:
                del self.children[child.name]

    def _device(self, slot):
        return shared(self.devices, slot, self.processes) if self.devices else None

    def _reap(self, child):
        with open(child.words, 'rb') as file:
            words = file.read(LONGEST).decode(errors='replace')
        _, status, usage = os.wait4(child.pid, 0)
        self.most_kb = max(self.most_kb, usage.ru_maxrss)
        return self._done(child, os.waitstatus_to_exitcode(status), words.strip())

    def _done(self, child, code, words):
        self.children.pop(child.name, None)
        return Ended(child.name, code, words, time.monotonic() - child.began)


def _train(repository, folder, said, device):
    """In the child: `tagrun continue`, without the terminal, and the end of the process."""
    code = 1
    try:
        os.setsid()     # Ctrl-C at the terminal reaches who waits for us, and that one hands it on
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        if device is not None:
            os.environ[VISIBLE] = device
        code = train(repository, folder)
    except Refusal as refusal:
        os.write(said, str(refusal)[:LONGEST].encode(errors='replace'))
    except BaseException as error:
        os.write(said, f'{type(error).__name__}: {error}'[:LONGEST].encode(errors='replace'))
    finally:
        os._exit(code)


def train(repository, folder):
    """Train a run that never began, or go on with it where it stood; the exit code."""
    if not (folder / lock.NAME).exists():
        return launch.train(repository, folder)
    return importlib.import_module('tagrun.command.continue').main([f'{folder.parent.name}/{folder.name}'])


def shared(devices, slot, processes=1):
    """What CUDA_VISIBLE_DEVICES says to the training in a slot: '0', or '2,3' for one of two processes."""
    first = slot * processes % len(devices)
    return ','.join((devices + devices)[first:first + min(processes, len(devices))])


def gpus():
    """The names by which CUDA_VISIBLE_DEVICES takes this machine's GPUs, one by one; [] where there are none."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(',') if name.strip() not in ('', '-1')]
    if not shutil.which('nvidia-smi'):
        return []
    found = subprocess.run(['nvidia-smi', '--query-gpu=index', '--format=csv,noheader'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return found.stdout.split() if not found.returncode else []


def available_kb():
    """Memory that a further process may take, in kB; infinite where the system does not say."""
    try:
        with open('/proc/meminfo') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('MemAvailable:'))
    except (OSError, StopIteration):
        return float('inf')
