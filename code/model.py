"""The network, its optimizer and its schedule. Yours: keep the three build_ functions, change all else.

    model = build_model(args); logits = model(x)        # x: (B, 40) float32 -> (B, 10) float32

The four are the baselines of MNIST-1D's paper (Greydanus and Kobak, arXiv 2011.14439, with the sizes of its notebook).
"""
import math

import torch
from torch import nn

POINTS, CLASSES = 40, 10  # of a signal; of digits


def build_model(args):
    """The network that args.model names. Raises ValueError for another name."""
    builders = {'linear': linear, 'mlp': mlp, 'cnn': cnn, 'gru': Gru}
    if args.model not in builders:
        raise ValueError(f'config.py: model is {args.model!r}; one of {", ".join(builders)}')
    return builders[args.model](args)


def linear(args):
    """Logistic regression: 410 parameters."""
    return nn.Linear(POINTS, CLASSES)


def mlp(args):
    """Two hidden layers: 15,210 parameters with hidden=100."""
    return nn.Sequential(
        nn.Linear(POINTS, args.hidden), nn.ReLU(),
        nn.Linear(args.hidden, args.hidden), nn.ReLU(),
        nn.Dropout(args.dropout),
        nn.Linear(args.hidden, CLASSES))


def cnn(args):
    """Three strided convolutions: 5,210 parameters with channels=25, the paper's."""
    return nn.Sequential(
        nn.Unflatten(1, (1, POINTS)),                                        # (B, 1, 40)
        nn.Conv1d(1, args.channels, 5, stride=2, padding=1), nn.ReLU(),      # (B, C, 19)
        nn.Conv1d(args.channels, args.channels, 3, stride=2, padding=1), nn.ReLU(),  # (B, C, 10)
        nn.Conv1d(args.channels, args.channels, 3, stride=2, padding=1), nn.ReLU(),  # (B, C, 5)
        nn.Flatten(), nn.Dropout(args.dropout),
        nn.Linear(args.channels * 5, CLASSES))


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
    """fused: one kernel for all parameters, less than half the time of torch's default on a CPU too."""
    return torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay, fused=True)


def build_scheduler(optimizer, args, updates):
    """The learning rate over `updates` optimizer steps, one scheduler.step() each: a warm-up, then args.schedule."""
    shapes = {'constant': lambda share: 1.0, 'linear': lambda share: 1 - share, 'cosine': lambda share: 0.5 * (1 + math.cos(math.pi * share))}
    if args.schedule not in shapes:
        raise ValueError(f'config.py: schedule is {args.schedule!r}; one of {", ".join(shapes)}')

    def factor(update):
        if update < args.warmup:
            return (update + 1) / (args.warmup + 1)
        return shapes[args.schedule](min(1, (update - args.warmup) / max(1, updates - args.warmup)))
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
