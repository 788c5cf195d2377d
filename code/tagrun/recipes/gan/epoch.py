"""One phase of one epoch of a GAN. Yours: what a step computes, what is measured.

    metrics = run_epoch(run, state, loaders['val'], 'val')      # {'quality': 0.95, 'modes': 8}
"""
import torch
from matplotlib.figure import Figure
from torch.nn.functional import softplus

from dataloader import CENTRES, MODES, SPREAD


def run_epoch(run, state, loader, phase):
    """Train (phase 'train') or evaluate on all batches of `loader`; return what was measured."""
    if phase == 'train':
        return train(run, state, loader)
    return evaluate(run, state, loader, phase)


def train(run, state, loader):
    """For each batch, a step of the critic and a step of the generator.

    critic, generator: their losses in nats (non-saturating, arXiv 1406.2661). Where the critic
    cannot tell fake from real, they are 2 ln 2 = 1.39 and ln 2 = 0.69.
    """
    state.generator.train()
    state.critic.train()
    for real in run.batches(state, loader, 'train'):            # (B, 2) float32
        noise = torch.randn(len(real), run.args.noise, device=run.device)
        fake = state.generator(noise)                           # (B, 2)
        critic = softplus(-state.critic(real)).mean() + softplus(state.critic(fake.detach())).mean()
        update(state.critic_optimizer, critic)
        generator = softplus(-state.critic(fake)).mean()
        update(state.generator_optimizer, generator)
        state.meter.mean(len(real), critic=critic, generator=generator)
    return state.meter.result()


def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def evaluate(run, state, loader, phase):
    """Generate as many points as there are real ones, and draw some.

    quality: the fraction that lies within three standard deviations of a cloud's centre (of the
    real points 0.989). modes: how many of the eight clouds are hit.
    """
    state.generator.eval()
    centres = CENTRES.to(run.device)
    for real in run.batches(state, loader, phase):              # (B, 2)
        noise = torch.randn(len(real), run.args.noise, device=run.device)
        distances = torch.cdist(state.generator(noise), centres)    # (B, 8)
        distance, cloud = distances.min(dim=1)                  # (B,), (B,)
        is_near = distance < 3 * SPREAD
        state.meter.accuracy(quality=is_near)
        state.meter.sum(hits=torch.bincount(cloud[is_near], minlength=MODES))
    run.figure('points', drawn(state.generator(state.fixed_noise)))
    measured = state.meter.result()
    return {'quality': measured['quality'], 'modes': (measured['hits'] > 0).sum()}


def drawn(points):
    """Return a picture of points, (N, 2), and of the centres of the real clouds."""
    figure = Figure(figsize=(5, 5))
    axes = figure.add_subplot(aspect='equal', xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
    axes.scatter(*points.cpu().T, s=2)
    axes.scatter(*CENTRES.T, marker='+', color='black')
    return figure
