"""What lives through the epochs, and so what a checkpoint holds: everything on the state.

    state.ema = torch.optim.swa_utils.AveragedModel(state.model)    # one more thing that is saved and restored

Whatever has a state_dict is saved by it; tensors and plain values (numbers, strings, lists, dicts of them) are saved as they are.
"""
import torch

from model import build_model, build_optimizer, build_scheduler
from tagrun.training import Meter, Record, distributed, seed_everything


class State:
    def __init__(self, args, device, steps_per_epoch):
        seed_everything(args.seed)
        self.model = distributed.wrap(build_model(args).to(device), args.shard)  # for --nproc and several GPUs; else it is the model
        self.optimizer = build_optimizer(self.model, args)
        self.scheduler = build_scheduler(self.optimizer, args, updates=args.epochs * -(-steps_per_epoch // args.accumulate))
        self.scaler = torch.amp.GradScaler(device.type, enabled=args.amp == 'fp16')
        self.meter = Meter()        # running means of the phase under way
        self.record = Record(args.watch, args.watch_mode, args.patience)    # the epochs so far
        if args.compile:
            self.model.compile()
        # where the run stands
        self.epoch = 0              # epochs finished
        self.phase = None           # the phase under way, None between epochs
        self.batch = 0              # its batches that are done
        self.step = 0               # training batches done, of all epochs
        self.metrics = {}           # of the phases of this epoch that are done
        self.seconds = 0.0          # of training in this epoch before the last save

    def state_dict(self):
        saved = {name: value.state_dict() if hasattr(value, 'state_dict') else value for name, value in vars(self).items()}
        saved['gradients'] = [parameter.grad for parameter in self.model.parameters()]  # there in the middle of an accumulation
        return saved

    def load_state_dict(self, saved):
        """Restore all that `state_dict` gave. Raises KeyError for what a checkpoint of other code lacks."""
        for name, value in list(vars(self).items()):
            if hasattr(value, 'load_state_dict'):
                value.load_state_dict(saved[name])
            else:
                setattr(self, name, saved[name])
        for parameter, gradient in zip(self.model.parameters(), saved['gradients']):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
