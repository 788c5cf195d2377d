"""Make a run's model out of its own code, with the weights of a checkpoint.

    model = restored.model(code, root, args, checkpoint)
    state = restored.state(code, root, args, checkpoint)    # all that state.py makes

Nothing is trained: models are in evaluation mode, on the CPU, and not compiled.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading.checkpoint_file import Checkpoint
from tagrun.extra.loading.frozen_import import FrozenCode
from tagrun.extra.loading.surroundings import as_in_training

MODEL = 'model'
# the first step of a compiled model takes seconds; 1.0.0 called it compile
COMPILE = ('torch_compile', 'compile')


def model(code: FrozenCode, root: Path, args: SimpleNamespace, checkpoint: Checkpoint) -> Any:
    """Return build_model(args) of the run's model.py, with its weights.

    None where there is no build_model, or where the weights are not those of what it returns.
    """
    weights = checkpoint.content['state'].get(MODEL)
    if not code.has(MODEL) or not isinstance(weights, Mapping):
        return None
    with as_in_training(root, args.seed):
        build = getattr(code.module(MODEL), 'build_model', None)
        if build is None:
            return None
        built = build(args)
        try:
            built.load_state_dict(weights)
        except RuntimeError:
            return None
    return built.eval()


def state(code: FrozenCode, root: Path, args: SimpleNamespace, checkpoint: Checkpoint) -> Any:
    """Return the State of the run's state.py, restored, its networks in evaluation mode.

    Raises UserError where the run's code has no state.py.
    """
    import torch

    if not code.has('state'):
        raise UserError(f'{code.name}: its code has no state.py, which makes its networks')
    saved = checkpoint.content['state']
    eager = {name: False for name in COMPILE if name in vars(args)}
    args = SimpleNamespace(**{**vars(args), **eager})
    with as_in_training(root, args.seed):
        built = code.module('state').State(args, torch.device('cpu'), _steps_per_epoch(saved))
        built.load_state_dict(saved)
    for network in networks(built).values():
        network.eval()
    return built


def networks(state: Any) -> dict[str, Any]:
    """Return the networks on a state by their names."""
    from torch import nn

    return {name: part for name, part in vars(state).items() if isinstance(part, nn.Module)}


def only_network(state: Any) -> Any:
    """Return the network called model, or else the only one; None where there are several."""
    by_name = networks(state)
    if MODEL in by_name or len(by_name) == 1:
        return by_name.get(MODEL) or next(iter(by_name.values()))
    return None


def _steps_per_epoch(saved: Mapping[str, Any]) -> int:
    """Return how many training steps an epoch of the run had, as far as it tells."""
    return max(1, saved.get('step', 1) // max(1, saved.get('epoch', 1)))
