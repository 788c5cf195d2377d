"""Two networks: a generator of points, and a critic that tells them from real ones. Yours.

    fake = build_generator(args)(noise)     # noise: (B, args.noise) -> (B, 2) float32
    score = build_critic(args)(fake)        # (B, 2) -> (B, 1): above 0 for what looks real
"""
import torch
from torch import nn


def build_generator(args):
    return nn.Sequential(
        nn.Linear(args.noise, args.width), nn.ReLU(),
        nn.Linear(args.width, args.width), nn.ReLU(),
        nn.Linear(args.width, 2))


def build_critic(args):
    return nn.Sequential(
        nn.Linear(2, args.width), nn.LeakyReLU(0.2),
        nn.Linear(args.width, args.width), nn.LeakyReLU(0.2),
        nn.Linear(args.width, 1))


def build_optimizer(network, lr):
    """Return Adam without momentum: with the usual 0.9 the generator misses modes."""
    return torch.optim.Adam(network.parameters(), lr, betas=(0.0, 0.99))
