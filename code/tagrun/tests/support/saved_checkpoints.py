"""Checkpoints of a few numbers: saved, damaged, restored."""

import io
import types

import torch

from tagrun.training import checkpoint, shards


def saved(folder, *numbers, **options):
    """Checkpoints epoch_<n>.pth in a run's folder; the object that saved them."""
    saver = checkpoint.Checkpoints(
        folder, checkpoint.Background(), **{'keep_last': 9, 'keep_every': 0, **options}
    )
    for number in numbers:
        saver.save(
            f'epoch_{number}.pth',
            {'state': {'model': {'w': torch.full((1000,), float(number))}, 'epoch': number}},
        )
    saver.background.wait()
    return saver


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def resumed(folder, name):
    """The epoch that a run restores when `continue` names the checkpoint."""
    state = types.SimpleNamespace(
        phase=None, epoch=0, batch=0, load_state_dict=lambda content: vars(state).update(content)
    )
    checkpoint.restore_newest(folder, name, state, shards.load)
    return state.epoch


def reloaded(value):
    """What a checkpoint gives back of a value that it holds."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)
