"""Several processes train one model: each on a GPU, or each on a CPU core.

    run t1 --nproc 2            # or CUDA_VISIBLE_DEVICES=0,1 run t1
    self.model = distributed.wrap(model, args.shard)    # state.py; the model itself in one process

Every batch of a Loader is divided among them, so a step sees the same samples whatever their
number; gradients, metrics and the traced loss are those of the whole batch. agent.py starts main.py
once for each process; there open_run gives the run a Group of group.py. BatchNorm sees a process's
own part of a batch (torch.nn.SyncBatchNorm sees all of it).
"""

import copy
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.distributed as torch_distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tagrun.store import atomic
from tagrun.training.report import Ending

# in the environment of the processes that agent.py started: the folder of what they report to it
MARK = 'TAGRUN_RANKS'
TIMEOUT_S = 1800  # that one of them may wait for another
LOOK_S = 0.25  # between two looks at whether all shall save or stop; …
FURTHEST = 50  # steps, should they come to take longer
GRACE_S = 5  # to say why, after another one has gone
# an error that another process's end leaves behind
BROKEN = r'gloo|NCCL|Connection (closed|reset) by peer|Broken pipe'

device_mesh: Any = None  # torch's DeviceMesh of all processes, where a model is divided
_released = threading.Event()  # all have done their part: from here on each may go

Totals = dict[str, list[float]]  # of a Meter: {name: [sum of factor * value, sum of weights]}
Sums = dict[str, Tensor]


def is_rank() -> bool:
    """Return whether this process is one of several that torchrun started."""
    return torch_distributed.is_available() and torch_distributed.is_torchelastic_launched()


def size() -> int:
    """Return the number of processes that train together."""
    if torch_distributed.is_available() and torch_distributed.is_initialized():
        return torch_distributed.get_world_size()
    return 1


def rank() -> int:
    """Return which of them this one is, from 0."""
    return torch_distributed.get_rank() if size() > 1 else 0


# --- one of several processes --------------------------------------------------------------------


def init(device: str) -> None:
    """Join the other processes. device: config.py's word for it."""
    local_rank = int(os.environ['LOCAL_RANK'])
    backend = 'gloo'
    if torch.cuda.is_available() and device in ('auto', 'cuda'):
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
        backend = 'cpu:gloo,cuda:nccl'
    torch_distributed.init_process_group(backend, timeout=timedelta(seconds=TIMEOUT_S))
    machine = os.environ.get('GROUP_RANK')
    processes = all_gather((machine, os.getpid()))
    PeerWatchdog(pid for other, pid in processes if other == machine).start()


def announce_leader() -> None:
    """Tell the agent that from here on signals can come, and to which process."""
    if MARK in os.environ:
        atomic.write(Path(os.environ[MARK]) / 'leader', str(os.getpid()))


def own_device(name: str) -> torch.device:
    """Return the device of this process. Raises ValueError for one that several cannot have."""
    if size() > 1 and name not in ('auto', 'cpu', 'cuda'):
        raise ValueError(
            f"config.py: device is {name!r}, and {size()} processes train: 'auto', 'cpu' "
            "or 'cuda' it can be, or --nproc 1"
        )
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if size() > 1 and name == 'cuda':
        return _own_gpu()
    return torch.device(name)


def _own_gpu() -> torch.device:
    local_size = int(os.environ.get('LOCAL_WORLD_SIZE', size()))
    if local_size > torch.cuda.device_count():
        raise ValueError(
            f'--nproc {local_size}: each process needs a GPU of its own, and '
            f'{torch.cuda.device_count()} can be seen'
        )
    return torch.device('cuda', torch.cuda.current_device())


class PeerWatchdog(threading.Thread):
    """Ends this process where it would wait for one that has gone: GRACE_S after another process,
    at once after torchrun's agent.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        super().__init__(name='watchdog', daemon=True)
        self._others = [pid for pid in pids if pid != os.getpid()]
        self._parent = os.getppid()

    def run(self) -> None:
        """Look five times a second, until all are released."""
        gone_since = None
        while not _released.wait(0.2):
            if os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGKILL)
            if gone_since is None and not all(map(_is_alive, self._others)):
                gone_since = time.monotonic()
            if gone_since is not None and time.monotonic() - gone_since > GRACE_S:
                os._exit(1)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def all_gather(value: Any) -> list[Any]:
    """Return [value of each process], in all of them. Plain values and CPU tensors."""
    values = [None] * size()
    torch_distributed.all_gather_object(values, value)
    return values


def broadcast(value: Any) -> Any:
    """Return the first process's value, in all of them."""
    values = [value]
    torch_distributed.broadcast_object_list(values, device=torch.device('cpu'))
    return values[0]


def all_max(*numbers: int) -> list[int]:
    """Return the highest of all processes of each of these integers."""
    values = torch.tensor(numbers)
    torch_distributed.all_reduce(values, torch_distributed.ReduceOp.MAX)
    return values.tolist()


def barrier_and_release() -> None:
    """Wait for all processes, and let each go. The last thing that they do together."""
    all_max(0)
    _released.set()


def disarm_watchdog() -> None:
    """Wait for no other process any more: this one is ending."""
    _released.set()


def leave(code: int) -> NoReturn:
    """End this process; one of several at once.

    torch's own end would wait for, or stumble over, connections to those that have gone.
    """
    if size() == 1:
        sys.exit(code)
    _released.set()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def report(ending: Ending) -> bool:
    """Leave how this process ended to the agent, in torchrun's error file.

    Returns False where nobody reads it: another program's torchrun started this process.
    """
    path = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if not path or MARK not in os.environ:
        return False
    content = {
        'message': ending.line,
        'timestamp': str(int(time.time())),
        'broken': broken(ending),
        'ending': ending._asdict(),
    }
    Path(path).write_text(json.dumps(content))
    return True


def broken(ending: Ending) -> bool:
    """Return whether its cause is what another process's end left behind."""
    return bool(re.search(BROKEN, ending.cause))


class StopConsensus:
    """All save or stop after the same step: they look together, every LOOK_S or so, at the first
    one's clock and at everybody's signals.
    """

    def __init__(self) -> None:
        self._left = self._between = 1  # steps to the next look; between two
        self._last = time.monotonic()

    def ask(self, save: bool, stop: int | None, now: bool = False) -> tuple[bool, bool, int | None]:
        """Return (whether they looked, save, stop), the same in all.

        stop: a signal's number or None. now: look at this step, and at the next one to measure it:
        those of another phase may take far longer; the same in all.
        """
        self._left -= 1
        if self._left > 0 and not now:
            return False, False, None
        steps = 1 if now else self._steps_to_next_look()
        steps = steps if rank() == 0 else 0
        save_all, stop_all, self._between = all_max(int(save), stop or 0, steps)
        self._left, self._last = self._between, time.monotonic()
        return True, bool(save_all), stop_all or None

    def _steps_to_next_look(self) -> int:
        seconds = time.monotonic() - self._last
        seconds_a_step = max(1e-6, seconds / (self._between - max(0, self._left)))
        return max(1, min(FURTHEST, int(LOOK_S / seconds_a_step)))


# --- the model and its metrics -------------------------------------------------------------------


def wrap(model: nn.Module, shard: bool = False) -> nn.Module:
    """Return the model as all processes train it, or the model itself where there is one.

    Its state_dict has the model's own names either way. shard: divide its weights, gradients and
    optimizer state over the processes (FSDP2), block by block of its ModuleLists and Sequentials.
    """
    if size() == 1:
        return model
    return _sharded(model) if shard else Parallel(model)


def _sharded(model: nn.Module) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    global device_mesh
    device_mesh = init_device_mesh(next(model.parameters()).device.type, (size(),))
    for block in _blocks(model):
        fully_shard(block, mesh=device_mesh)
    model.rank_fraction = 1 / size()  # type: ignore[assignment]  # a number, not a part of it
    model.register_forward_hook(_weigh)
    return fully_shard(model, mesh=device_mesh)  # type: ignore[return-value]  # it is the model


def _blocks(model: nn.Module) -> list[nn.Module]:
    """Return the parts with parameters of the model's ModuleLists and Sequentials, inner first."""
    blocks: list[nn.Module] = []
    for part in reversed([model, *model.children()]):
        if isinstance(part, (nn.ModuleList, nn.Sequential)):
            blocks += [block for block in part if next(block.parameters(), None) is not None]
    return blocks


def _weigh(model: Any, _: Any, output: Any) -> None:
    """Weight what comes back into this output, so that gradients are the mean over the samples.

    FSDP2 takes the mean over the processes.
    """
    factor = model.rank_fraction * size()
    if factor == 1:
        return
    tensors: Iterable[Any] = [output]
    if isinstance(output, dict):
        tensors = output.values()
    elif isinstance(output, (list, tuple)):
        tensors = output
    for tensor in tensors:
        if torch.is_tensor(tensor) and tensor.requires_grad:
            tensor.register_hook(lambda gradient: _scaled(gradient, factor))


def _scaled(gradient: Tensor, factor: float) -> Tensor:
    return gradient * factor if factor else torch.zeros_like(gradient)


def is_sharded(model: nn.Module) -> bool:
    """Return whether the model's weights are divided over the processes."""
    divided = device_mesh is not None and hasattr(model, 'rank_fraction')
    return divided and not isinstance(model, Parallel)


def shared(state: Any) -> list[Any]:
    """Return the networks of a state that `wrap` made: all processes train them together."""
    return [model for model in vars(state).values() if hasattr(model, 'rank_fraction')]


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the researcher's own model."""
    return model.module if isinstance(model, Parallel) else model


class Parallel(DistributedDataParallel):
    """DistributedDataParallel with the state_dict, the attributes and the copies of the model in
    it.

    `rank_fraction` is the part of the batch's samples that this process has: gradients are weighted
    with it, so that they are the mean over the samples, not over the processes. With more than two,
    find_unused_parameters keeps torch from packing the gradients anew after the first step: in what
    order they are added depends on it, and a resumed run would pack them anew at another step.
    """

    def __init__(self, model: nn.Module) -> None:
        device = next(model.parameters()).device
        device_ids = [device] if device.type == 'cuda' else None
        super().__init__(
            model,
            device_ids=device_ids,
            find_unused_parameters=size() > 2,
        )
        self.rank_fraction = 1 / size()
        self.register_comm_hook(None, self._mean)

    def _mean(self, _, bucket):
        fraction = self.rank_fraction
        gradients = bucket.buffer().mul_(fraction) if fraction else bucket.buffer().zero_()
        reduced = torch_distributed.all_reduce(gradients, async_op=True).get_future()
        return reduced.then(lambda future: future.value()[0])

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__('module'), name)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        # an average of the weights is one process's own affair
        return copy.deepcopy(self.module, memo)

    def state_dict(self, *arguments: Any, **options: Any) -> Any:
        """Return the model's."""
        return self.module.state_dict(*arguments, **options)

    def load_state_dict(self, *arguments: Any, **options: Any) -> Any:
        """Load the model's."""
        return self.module.load_state_dict(*arguments, **options)


def summed(meters: Iterable[tuple[Totals, Sums]]) -> tuple[Totals, Sums]:
    """Return (totals, sums) of a Meter over those of all processes, in their order."""
    totals: Totals = {}
    sums: Sums = {}
    for own, tensors in meters:
        for name, (total, weight) in own.items():
            before = totals.get(name, [0.0, 0])
            totals[name] = [before[0] + total, before[1] + weight]
        for name, tensor in tensors.items():
            sums[name] = tensor.cpu() if name not in sums else sums[name] + tensor.cpu()
    return totals, sums


def over_all(totals: Totals, sums: Sums) -> tuple[Totals, Sums]:
    """Return a Meter's totals and sums over all processes' samples; its own where there is one."""
    if size() == 1:
        return totals, sums
    own_sums = {name: tensor.cpu() for name, tensor in sums.items()}
    return summed(all_gather((totals, own_sums)))


def own_part(saved: dict[str, Any], state: Any) -> dict[str, Any]:
    """Load this process's own meter of a checkpoint. Returns `saved` with its own random state.

    With another number of processes than the checkpoint's the first gets the sums over all, and the
    others begin with none: the metrics are right, but the bits are not the same.
    """
    if not state.phase or (size() == 1 and not saved.get('ranks')):
        return saved
    alone = {'random': saved.get('random'), 'meter': state.meter.state_dict()}
    parts = saved.get('ranks') or [alone]
    if len(parts) == size():
        state.meter.load_state_dict(parts[rank()]['meter'])
        return {**saved, 'random': parts[rank()]['random']}
    if rank():
        state.meter.load_state_dict({'totals': {}, 'sums': {}})
        return {**saved, 'random': None}
    totals, sums = summed((part['meter']['totals'], part['meter']['sums']) for part in parts)
    state.meter.load_state_dict({'totals': totals, 'sums': sums})
    return {**saved, 'random': parts[0]['random']}
