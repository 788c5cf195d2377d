"""The network, its optimizer and its schedule. Yours: keep the three build_ functions.

    model = build_model(args); logits = model(x)        # x: (B, 40) float32 -> (B, 10) float32

The four networks are the baselines of MNIST-1D's paper (Greydanus and Kobak, arXiv 2011.14439),
with the sizes of its notebook.
"""
import math

import torch
from torch import nn

from mnist1d_data import CLASSES, POINTS


def build_model(args):
    """Return the network that args.model names. Raises ValueError for another name."""
    builders = {'linear': linear, 'mlp': mlp, 'cnn': cnn, 'gru': Gru}
    if args.model not in builders:
        raise ValueError(f'config.py: model is {args.model!r}; one of {", ".join(builders)}')
    return builders[args.model](args)


def linear(args):
    """Return logistic regression: 410 parameters."""
    return nn.Linear(POINTS, CLASSES)


def mlp(args):
    """Return two hidden layers: 15,210 parameters with hidden=100."""
    return nn.Sequential(
        nn.Linear(POINTS, args.hidden), nn.ReLU(),
        nn.Linear(args.hidden, args.hidden), nn.ReLU(),
        nn.Dropout(args.dropout),
        nn.Linear(args.hidden, CLASSES))


def cnn(args):
    """Return three strided convolutions: 5,210 parameters with channels=25, the paper's."""
    channels = args.channels
    return nn.Sequential(
        nn.Unflatten(1, (1, POINTS)),                                           # (B, 1, 40)
        nn.Conv1d(1, channels, 5, stride=2, padding=1), nn.ReLU(),              # (B, C, 19)
        nn.Conv1d(channels, channels, 3, stride=2, padding=1), nn.ReLU(),       # (B, C, 10)
        nn.Conv1d(channels, channels, 3, stride=2, padding=1), nn.ReLU(),       # (B, C, 5)
        nn.Flatten(), nn.Dropout(args.dropout),
        nn.Linear(channels * 5, CLASSES))


class Gru(nn.Module):
    """A bidirectional GRU, all its outputs read at once: 5,134 parameters with units=6."""

    def __init__(self, args):
        super().__init__()
        self.gru = nn.GRU(1, args.units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(args.dropout)
        self.readout = nn.Linear(POINTS * 2 * args.units, CLASSES)

    def forward(self, x):
        outputs, _ = self.gru(x[:, :, None])                # (B, 40, 2U)
        return self.readout(self.dropout(outputs.flatten(1)))


def build_optimizer(model, args):
    """Return AdamW. fused: one kernel for all parameters, twice as fast, on a CPU too."""
    parameters = model.parameters()
    return torch.optim.AdamW(parameters, lr=args.lr, weight_decay=args.weight_decay, fused=True)


# A schedule's factor of the learning rate; `progress` goes from 0 to 1.

def constant(progress):
    return 1.0


def linear_decay(progress):
    return 1 - progress


def cosine_decay(progress):
    return 0.5 * (1 + math.cos(math.pi * progress))


def build_scheduler(optimizer, args, updates):
    """Return the learning rate over `updates` optimizer steps: a warm-up, then args.schedule.

    updates: None if their number is not known. The rate is constant then: nothing says where it
    would end. Call scheduler.step() once after each optimizer step. Raises ValueError for another
    schedule.
    """
    shapes = {'constant': constant, 'linear': linear_decay, 'cosine': cosine_decay}
    if args.schedule not in shapes:
        raise ValueError(f'config.py: schedule is {args.schedule!r}; one of {", ".join(shapes)}')
    shape = shapes[args.schedule]
    if updates is None and shape is not constant:
        print(f'schedule {args.schedule!r} needs to know how many steps there are: the learning '
              "rate is constant; set epochs and steps_per_epoch, or schedule = 'constant'")
        shape = constant

    def factor(update):
        if update < args.warmup:
            return (update + 1) / (args.warmup + 1)
        last = (updates or 0) - args.warmup
        return shape(min(1, (update - args.warmup) / max(1, last)))
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
