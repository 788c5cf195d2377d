"""What lives through the epochs, and so what a checkpoint holds: everything on the state.

    self.ema = torch.optim.swa_utils.AveragedModel(self.model)      # saved and restored, too

What has a state_dict is saved by it. Tensors and plain values (numbers, strings, None, and lists,
tuples, dicts and sets of them) are saved as they are, NumPy's scalars as numbers, its arrays as
tensors. Another object ends the run at the first save, with its name.
"""
import math

import torch

from epoch import AMP
from model import build_model, build_optimizer, build_scheduler
from tagrun.training import EpochHistory, Meter, distributed, restored, seed_everything


class State:
    """The model, what trains it, and where the run stands.

    state_dict() takes whatever stands on the state, by name: a further attribute needs no line
    there, and an attribute that cannot be saved must not be put here.
    """

    def __init__(self, args, device, steps_per_epoch):
        if args.amp not in AMP:
            raise ValueError(f'config.py: amp is {args.amp!r}; one of {", ".join(AMP)}')
        seed_everything(args.seed)
        model = build_model(args)
        model = model.to(device)
        self.model = distributed.wrap(model, args.shard)    # one process: the model itself
        self.optimizer = build_optimizer(self.model, args)
        updates = count_updates(args, steps_per_epoch)
        self.scheduler = build_scheduler(self.optimizer, args, updates)
        self.scaler = torch.amp.GradScaler(device.type, enabled=args.amp == 'fp16')
        self.meter = Meter()        # running means of the phase under way
        self.history = EpochHistory(args.monitor, args.monitor_mode, args.patience)
        if args.torch_compile:
            self.model.compile()
        # where the run stands
        self.epoch = 0              # epochs finished
        self.phase = None           # the phase under way, None between epochs
        self.batch = 0              # its batches that are done
        self.step = 0               # training batches done, of all epochs
        self.metrics = {}           # of the phases of this epoch that are done
        self.accumulated = 0.0      # part of a full group of batches whose gradients are in
        self.seconds = 0.0          # of training in this epoch before the last save

    def state_dict(self):
        saved = {}
        for name, value in vars(self).items():
            saved[name] = value.state_dict() if hasattr(value, 'state_dict') else value
        # these are restored only where __init__ makes them
        saved['has_state_dict'] = [name for name in saved if saved[name] is not getattr(self, name)]
        # in the middle of an accumulation there are gradients
        saved['gradients'] = [parameter.grad for parameter in self.parameters()]
        return saved

    def parameters(self):
        """Yield the parameters of every network on the state."""
        for value in vars(self).values():
            if isinstance(value, torch.nn.Module):
                yield from value.parameters()

    def load_state_dict(self, saved):
        """Restore all that `state_dict` gave. Raises KeyError for what a checkpoint lacks.

        An attribute that came onto the state after the start is restored, too, but not an object:
        that raises AttributeError.
        """
        for name, value in list(vars(self).items()):
            if hasattr(value, 'load_state_dict'):
                value.load_state_dict(saved[name])
            else:
                setattr(self, name, restored(saved[name], value))
        for name in saved.keys() - vars(self).keys() - {'gradients', 'has_state_dict'}:
            if name in saved.get('has_state_dict', ()):
                raise AttributeError(f'state.py: make self.{name} in __init__, to restore it there')
            setattr(self, name, saved[name])
        for parameter, gradient in zip(self.parameters(), saved['gradients'], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)


def count_updates(args, steps_per_epoch):
    """Return the optimizer steps of all epochs; None if they are not known."""
    if args.epochs is None or not steps_per_epoch:
        return None
    return args.epochs * math.ceil(steps_per_epoch / args.grad_accum_steps)
