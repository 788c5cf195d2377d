"""One phase of one epoch. Yours: two tasks that share an encoder, in stages.

    metrics = run_epoch(run, state, loaders['val'], 'val')      # {'error': 0.1, 'acc': 0.8, …}

A stage says which tasks train, a batch of each in turn. `is_over` says what ends it.
"""
import torch
from torch.nn.functional import cross_entropy, mse_loss

STAGES = (
    ('reconstruct',),
    ('reconstruct', 'classify'),
    ('classify',),
)


def is_over(state, args, measured):
    """Return whether the stage ends, after its epoch number state.stage_epochs and a validation.

    The last one goes on until config.py's epochs, or its patience, end the run.
    """
    if state.stage == 0:
        return measured['error'] < args.error_goal or state.stage_epochs == args.reconstruct_epochs
    if state.stage == 1:
        return state.stage_epochs == args.both_epochs
    return False


def run_epoch(run, state, loader, phase):
    """Train (phase 'train') or evaluate; return what was measured.

    error: of the reconstruction, mean squared. loss: of the classification, in nats. acc: the
    fraction of signals whose digit is right. stage: from 0. A task is measured once it trains.
    """
    tasks = STAGES[state.stage]
    if phase == 'train':
        train(run, state, loader.only(tasks))
        return {**state.meter.result(), 'stage': state.stage}
    evaluate(run, state, loader, phase, tasks)
    measured = state.meter.result()
    if phase == 'val':
        state.stage_epochs += 1
        if is_over(state, run.args, measured):
            state.stage, state.stage_epochs = state.stage + 1, 0
    return measured


def train(run, state, loader):
    """Take a step of its own task for each batch."""
    set_training(state, True)
    for task, batch in run.batches(state, loader, 'train'):
        if task == 'reconstruct':
            (x,) = batch                                            # (B, 40) float32
            error = mse_loss(reconstructed(state, x, run.args.hidden_part), x)
            update(state.reconstruct_optimizer, error)
            state.meter.mean(len(x), error=error)
        else:
            x, y = batch                                            # (B, 40), (B,) int64
            logits = state.classifier(state.encoder(x))             # (B, 10)
            loss = cross_entropy(logits, y)
            update(state.classify_optimizer, loss)
            state.meter.mean(len(x), loss=loss)
            state.meter.accuracy(acc=logits.argmax(1) == y)


@torch.no_grad()
def evaluate(run, state, loader, phase, tasks):
    set_training(state, False)
    for x, y in run.batches(state, loader, phase):                  # (B, 40), (B,)
        error = mse_loss(reconstructed(state, x, run.args.hidden_part), x)
        state.meter.mean(len(x), error=error)
        if 'classify' in tasks:
            logits = state.classifier(state.encoder(x))
            state.meter.mean(len(x), loss=cross_entropy(logits, y))
            state.meter.accuracy(acc=logits.argmax(1) == y)


def set_training(state, training):
    for network in (state.encoder, state.decoder, state.classifier):
        network.train(training)


def reconstructed(state, x, hidden_part):
    """Return the decoder's signals, (B, 40), of signals with a part of their readings hidden."""
    is_seen = torch.rand_like(x) >= hidden_part
    return state.decoder(state.encoder(x * is_seen))


def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
