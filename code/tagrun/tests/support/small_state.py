"""A state of a few numbers, and runs that saved it, without a training.

state = SmallState(lr=0.1, scheduler=lambda optimizer: StepLR(optimizer, 2)); state.train(3)
save(folder, state, 'epoch_3.pth')
"""

import torch
from torch import nn

from tagrun.store import checkpoints
from tagrun.training import checkpoint, rebuilt, state_parts
from tagrun.training.epoch_history import EpochHistory


def network(width=3, seed=0):
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
    return nn.ModuleDict({'encoder': encoder, 'head': nn.Linear(width, 2)})


class SmallState:
    """The parts of the template's State: networks by name, one optimizer, a scheduler or None."""

    def __init__(
        self, lr=0.1, decay=0.0, scheduler=None, monitor='val/acc', width=3, seed=0, **networks
    ):
        for name, part in (networks or {'model': network(width, seed)}).items():
            setattr(self, name, part)
        parameters = [
            parameter
            for part in state_parts.networks(self).values()
            for parameter in part.parameters()
        ]
        self.optimizer = torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=0.9)
        if scheduler:
            self.scheduler = scheduler(self.optimizer)
        self.history = EpochHistory(monitor, 'max')
        self.epoch, self.phase, self.batch, self.step = 0, None, 0, 0
        self.metrics, self.seconds = {}, 0.0
        self.built = rebuilt.settings(self)

    def train(self, *accuracies):
        """Train an epoch for each of these values of val/acc."""
        for accuracy in accuracies:
            for parameter in self.optimizer.param_groups[0]['params']:
                parameter.grad = torch.ones_like(parameter)
            self.optimizer.step()
            if hasattr(self, 'scheduler'):
                is_plateau = 'Plateau' in type(self.scheduler).__name__
                self.scheduler.step(*([accuracy] if is_plateau else []))
            self.history.add({'val/acc': accuracy, 'val/f1': -accuracy}, {}, 1.0)
            self.epoch += 1
            self.step += 10

    def state_dict(self):
        skipped = ('built',)
        values = {name: value for name, value in vars(self).items() if name not in skipped}
        return {
            name: value.state_dict() if hasattr(value, 'state_dict') else value
            for name, value in values.items()
        }

    def load_state_dict(self, saved):
        for name, value in list(vars(self).items()):
            if hasattr(value, 'load_state_dict'):
                value.load_state_dict(saved[name])
            elif name != 'built':
                setattr(self, name, saved[name])

    def weights(self):
        """Return a copy of all weights."""
        return {
            f'{name}.{key}': value.clone()
            for name, part in state_parts.networks(self).items()
            for key, value in part.state_dict().items()
        }


def save(folder, state, name, best=False, **more):
    """Save the state as a run's checkpoint; return the file's SHA-256. more: further content."""
    folder.mkdir(parents=True, exist_ok=True)
    saver = checkpoint.Checkpoints(folder, checkpoint.Background(), keep_last=9, keep_every=0)
    content = {
        'state': state.state_dict(),
        'random': None,
        'trace': 77,
        'tensorboard': {'events': 5},
        'built': state.built,
        **more,
    }
    saver.save(name, content, best, list(state_parts.networks(state)))
    saver.background.wait()
    return checkpoints.listed(folder)[name]


def same(one, other):
    """Return whether two dicts of tensors are equal."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
