"""Put weights into a network, and say which do not fit: missing, unexpected, of another shape.

put(state.model, weights, 'pre/0:epoch_3.pth')                  # InputError where one does not
put(state.model, weights, 'pre/0:epoch_3.pth', strict=False)    # prints them, takes the others
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from tagrun.training.input_weights import InputError, Weights, bare_names, shortened
from tagrun.training.report import info

SHOWN = 20  # names that are printed


class Misfit(NamedTuple):
    """What of some weights does not fit a network."""

    missing: list[str]  # names that the network has, and the weights lack
    unexpected: list[str]  # names that the weights have, and the network lacks
    shapes: list[str]  # 'head.weight (10, 64) instead of (2, 64)'

    def sentences(self, most: int) -> list[str]:
        """Return what does not fit, a line each."""
        kinds = (
            ('missing', self.missing),
            ('unexpected', self.unexpected),
            ('of another shape', self.shapes),
        )
        return [f'{kind}: {shortened(names, most)}' for kind, names in kinds if names]


def put(network: nn.Module, weights: Weights, source: str, strict: bool = True) -> None:
    """Load weights into a network, in place. Raises InputError where strict and not all fit.

    source: where they are from, for the messages. In several processes all of them call it.
    """
    own = network.state_dict()
    names = _own_names(own, weights)
    given = {names[name]: value for name, value in weights.items() if name in names}
    misfit = compare(own, {names.get(name, name): value for name, value in weights.items()})
    if any(misfit) and strict:
        raise InputError(
            f'{source} does not fit: {"; ".join(misfit.sentences(5))} '
            '(--no-strict, or strict=False, takes what fits)'
        )
    for sentence in misfit.sentences(SHOWN):
        info(f'tagrun: {source}: {sentence}')
    fitting = {name: value for name, value in given.items() if _fits(own[name], value)}
    if not fitting:
        raise InputError(f'{source} has nothing that fits {type(network).__name__}')
    for name, value in fitting.items():
        fitting[name] = _as_divided(own[name], value)
    network.load_state_dict(fitting, strict=False)


def compare(own: Mapping[str, Any], weights: Mapping[str, Any]) -> Misfit:
    """Return what of `weights` does not fit a network with the state_dict `own`."""
    shapes = [
        f'{name} {tuple(value.shape)} instead of {tuple(own[name].shape)}'
        for name, value in weights.items()
        if name in own and not _fits(own[name], value)
    ]
    missing = [name for name in own if name not in weights]
    return Misfit(missing, [name for name in weights if name not in own], shapes)


def _own_names(own: Mapping[str, Any], weights: Weights) -> dict[str, str]:
    """Return {name in the weights: name in the network}, whatever wrapper either was in."""
    by_bare_name = {bare: name for name, bare in bare_names(own).items()}
    return {
        name: by_bare_name[bare]
        for name, bare in bare_names(weights).items()
        if bare in by_bare_name
    }


def _fits(own: Any, value: Any) -> bool:
    if not torch.is_tensor(own) or not torch.is_tensor(value):
        return torch.is_tensor(own) == torch.is_tensor(value)
    return bool(is_lazy(own)) or own.shape == value.shape


def _as_divided(own: Any, value: Any) -> Any:
    """Return a whole tensor divided over the processes as the network's own is."""
    if not hasattr(own, 'to_local') or not torch.is_tensor(value):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(own.to_local().device), own.device_mesh, own.placements)
