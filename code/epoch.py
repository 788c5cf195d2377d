"""One phase of one epoch. Yours: what a step computes, what is measured.

    metrics = run_epoch(run, state, loaders['val'], 'val')      # {'loss': 0.31, 'acc': 0.9, 'confusion': (10, 10) tensor}
"""
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from model import CLASSES

AMP = {'off': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def run_epoch(run, state, loader, phase):
    """Train (phase 'train') or evaluate on all batches of `loader`; the means and sums over its samples.

    loss: cross-entropy in nats; acc: share of samples whose digit is right; confusion: counts, rows the truth, columns the prediction.
    """
    args, train = run.args, phase == 'train'
    if args.amp not in AMP:
        raise ValueError(f'config.py: amp is {args.amp!r}; one of {", ".join(AMP)}')
    state.model.train(train)
    with torch.set_grad_enabled(train):
        for x, y in run.batches(state, loader, phase):              # x: (B, 40) float32; y: (B,) int64
            with torch.autocast(run.device.type, AMP[args.amp], enabled=args.amp != 'off'):
                logits = state.model(x)                             # (B, 10)
                loss = cross_entropy(logits, y)
            if train:
                update(state, loss, args, last=state.batch + 1 == len(loader))
            guess = logits.argmax(1)
            state.meter.mean(len(y), loss=loss)
            state.meter.share(acc=guess == y)
            if not train:
                state.meter.sum(confusion=torch.bincount(CLASSES * y + guess, minlength=CLASSES ** 2).view(CLASSES, CLASSES))
    return state.meter.result()


def update(state, loss, args, last):
    """Backward; and, when the gradients of args.accumulate steps are there, one step of optimizer and schedule."""
    state.scaler.scale(loss / args.accumulate).backward()
    if (state.batch + 1) % args.accumulate and not last:
        return
    if args.clip_norm:
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.model.parameters(), args.clip_norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    state.scheduler.step()
