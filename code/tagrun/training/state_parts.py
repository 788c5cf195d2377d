"""What a state is made of, whatever its attributes are called: networks, optimizers, weights.

networks(state)                         # {'generator': Module(…), 'critic': Module(…)}
learning_rates(optimizers(state))       # {'lr': 0.01}; of several: {'lr_critic_optimizer': …}
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tagrun.training import distributed

LR = 'lr'
PLAIN = re.compile(r'[\w.-]+')  # a parameter group's name that a column may have
MODEL = 'model'


def networks(state: Any) -> dict[str, nn.Module]:
    """Return the modules that stand on a state, by their names, in the order of its attributes."""
    return {name: part for name, part in _parts(state).items() if isinstance(part, nn.Module)}


def optimizers(state: Any) -> dict[str, Any]:
    """Return the optimizers that stand on a state, by their names: what has `param_groups`."""
    return {
        name: part
        for name, part in _parts(state).items()
        if isinstance(getattr(part, 'param_groups', None), list)
    }


def rate_groups(state: Any) -> dict[str, dict[str, Any]]:
    """Return the parameter groups of the state's optimizers by the names of their learning rates.

    The only one is called lr; else a name has what tells it from the others: lr_<optimizer>,
    lr_<group>, lr_<optimizer>_<group>. A group has its own `name`, or its number.
    """
    by_name = optimizers(state)
    result: dict[str, dict[str, Any]] = {}
    for name, optimizer in by_name.items():
        prefix = LR if len(by_name) == 1 else f'{LR}_{name}'
        groups = [group for group in optimizer.param_groups if LR in group]
        for label, group in zip(_labels(groups), groups, strict=True):
            result[prefix + label] = group
    return result


def learning_rates(groups: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the learning rates now; one that is a tensor is copied, for a schedule changes it."""
    rates = {name: group[LR] for name, group in groups.items()}
    for name, rate in rates.items():
        if torch.is_tensor(rate):
            rates[name] = rate.detach().clone()
    return rates


def only_network(state: Any) -> nn.Module | None:
    """Return the network `model`, or else the only one; None where there are several, or none."""
    by_name = networks(state)
    if MODEL in by_name or len(by_name) == 1:
        return by_name.get(MODEL) or next(iter(by_name.values()))
    return None


def is_sharded(state: Any) -> bool:
    """Return whether the weights of the network `model` are divided over the processes."""
    model = networks(state).get(MODEL)
    return model is not None and distributed.is_sharded(model)


def weights(names: Iterable[str], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights among what `state.state_dict()` gave: {'0.bias': tensor, …}.

    They are those of the network `model`; of several networks (names) each name has the network's
    before it. A state without a network has its own tensors.
    """
    names = [name for name in names if isinstance(saved.get(name), Mapping)]
    if names == [MODEL]:
        return dict(saved[MODEL])
    result = {f'{name}.{part}': tensor for name in names for part, tensor in saved[name].items()}
    return result or {name: value for name, value in saved.items() if torch.is_tensor(value)}


def saved_networks(saved: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the networks among what `state.state_dict()` of another program gave, by their names.

    A module's state_dict is known by the versions that torch keeps with it. One that several
    processes divided has lost them: there it is a dict of tensors.
    """
    modules = {name: dict(part) for name, part in saved.items() if hasattr(part, '_metadata')}
    return modules or {
        name: dict(part)
        for name, part in saved.items()
        if isinstance(part, Mapping) and part and all(map(torch.is_tensor, part.values()))
    }


def weights_now(state: Any) -> dict[str, Any]:
    """Return the same of a state as it is now; nothing is copied."""
    by_name = networks(state)
    parts = {name: network.state_dict() for name, network in by_name.items()}
    tensors = {name: part for name, part in _parts(state).items() if torch.is_tensor(part)}
    return weights(by_name, {**tensors, **parts})


def _parts(state: Any) -> dict[str, Any]:
    return getattr(state, '__dict__', {})


def _labels(groups: list[dict[str, Any]]) -> list[str]:
    """Return what tells the parameter groups of an optimizer apart: ['_head', '_1']."""
    if len(groups) == 1:
        return ['']
    names = [str(group.get('name', '')) for group in groups]
    return [
        f'_{name}' if PLAIN.fullmatch(name) and names.count(name) == 1 else f'_{number}'
        for number, name in enumerate(names)
    ]


def as_floats(rates: Mapping[str, Any]) -> dict[str, float]:
    """Return learning rates as floats; it waits for the device of those that are tensors."""
    return {name: _as_float(rate) for name, rate in rates.items()}


def _as_float(rate: Tensor | float) -> float:
    return float(rate.item()) if torch.is_tensor(rate) else float(rate)
