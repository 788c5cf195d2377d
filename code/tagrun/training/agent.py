"""Start main.py several times, once for each process, and say how they ended: what `python main.py` becomes where several shall train.

    sys.exit(agent.start(2, folder))

It is torchrun's agent, called as a library. A signal goes to the first process; how each ended comes back through torchrun's error files.
Over several machines it reaches where an engine starts main.py on each (NODES).
"""
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

import torch

from tagrun.store import jsonfile, lock, run_json, statistic
from tagrun.training.distributed import MARK, TIMEOUT_S
from tagrun.training.log import Log
from tagrun.training.report import Ending, ended, tell
from tagrun.training.signals import ASKING

NODES = 'TAGRUN_NODES'      # '2 0 10.0.0.5:29500' where an engine trains on several machines: how many, which one this is, where the first one listens


def count(config, folder):
    """How many processes the run in `folder` has: what --nproc said, or as many as it had before, or one for each GPU that is made visible."""
    told = run_json.read(folder).get('nproc') or _before(folder)
    device, visible = getattr(config, 'device', 'auto'), os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
    if not told and device in ('auto', 'cuda') and len(visible) > 1 and torch.cuda.is_available():
        return torch.cuda.device_count()
    return told or 1


def _before(folder):
    """Of an earlier start; None where there was none."""
    try:
        number = jsonfile.read(Path(folder) / 'environment.json').get('world_size')
    except (OSError, ValueError):
        return None
    return max(1, number // nodes()[0]) if isinstance(number, int) and 0 < number <= run_json.MOST else None


def nodes():
    """(how many machines train together, which one this is, where they meet)"""
    count, own, endpoint = os.environ.get(NODES, '1 0 127.0.0.1:0').split()
    return int(count), int(own), endpoint


def start(number, folder):
    """Train the run in `folder` in `number` processes of main.py and wait for them; the exit code. Who is killed kills us by the same signal."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)   # how a run ended is said in a line or two, by us
    with tempfile.TemporaryDirectory(prefix='tagrun-', ignore_cleanup_errors=True) as place:
        os.environ.update({run_json.ENVIRONMENT: str(folder), MARK: place})
        os.environ.setdefault('OMP_NUM_THREADS', '1')
        os.environ.setdefault('TORCH_CPP_LOG_LEVEL', 'ERROR')       # else each process warns that Parallel might be faster
        machines, own, endpoint = nodes()
        meeting = {'rdzv_backend': 'static', 'rdzv_configs': {'rank': own, 'timeout': TIMEOUT_S}} if machines > 1 else {'rdzv_backend': 'c10d'}
        settings = LaunchConfig(
            min_nodes=machines, max_nodes=machines, nproc_per_node=number, max_restarts=0, run_id='tagrun', signals_to_handle='SIGQUIT',
            rdzv_endpoint=endpoint, local_addr=endpoint.rpartition(':')[0] if own == 0 else None, logs_specs=DefaultLogsSpecs(log_dir=place), **meeting)
        try:
            _forward_signals(Path(place))
            elastic_launch(settings, sys.executable)('-u', os.path.abspath(sys.modules['__main__'].__file__))
        except _Asked as asked:
            return _die(asked.number)
        except ChildFailedError as failed:
            return _end(folder, [failed.failures[place] for place in sorted(failed.failures)], number)
    return 0


class _Asked(BaseException):
    """A signal came before there was a training that it could stop."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def _forward_signals(place):
    """What asks us to stop goes to the first process, which agrees with the others on the step."""
    def forward(number, _):
        if nodes()[1]:
            return      # the first machine's affair; its processes and ours agree
        try:
            os.kill(int((place / 'leader').read_text()), number)
        except (OSError, ValueError):
            if not (place / 'leader').exists():
                raise _Asked(number) from None
    for number in ASKING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, forward)


def _end(folder, failures, number):
    """Say why a run ended, and make its status say so. What one process met because another had gone is no reason; the exit code."""
    failed = [failure for failure in failures if 'ending' in failure.error_file_data]
    own = [failure for failure in failed if not failure.error_file_data['broken']]
    killed = next((failure.exitcode for failure in failures if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM), None)
    spoke = next((failure.exitcode for failure in failures if failure.exitcode > 0 and failure not in failed), None)     # itself, and stopped or was refused
    if not own and killed:
        return _die(-killed)
    if not own and (spoke or not failed):
        return spoke or 1
    first = (own or failed)[0]
    ending = Ending(**first.error_file_data['ending'])
    where = f' (rank {first.local_rank} of {number})' if len(own) < number else ''
    log = Log(folder / 'log')
    (tell if os.environ.get('TAGRUN_DEBUG') else log.only_file)(ending.traceback)
    tell(f'tagrun: {run_json.name(run_json.read(folder))} {ending.text.replace(ending.line, ending.line + where, 1)}')
    log.close()
    if nodes()[1]:      # the first machine says how the run ended
        return ending.code
    try:
        content = statistic.read(folder)
        if content['status'] == statistic.RUNNING and lock.owner(folder) is None:
            statistic.write(folder, ended(content, ending.status, ending.line + where))
    except (OSError, ValueError):
        pass        # it never began, or there is no room: the exit code tells
    return ending.code


def _die(number):
    """End as the process did that was killed: our parent takes it for the training."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
