"""An encoder of signals, a decoder and a classifier on top of it. Yours.

    code = build_encoder(args)(x)                   # x: (B, 40) -> (B, 5 C) float32
    signal = build_decoder(args)(code)              # (B, 40)
    logits = build_classifier(args)(code)           # (B, 10)
"""
import torch
from torch import nn

from mnist1d_data import CLASSES, POINTS


def build_encoder(args):
    channels = args.channels
    return nn.Sequential(
        nn.Unflatten(1, (1, POINTS)),                                           # (B, 1, 40)
        nn.Conv1d(1, channels, 5, stride=2, padding=1), nn.ReLU(),              # (B, C, 19)
        nn.Conv1d(channels, channels, 3, stride=2, padding=1), nn.ReLU(),       # (B, C, 10)
        nn.Conv1d(channels, channels, 3, stride=2, padding=1), nn.ReLU(),       # (B, C, 5)
        nn.Flatten())


def build_decoder(args):
    width = 5 * args.channels
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, POINTS))


def build_classifier(args):
    return nn.Sequential(nn.Dropout(args.dropout), nn.Linear(5 * args.channels, CLASSES))


def build_optimizer(lr, *networks):
    """Return AdamW over the parameters of several networks."""
    parameters = [parameter for network in networks for parameter in network.parameters()]
    return torch.optim.AdamW(parameters, lr=lr)
