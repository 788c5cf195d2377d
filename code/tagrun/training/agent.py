"""Start main.py several times, once for each process, and say how they ended: what `python main.py`
becomes where several shall train.

    sys.exit(agent.start(2, folder))

It is torchrun's agent, called as a library. A signal goes to the first process; how each ended
comes back through torchrun's error files. The agent owns the run until the first process is there
and takes the lock over, through a socket: torchrun's processes inherit nothing. Over several
machines it reaches where an engine starts main.py on each (NODES).
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import torch

from tagrun.store import jsonfile, lock, run_json, statistic
from tagrun.training import log_head
from tagrun.training.distributed import MARK, TIMEOUT_S
from tagrun.training.log import Log
from tagrun.training.report import Ending, ended, info
from tagrun.training.signals import ASKING

# '2 0 10.0.0.5:29500' where an engine trains on several machines: how many, which one this is,
# where the first one listens
NODES = 'TAGRUN_NODES'
SOCKET = 'lock'  # in the folder of MARK: the first process takes the run's lock there
MAIN = Path(__file__).resolve().parents[2] / 'main.py'


def count(config: ModuleType, folder: Path) -> int:
    """Return how many processes the run in `folder` has.

    That is what --nproc says, or as many as it had before, or one for each GPU that is made
    visible.
    """
    number = run_json.read(folder).get('nproc') or _before(folder)
    device = getattr(config, 'device', 'auto')
    visible = os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
    if not number and device in ('auto', 'cuda') and len(visible) > 1 and torch.cuda.is_available():
        return torch.cuda.device_count()
    return number or 1


def _before(folder: Path) -> int | None:
    """Return the number at an earlier start, on this machine; None where there was none."""
    try:
        number = jsonfile.read(folder / 'environment.json').get('world_size')
    except (OSError, ValueError):
        return None
    if not isinstance(number, int) or not 0 < number <= run_json.MOST:
        return None
    machines, _, _ = nodes()
    return max(1, number // machines)


def nodes() -> tuple[int, int, str]:
    """Return (how many machines train together, which one this is, where they meet)."""
    count, own, endpoint = os.environ.get(NODES, '1 0 127.0.0.1:0').split()
    return int(count), int(own), endpoint


def start(number: int, folder: Path) -> int:
    """Train the run in `folder` in `number` processes of main.py, and wait. Returns the exit code.

    Where a signal kills one, the same signal kills us.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    # how a run ended is said in a line or two, by us
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory(prefix='tagrun-', ignore_cleanup_errors=True) as logs,
        _owned(folder, Path(logs)),
    ):
        os.environ.update({run_json.ENVIRONMENT: str(folder), MARK: logs})
        os.environ.setdefault('OMP_NUM_THREADS', '1')
        # else each process warns that Parallel might be faster
        os.environ.setdefault('TORCH_CPP_LOG_LEVEL', 'ERROR')
        settings = _launch_config(number, logs)
        # a notebook has no file
        main = os.path.abspath(getattr(sys.modules['__main__'], '__file__', None) or MAIN)
        failures: list[Any] = []
        try:
            _forward_signals(Path(logs))
            elastic_launch(settings, sys.executable)('-u', main)
        except _SignalBeforeTraining as asked:
            return _die(asked.number)
        except ChildFailedError as error:
            failures = [failure for _, failure in sorted(error.failures.items())]
    return _end(folder, failures, number) if failures else 0


@contextlib.contextmanager
def _owned(folder: Path, logs: Path) -> Iterator[None]:
    """Own the run until the first process takes the lock over; the first machine does.

    End the process if another one has it.
    """
    if nodes()[1]:
        yield
        return
    try:
        owned = lock.Lock(folder)
    except lock.Held as held:
        log_head.say_held(run_json.read(folder), held)
        sys.exit(1)
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind(str(logs / SOCKET))
            server.listen()
            threading.Thread(target=_give_lock, args=(server, owned), daemon=True).start()
        except OSError:  # no socket can be there: the first process takes the lock itself
            owned.release()
        try:
            yield
        finally:
            owned.release()


def _give_lock(server: socket.socket, owned: lock.Lock) -> None:
    with contextlib.suppress(OSError), server.accept()[0] as connection:
        socket.send_fds(connection, [b'lock'], [owned.descriptor])
        owned.release()


def take_lock_over() -> None:
    """In the first process: let the run's lock be that which the agent holds, if there is one."""
    path = Path(os.environ.get(MARK, os.devnull)) / SOCKET
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        _, descriptors, _, _ = socket.recv_fds(connection, 16, 1)
        os.environ[lock.ENVIRONMENT] = str(descriptors[0])


def _launch_config(number: int, logs: str) -> Any:
    """Return torchrun's settings for `number` processes on this machine."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    machines, own, endpoint = nodes()
    rendezvous: dict[str, Any] = {'rdzv_backend': 'c10d'}
    if machines > 1:
        options = {'rank': own, 'timeout': TIMEOUT_S}
        rendezvous = {'rdzv_backend': 'static', 'rdzv_configs': options}
    local_addr = endpoint.rpartition(':')[0] if own == 0 else None
    return LaunchConfig(
        min_nodes=machines,
        max_nodes=machines,
        nproc_per_node=number,
        max_restarts=0,
        run_id='tagrun',
        signals_to_handle='SIGQUIT',
        rdzv_endpoint=endpoint,
        local_addr=local_addr,
        logs_specs=DefaultLogsSpecs(log_dir=logs),
        **rendezvous,
    )


class _SignalBeforeTraining(BaseException):
    """A signal came before there was a training that it could stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _forward_signals(logs: Path) -> None:
    """Send what asks us to stop to the first process, which agrees with the others on the step."""

    def forward(number: int, _: FrameType | None) -> None:
        if nodes()[1]:
            return  # the first machine's affair; its processes and ours agree
        try:
            os.kill(int((logs / 'leader').read_text()), number)
        except (OSError, ValueError):
            if not (logs / 'leader').exists():
                raise _SignalBeforeTraining(number) from None

    for number in ASKING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, forward)


def _end(folder: Path, failures: list[Any], number: int) -> int:
    """Say why a run ended, and make its status say so. Returns the exit code.

    failures: torchrun's, in the order of the ranks. What one process met because another had gone
    is not the reason.
    """
    reported = [failure for failure in failures if 'ending' in failure.error_file_data]
    own = [failure for failure in reported if not failure.error_file_data['broken']]
    codes = [failure.exitcode for failure in failures]
    killed_by = [-code for code in codes if code < 0 and code != -signal.SIGTERM]
    # of those that said themselves that they stopped, or were refused
    refused = [
        failure.exitcode for failure in failures if failure.exitcode > 0 and failure not in reported
    ]
    if not own and killed_by:
        return _die(killed_by[0])
    if not own and (refused or not reported):
        return refused[0] if refused else 1
    first = (own or reported)[0]
    ending = Ending(**first.error_file_data['ending'])
    if len(own) < number:
        line = f'{ending.line} (rank {first.local_rank} of {number})'
        text = ending.text.replace(ending.line, line, 1)
        ending = ending._replace(line=line, text=text)
    _announce(folder, ending)
    if nodes()[1] == 0:  # the first machine says how the run ended
        _write_status(folder, ending)
    return ending.code


def _announce(folder: Path, ending: Ending) -> None:
    content = run_json.read(folder)
    log = Log(folder / 'log', times=content.get('log') != run_json.PLAIN)
    say_traceback = info if os.environ.get('TAGRUN_DEBUG') else log.only_file
    say_traceback(ending.traceback)
    info(f'tagrun: {run_json.name(content)} {ending.text}')
    log.close()


def _write_status(folder: Path, ending: Ending) -> None:
    try:
        content = statistic.read(folder)
        if content['status'] == statistic.RUNNING and lock.owner(folder) is None:
            statistic.write(folder, ended(content, ending.status, ending.line))
    except (OSError, ValueError):
        pass  # it never began, or there is no room: the exit code tells


def _die(number: int) -> int:
    """End as the process did that was killed: our parent takes it for the training."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
