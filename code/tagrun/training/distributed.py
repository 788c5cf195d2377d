"""Several processes train one model on one machine: each on a GPU, or each on a CPU core.

    run t1 --nproc 2                                                    # or CUDA_VISIBLE_DEVICES=0,1 run t1
    self.model = distributed.wrap(build_model(args).to(device), args.shard)     # state.py; with one process that is the model itself

Every batch of a Loader is divided among them, so a step sees the same samples whatever their number; gradients, metrics and the traced
loss are those of the whole batch. agent.py starts main.py once for each process; there open_run gives the Leader or a Follower of ranks.py.
BatchNorm sees a process's own part of a batch (torch.nn.SyncBatchNorm sees all of it).
"""
import copy
import json
import os
import re
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as torch_distributed
from torch.nn.parallel import DistributedDataParallel

from tagrun.store import atomic

MARK = 'TAGRUN_RANKS'       # in the environment of the processes that agent.py started: the folder of what they tell it
TIMEOUT_S = 1800            # that one of them may wait for another
LOOK_S = 0.25               # between two looks at whether all shall save or stop; …
FURTHEST = 50               # steps, should they come to take longer
GRACE_S = 5                 # to say why, after another one has gone
BROKEN = r'gloo|NCCL|Connection (closed|reset) by peer|Broken pipe'     # an error that another process's end leaves behind


def is_rank():
    """Whether this process is one of several that torchrun started."""
    return torch_distributed.is_available() and torch_distributed.is_torchelastic_launched()


def size():
    return torch_distributed.get_world_size() if torch_distributed.is_available() and torch_distributed.is_initialized() else 1


def rank():
    return torch_distributed.get_rank() if size() > 1 else 0


# --- one of several processes --------------------------------------------------------------------------------------


def join(device):
    """Become one of them. Raises ValueError for a device of config.py that several cannot have."""
    own = int(os.environ['LOCAL_RANK'])
    cuda = torch.cuda.is_available() and device in ('auto', 'cuda')
    if cuda:
        torch.cuda.set_device(own % torch.cuda.device_count())
    torch_distributed.init_process_group('cpu:gloo,cuda:nccl' if cuda else 'gloo', timeout=timedelta(seconds=TIMEOUT_S))
    machine = os.environ.get('GROUP_RANK')
    _Watch([pid for where, pid in gathered((machine, os.getpid())) if where == machine]).start()


def lead():
    """Tell the agent that from here on signals can come, and to whom."""
    if MARK in os.environ:
        atomic.write(Path(os.environ[MARK]) / 'leader', str(os.getpid()))


def own_device(name):
    """The torch.device of this process. Raises ValueError."""
    if size() > 1 and name not in ('auto', 'cpu', 'cuda'):
        raise ValueError(f"config.py: device is {name!r}, and {size()} processes train: 'auto', 'cpu' or 'cuda' it can be, or --nproc 1")
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if size() > 1 and name == 'cuda':
        here = int(os.environ.get('LOCAL_WORLD_SIZE', size()))
        if here > torch.cuda.device_count():
            raise ValueError(f'--nproc {here}: each process needs a GPU of its own, and {torch.cuda.device_count()} can be seen')
        return torch.device('cuda', torch.cuda.current_device())
    return torch.device(name)


class _Watch(threading.Thread):
    """Ends this process where it would wait for one that has gone: GRACE_S after another process, at once after torchrun's agent."""

    over = threading.Event()        # all have done their part: from here on each may go

    def __init__(self, others):
        super().__init__(name='watch', daemon=True)
        self._others, self._parent = [pid for pid in others if pid != os.getpid()], os.getppid()

    def run(self):
        gone_since = None
        while not self.over.wait(0.2):
            if os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGKILL)
            if gone_since is None and not all(map(_lives, self._others)):
                gone_since = time.monotonic()
            if gone_since is not None and time.monotonic() - gone_since > GRACE_S:
                os._exit(1)


def _lives(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def gathered(value):
    """[value of each process], in all of them. Plain values and CPU tensors."""
    values = [None] * size()
    torch_distributed.all_gather_object(values, value)
    return values


def told(value):
    """The first process's value, in all of them."""
    values = [value]
    torch_distributed.broadcast_object_list(values, device=torch.device('cpu'))
    return values[0]


def highest(*numbers):
    """The highest of all processes of each of these integers."""
    values = torch.tensor(numbers)
    torch_distributed.all_reduce(values, torch_distributed.ReduceOp.MAX)
    return values.tolist()


def part():
    """Each has done all that others wait for, and may go. The last that they do together."""
    highest(0)
    _Watch.over.set()


def quiet():
    """This process is ending, and waits for no other any more."""
    _Watch.over.set()


def leave(code):
    """End this process; one of several at once, for torch's own end would wait for, or stumble over, connections to those that have gone."""
    if size() == 1:
        sys.exit(code)
    _Watch.over.set()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def report(ending):
    """Leave how this process ended to the agent, in torchrun's error file. False where nobody reads it: somebody else's torchrun started us."""
    path = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if not path or MARK not in os.environ:
        return False
    content = {'message': ending.line, 'timestamp': str(int(time.time())), 'broken': broken(ending), 'ending': ending._asdict()}
    Path(path).write_text(json.dumps(content))
    return True


def broken(ending):
    """Whether it is what another process's end left behind."""
    return bool(re.search(BROKEN, ending.line))


class Together:
    """All save or stop after the same step: they look together, every LOOK_S or so, at the first one's clock and at everybody's signals."""

    def __init__(self):
        self._left = self._between = 1      # steps to the next look; between two
        self._last = time.monotonic()

    def ask(self, save, stop, now=False):
        """(whether they looked, save, stop), the same in all; `stop` is a signal's number or None. `now`: look at this step; the same in all."""
        self._left -= 1
        if self._left > 0 and not now:
            return False, False, None
        seconds = time.monotonic() - self._last
        steps = 0 if rank() else max(1, min(FURTHEST, int(LOOK_S / max(1e-6, seconds / (self._between - max(0, self._left))))))
        save, stop, self._between = highest(int(save), stop or 0, steps)
        self._left, self._last = self._between, time.monotonic()
        return True, bool(save), stop or None


# --- the model and its metrics ---------------------------------------------------------------------------------------


def wrap(model, shard=False):
    """The model as all processes train it, or the model itself where there is one. Its state_dict has the model's own names either way.

    shard: divide its weights, gradients and optimizer state over the processes (FSDP2), block by block of its ModuleLists and Sequentials.
    """
    if size() == 1:
        return model
    return _sharded(model) if shard else Parallel(model)


class Mesh:
    mesh = None         # torch's DeviceMesh of all processes, where a model is divided


def _sharded(model):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    Mesh.mesh = init_device_mesh(next(model.parameters()).device.type, (size(),))
    lists = [part for part in (model, *model.children()) if isinstance(part, (torch.nn.ModuleList, torch.nn.Sequential))]
    for block in [block for part in reversed(lists) for block in part if next(block.parameters(), None) is not None]:
        fully_shard(block, mesh=Mesh.mesh)
    model.share = 1 / size()
    model.register_forward_hook(_weigh)
    return fully_shard(model, mesh=Mesh.mesh)


def _weigh(model, _, output):
    """Gradients are the mean over the processes: what comes back into this output is weighted, so that it is the mean over the samples."""
    factor = model.share * size()
    for tensor in output if isinstance(output, (list, tuple)) else output.values() if isinstance(output, dict) else [output]:
        if factor != 1 and torch.is_tensor(tensor) and tensor.requires_grad:
            tensor.register_hook(lambda gradient: gradient * factor if factor else torch.zeros_like(gradient))


def is_sharded(model):
    return Mesh.mesh is not None and hasattr(model, 'share') and not isinstance(model, Parallel)


def unwrapped(model):
    return model.module if isinstance(model, Parallel) else model


class Parallel(DistributedDataParallel):
    """DistributedDataParallel with the state_dict, the attributes and the copies of the model in it.

    `share` is the share of the batch's samples that this process has: gradients are weighted with it, so that they are the mean over the
    samples, not over the processes. With more than two, find_unused_parameters keeps torch from packing the gradients anew after the
    first step: in what order they are added depends on it, and a resumed run would pack them anew at another step.
    """

    def __init__(self, model):
        device = next(model.parameters()).device
        super().__init__(model, device_ids=[device] if device.type == 'cuda' else None, find_unused_parameters=size() > 2)
        self.share = 1 / size()
        self.register_comm_hook(None, self._mean)

    def _mean(self, _, bucket):
        gradients = bucket.buffer().mul_(self.share) if self.share else bucket.buffer().zero_()
        return torch_distributed.all_reduce(gradients, async_op=True).get_future().then(lambda future: future.value()[0])

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__('module'), name)

    def __deepcopy__(self, memo):       # an average of the weights is one process's own affair
        return copy.deepcopy(self.module, memo)

    def state_dict(self, *arguments, **options):
        return self.module.state_dict(*arguments, **options)

    def load_state_dict(self, *arguments, **options):
        return self.module.load_state_dict(*arguments, **options)


def summed(meters):
    """(totals, sums) of a Meter over those of all processes, in their order."""
    totals, sums = {}, {}
    for own, tensors in meters:
        for name, (total, weight) in own.items():
            before = totals.get(name, [0.0, 0])
            totals[name] = [before[0] + total, before[1] + weight]
        for name, tensor in tensors.items():
            sums[name] = tensor.cpu() if name not in sums else sums[name] + tensor.cpu()
    return totals, sums


def over_all(totals, sums):
    """A Meter's totals and sums over all processes' samples; its own where there is one."""
    return summed(gathered((totals, {name: tensor.cpu() for name, tensor in sums.items()}))) if size() > 1 else (totals, sums)


def own_part(saved, state):
    """What of a checkpoint is this process's own: its meter goes into `state`; returns `saved` with its random state.

    With another number of processes than the checkpoint's the first gets the sums over all, and the others begin with none:
    the metrics are right, but the bits are not the same.
    """
    parts = saved.get('ranks') or [{'random': saved.get('random'), 'meter': state.meter.state_dict()}] if state.phase else []
    if len(parts) == size():
        state.meter.load_state_dict(parts[rank()]['meter'])
        return {**saved, 'random': parts[rank()]['random']}
    if not parts:
        return saved
    totals, sums = summed([(one['meter']['totals'], one['meter']['sums']) for one in parts])
    state.meter.load_state_dict({'totals': totals, 'sums': sums} if rank() == 0 else {'totals': {}, 'sums': {}})
    return {**saved, 'random': None if rank() else parts[0]['random']}
