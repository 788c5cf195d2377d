"""training/silent_output.py: a further process of a training writes and shows nothing."""

import types

import torch

from tagrun.training import summaries
from tagrun.training.silent_output import Silent
from tagrun.training.trace import TrainedStep


def test_nothing_is_written_or_made_whatever_it_is_given(tmp_path):
    silent = Silent(tmp_path)
    state = types.SimpleNamespace(model=torch.nn.Linear(1, 1))
    silent.scalar('norm', 'no number', 1)
    silent.summary(summaries.image, 'samples', object(), 1)
    silent.on_checkpoint(print)
    silent.trace_step(TrainedStep(1, 1, 'aa', 'bb', {'loss': 0.5}, {'lr': 0.1}))
    assert silent.save(state, 'epoch_1.pth', {}, best=True) is None
    assert silent.weights_digest(state) is None and silent.closing_steps() == []
    assert list(tmp_path.iterdir()) == []
