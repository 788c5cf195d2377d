"""The network that says what each action is worth, and its optimizer. Yours.

    values = build_network(args)(observation)       # (B, 4) -> (B, 2): the rewards to come
"""
import torch
from torch import nn

from cartpole import ACTIONS


def build_network(args):
    return nn.Sequential(
        nn.Linear(4, args.hidden), nn.ReLU(),
        nn.Linear(args.hidden, args.hidden), nn.ReLU(),
        nn.Linear(args.hidden, ACTIONS))


def build_optimizer(network, args):
    return torch.optim.Adam(network.parameters(), lr=args.lr)
