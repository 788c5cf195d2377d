"""Read the weights of an input: of another run's checkpoint, or of a file from elsewhere.

    networks = read(root, each)                 # {'model': {'0.weight': tensor, …}}, on the CPU
    part(networks, 'encoder')                   # {'0.weight': tensor, …} of model.encoder

each: an Input of store/inputs.py. The SHA-256 is compared before anything is read. A checkpoint of
several processes is read whole. Of a file from elsewhere the common wrappers ('state_dict', …) and
prefixes ('module.') are taken off; it is read with weights_only=True, and .safetensors by that
package.
"""

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tagrun.store import checkpoints
from tagrun.store.inputs import Input
from tagrun.training import checkpoint, shards, state_parts

WRAPPERS = ('state_dict', 'model_state_dict', 'model', 'module', 'net', 'network', 'weights')
PREFIXES = ('module.', '_orig_mod.')
SAFETENSORS = '.safetensors'
SHOWN = 12  # digits of a SHA-256, and characters …
SOME = 8  # … names in a sentence
LONGEST_REASON = 200
ANY = ''  # the name of the only network of a file from elsewhere

Weights = dict[str, Any]  # tensors by name, and what a module's get_extra_state gave


class InputError(ValueError):
    """An input cannot be read, is not what was recorded, or does not fit."""


def verify(root: Path, each: Input, run: str) -> Path:
    """Return the path of an input whose content is the recorded one. Raises InputError.

    run: the name of the run that takes it.
    """
    path = each.path(root)
    if path is None:
        raise InputError(
            f'input {each.words} is not here: {run} takes it, with SHA-256 {each.sha256[:SHOWN]}…'
        )
    try:
        digest = checkpoints.digest(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'input {each.words} cannot be read: {reason}') from None
    if digest != each.sha256:
        raise InputError(
            f'input {each.words} has changed: its SHA-256 is {digest[:SHOWN]}…, and {run} takes '
            f'the one with {each.sha256[:SHOWN]}…'
        )
    return path


def read(root: Path, each: Input) -> dict[str, Weights]:
    """Return {network: its weights}; of a file from elsewhere one called ANY. Raises InputError.

    `verify` has compared the file's SHA-256.
    """
    path = each.path(root)
    if path is None:
        raise InputError(f'input {each.words} is not here any more')
    if each.run is None:
        return {ANY: _of_file(path, each)}
    folder = each.run.folder(root)
    try:
        saved = checkpoint.load(folder, path.name)
        state = shards.load_sharded(folder, path.name, saved['state'], whole=True)
    except (checkpoint.Damaged, KeyError) as error:
        raise InputError(f'input {each.words} cannot be read: {error}') from None
    networks = state_parts.saved_networks(state)
    if not networks:
        raise InputError(f'input {each.words} holds no network')
    return networks


def part(networks: Mapping[str, Weights], name: str, source: str) -> Weights:
    """Return the weights of a part, by their names in it. Raises InputError where there is none.

    name: a network's, or a module's in the network `model` or in the only one, or
    <network>.<module>; '' for that network itself, or for several with their names before theirs.
    """
    main = networks.get(state_parts.MODEL)
    if len(networks) == 1:
        main = next(iter(networks.values()))
    everything = {
        f'{network}.{key}': value
        for network in networks
        for key, value in networks[network].items()
    }
    if not name:
        return everything if main is None else main
    for weights in (main or {}, everything):
        prefix = f'{name}.'
        chosen = {
            key.removeprefix(prefix): value
            for key, value in weights.items()
            if key.startswith(prefix)
        }
        if chosen:
            return chosen
    parts = dict.fromkeys(key.partition('.')[0] for key in [*(main or {}), *everything])
    raise InputError(f'{source} has no part {name!r}: it has {shortened(parts)}')


def shortened(names: Iterable[str], most: int = SOME) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    more = f' and {len(every) - most} more' if len(every) > most else ''
    return ', '.join(every[:most]) + more


# --- a file from elsewhere -----------------------------------------------------------------------


def _of_file(path: Path, each: Input) -> Weights:
    load = _safetensors if path.name.endswith(SAFETENSORS) else _torch
    try:
        content = load(path)
    except ImportError:
        raise InputError(
            f'input {each.words} needs the package safetensors: '
            'pip install -r code/requirements-safetensors.txt'
        ) from None
    except Exception as error:  # whatever a stranger's file can raise
        reason = str(error).strip().partition('\n')[0][:LONGEST_REASON]
        reason = f'{type(error).__name__}: {reason}'
        if isinstance(error, pickle.UnpicklingError):
            # torch advises weights_only=False, by which a file can run any code
            reason = 'it holds other things than tensors and plain values: save model.state_dict()'
        raise InputError(f'input {each.words} cannot be read: {reason}') from None
    weights = unwrapped(content)
    if not weights:
        what = f'a dict with {shortened(map(str, content))}'
        if not isinstance(content, Mapping):
            what = f'a {type(content).__name__}'
        raise InputError(
            f'input {each.words} holds no weights by their names, but {what}: save '
            'model.state_dict() in it'
        )
    return weights


def _torch(path: Path) -> Any:
    return torch.load(path, map_location='cpu', weights_only=True)


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def unwrapped(content: Any) -> Weights:
    """Return the weights in what somebody saved: {} where there are none.

    It looks into the common wrappers, and takes off a prefix that all names have.
    """
    weights = _weights_in(content, depth=3)
    return {bare: weights[name] for name, bare in bare_names(weights).items()}


def _weights_in(content: Any, depth: int) -> Weights:
    if not isinstance(content, Mapping) or not depth:
        return {}
    names_are_texts = all(isinstance(name, str) for name in content)
    tensors = sum(torch.is_tensor(value) for value in content.values())
    if names_are_texts and tensors and tensors >= len(content) - tensors:
        return {name: value for name, value in content.items() if torch.is_tensor(value)}
    # a checkpoint of Tagrun's
    for wrapper in ('state', *WRAPPERS):
        weights = _weights_in(content.get(wrapper), depth - 1)
        if weights:
            return weights
    return {}


def bare_names(names: Iterable[str]) -> dict[str, str]:
    """Return {name: the name without a wrapper's prefix that all of them have}."""
    result = {name: name for name in names}
    while True:
        prefix = next((each for each in PREFIXES if _all_start(result.values(), each)), None)
        if prefix is None:
            return result
        result = {name: bare.removeprefix(prefix) for name, bare in result.items()}


def _all_start(names: Iterable[str], prefix: str) -> bool:
    every = list(names)
    return bool(every) and all(name.startswith(prefix) and name != prefix for name in every)


def copied(weights: Weights) -> Weights:
    """Return the weights in memory of their own: the file's may be replaced while it is read."""
    return {
        name: value.clone() if isinstance(value, Tensor) else value
        for name, value in weights.items()
    }
