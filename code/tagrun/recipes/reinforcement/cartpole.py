"""Cart poles, many at once: pushes to the left and right must keep a pole upright on a cart.

    observation = reset(16, device)                     # (16, 4): position, speed, angle, spin
    observation, fallen = step(observation, action)     # action: (16,) int64, 0 left or 1 right

Equations, constants and limits are those of Barto, Sutton and Anderson (1983), as in Gymnasium's
CartPole-v1. Lengths in m, angles in rad, times in s. An episode ends where a pole has fallen, or
after LONGEST steps.
"""
import math

import torch

LONGEST = 500
ACTIONS = 2
GRAVITY, FORCE, STEP = 9.8, 10.0, 0.02
CART, POLE, HALF = 1.0, 0.1, 0.5            # masses in kg; half of the pole's length
FARTHEST, STEEPEST = 2.4, math.radians(12)


def reset(count, device):
    """Return the start of `count` episodes: (count, 4) float32."""
    return torch.rand(count, 4, device=device) / 10 - 0.05


def step(observation, action):
    """Return the observations after a push, (N, 4), and which poles have fallen, (N,) bool."""
    position, speed, angle, spin = observation.unbind(1)
    sin, cos = angle.sin(), angle.cos()
    push = (FORCE * (2 * action - 1) + POLE * HALF * spin.square() * sin) / (CART + POLE)
    lever = HALF * (4 / 3 - POLE * cos.square() / (CART + POLE))
    angular = (GRAVITY * sin - cos * push) / lever
    linear = push - POLE * HALF * angular * cos / (CART + POLE)
    change = torch.stack([speed, linear, spin, angular], dim=1)
    after = observation + STEP * change
    fallen = (after[:, 0].abs() > FARTHEST) | (after[:, 2].abs() > STEEPEST)
    return after, fallen
