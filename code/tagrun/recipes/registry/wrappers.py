"""The ways to take a training step that experiments/*.yaml may name.

    logits, loss = plain(model, loss, x, y)     # x: (B, 40) float32; y: (B,) int64
"""
import torch
from torch.distributions import Beta
from torch.nn.functional import one_hot

from mnist1d_data import CLASSES
from registry import register


@register('wrapper')
def plain(model, loss, x, y):
    logits = model(x)
    return logits, loss(logits, y)


@register('wrapper')
def mixup(model, loss, x, y, alpha):
    """Train on sums of two samples (arXiv 1710.09412)."""
    part = Beta(alpha, alpha).sample().to(x.device)         # ()
    other = torch.randperm(len(x), device=x.device)         # (B,)
    truth = one_hot(y, CLASSES).float()                     # (B, 10)
    logits = model(part * x + (1 - part) * x[other])
    return logits, loss(logits, part * truth + (1 - part) * truth[other])
