"""One phase of one epoch. Yours: what a step computes, what is measured.

    metrics = run_epoch(run, state, loaders['val'], 'val')      # {'loss': 0.31, 'acc': 0.9, …}

From anywhere here, run.scalar, text, image, figure and histogram(name, value) go to TensorBoard. A
function finish(run, state), if you write one, is called once at the end of training.
"""
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mnist1d_data import CLASSES

AMP = {'off': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}  # config.py's amp


def run_epoch(run, state, loader, phase):
    """Train (phase 'train') or evaluate on all batches of `loader`; return what was measured.

    loss: cross-entropy in nats, the mean over the samples. acc: the fraction of samples whose digit
    is right. confusion (not in training): (10, 10) counts, rows the truth, columns the prediction.
    """
    args = run.args
    train = phase == 'train'
    state.model.train(train)
    with torch.set_grad_enabled(train):
        for x, y in run.batches(state, loader, phase):      # x: (B, 40) float32; y: (B,) int64
            with torch.autocast(run.device.type, AMP[args.amp], enabled=args.amp != 'off'):
                logits = state.model(x)                     # (B, 10)
                loss = cross_entropy(logits, y)
            if train:
                update(run, state, loss)
            prediction = logits.argmax(1)
            state.meter.mean(len(y), loss=loss)
            state.meter.accuracy(acc=prediction == y)
            if not train:
                state.meter.sum(confusion=confusion_counts(y, prediction))
    if train and state.accumulated:     # the epoch's last group is a shorter one
        optimizer_step(state, args)
    return state.meter.result()


def update(run, state, loss):
    """Backward; with the gradients of args.grad_accum_steps batches, one optimizer step."""
    args = run.args
    if args.grad_accum_steps == 1:
        state.scaler.scale(loss).backward()
        optimizer_step(state, args)
        return
    part = run.samples / (args.batch_size * args.grad_accum_steps)      # of a full group
    state.scaler.scale(loss * part).backward()
    state.accumulated += part
    if (state.batch + 1) % args.grad_accum_steps == 0:
        optimizer_step(state, args)


def optimizer_step(state, args):
    """Apply the gradients, as the mean over the samples that made them; then the schedule."""
    is_shorter = 0 < state.accumulated < 0.999999
    if args.grad_clip or is_shorter:
        state.scaler.unscale_(state.optimizer)
    if is_shorter:
        for parameter in state.model.parameters():
            if parameter.grad is not None:
                parameter.grad /= state.accumulated
    if args.grad_clip:
        nn.utils.clip_grad_norm_(state.model.parameters(), args.grad_clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    state.scheduler.step()
    state.accumulated = 0.0


def confusion_counts(truth, prediction):
    """Return (C, C) int64 counts of a batch; truth, prediction: (B,) int64."""
    counts = torch.bincount(CLASSES * truth + prediction, minlength=CLASSES ** 2)
    return counts.view(CLASSES, CLASSES)
