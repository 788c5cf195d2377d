"""One phase of one epoch of deep Q-learning (Mnih et al., 2015). Yours.

    metrics = run_epoch(run, state, loaders['val'], 'val')      # {'steps': 500.0}
"""
import torch
from torch.nn.functional import smooth_l1_loss

import cartpole
from cartpole import ACTIONS, LONGEST

EPISODES = 20       # of an evaluation


def run_epoch(run, state, loader, phase):
    """Train (phase 'train') or evaluate; return what was measured."""
    return train(run, state, loader) if phase == 'train' else evaluate(run, state, loader, phase)


def train(run, state, loader):
    """For each batch, a step in every environment and an update of the network.

    loss: how far the values are from those that follow. episode: steps of the episodes that ended.
    """
    args = run.args
    for _ in run.batches(state, loader, 'train'):
        play(state, args)
        state.meter.mean(args.batch_size, loss=learn(state, args))
        if state.step % args.target_interval == 0:
            state.target.load_state_dict(state.network.state_dict())
    return state.meter.result()


@torch.no_grad()
def play(state, args):
    """Take a step in every environment and put it into the replay buffer."""
    before = state.observation                                      # (E, 4)
    exploration = max(args.exploration, 1 - state.step / args.exploration_steps)
    explores = torch.rand(len(before), device=before.device) < exploration
    at_random = torch.randint(ACTIONS, explores.shape, device=before.device)
    action = torch.where(explores, at_random, state.network(before).argmax(1))
    after, fallen = cartpole.step(before, action)

    row = (state.played + torch.arange(len(before), device=before.device)) % args.memory
    state.replay['before'][row], state.replay['action'][row] = before, action
    state.replay['after'][row], state.replay['fallen'][row] = after, fallen
    state.played += len(before)

    state.age += 1
    has_ended = fallen | (state.age == LONGEST)
    fresh = cartpole.reset(len(before), before.device)
    state.observation = torch.where(has_ended[:, None], fresh, after)
    if has_ended.any():
        state.meter.mean(has_ended.sum().item(), episode=state.age[has_ended].float().mean())
    state.age[has_ended] = 0


def learn(state, args):
    """Update the network on transitions of the buffer, drawn at random; return the loss.

    The reward is -1 for a fall and 0 for all else. An episode that was ended after LONGEST steps
    counts as one that goes on. The target network says what the action is worth that the network
    takes next (double Q-learning, arXiv 1509.06461).
    """
    row = torch.randint(min(state.played, args.memory), (args.batch_size,), device=state.age.device)
    before, after = state.replay['before'][row], state.replay['after'][row]         # (B, 4)
    action, fallen = state.replay['action'][row], state.replay['fallen'][row]       # (B,)
    with torch.no_grad():
        next_action = state.network(after).argmax(dim=1, keepdim=True)              # (B, 1)
        future = state.target(after).gather(1, next_action)[:, 0]                   # (B,)
        goal = torch.where(fallen, -1.0, args.discount * future)
    value = state.network(before).gather(1, action[:, None])[:, 0]                  # (B,)
    loss = smooth_l1_loss(value, goal)
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    return loss


@torch.no_grad()
def evaluate(run, state, loader, phase):
    """Play episodes without exploration. steps: how long the pole stayed up, 500 at most."""
    for _ in run.batches(state, loader, phase):
        observation = cartpole.reset(EPISODES, run.device)
        is_up = torch.ones(EPISODES, dtype=torch.bool, device=run.device)
        steps = torch.zeros(EPISODES, device=run.device)
        for _ in range(LONGEST):
            steps += is_up
            observation, fallen = cartpole.step(observation, state.network(observation).argmax(1))
            is_up &= ~fallen
        state.meter.mean(EPISODES, steps=steps.mean())
    return state.meter.result()
