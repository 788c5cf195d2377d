"""The losses that experiments/*.yaml may name. Each takes logits (B, 10) and truth, and gives ().

truth: (B,) int64, the digits; or (B, 10) float32, the probability of each.
"""
from torch.nn import functional

from mnist1d_data import CLASSES
from registry import register


@register('loss')
def cross_entropy(logits, truth, smoothing=0.0):
    return functional.cross_entropy(logits, truth, label_smoothing=smoothing)


@register('loss')
def focal(logits, truth, gamma):
    """Return the focal loss (arXiv 1708.02002): samples that are right already count less."""
    if truth.ndim == 1:
        truth = functional.one_hot(truth, CLASSES).float()
    log = logits.log_softmax(1)                             # (B, 10)
    return -(truth * (1 - log.exp()) ** gamma * log).sum(1).mean()
