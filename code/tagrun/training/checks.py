"""Checks of what main.py and state.py hand to a run, before anything is trained.

check_phases(args.phases, loaders, args.epochs); check_state(state); check_plain(state)
check_division(args.phases, state, loaders)
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from tagrun.training import distributed, state_parts, unsaved, values
from tagrun.training import loader as order
from tagrun.training.loader import TRAIN
from tagrun.training.meter import Meter
from tagrun.training.report import info

# what a run needs on the state: where the run stands, by the line of State.__init__ that makes it
NEEDED = {
    'history': 'EpochHistory(args.monitor, args.monitor_mode, args.patience)',
    'epoch': '0',
    'phase': 'None',
    'batch': '0',
    'step': '0',
    'metrics': '{}',
    'seconds': '0.0',
}


def check_state(state: Any) -> None:
    """Raise TypeError, with what to write, if `state` lacks what every run needs."""
    for name, value in NEEDED.items():
        if not hasattr(state, name):
            raise TypeError(
                f'state.py: the state has no {name}: write self.{name} = {value} in State.__init__'
            )
    for name in ('state_dict', 'load_state_dict'):
        if not callable(getattr(state, name, None)):
            raise TypeError(
                f'state.py: State has no method {name}, which saves it or restores it: take it '
                "from the template's state.py"
            )


def check_phases(phases: Iterable[str], loaders: Mapping[str, Any], epochs: int | None) -> None:
    """Raise ValueError if a phase of config.py has no loader that all epochs can read."""
    missing = [phase for phase in phases if phase not in loaders]
    if missing:
        raise ValueError(
            f'config.py: phases has {", ".join(map(repr, missing))}, but build_loaders '
            f'gave only {", ".join(map(repr, loaders))}'
        )
    for phase in phases:
        if phase != TRAIN and epochs != 1 and isinstance(loaders[phase], Iterator):
            raise ValueError(
                f'dataloader.py: the loader of {phase!r} is a {type(loaders[phase]).__name__}, '
                'which can be read only once; each epoch needs all of it, e.g. a list, or an '
                'object whose __iter__ begins anew'
            )


def check_batches(phases: Iterable[str], loaders: Mapping[str, Any]) -> None:
    """Raise ValueError for a phase whose loader drops all its samples, or that trains on none.

    It would do nothing in each epoch, and the run would be called finished.
    """
    for phase in phases:
        loader = loaders[phase]
        samples = order.count_dropped(loader)
        if samples:
            raise ValueError(
                f'dataloader.py: the loader of {phase!r} has no batch: it drops all {samples:,} '
                'samples, for drop_last=True drops a batch that is not full. Choose a smaller '
                'batch_size, or drop_last=False'
            )
        if phase == TRAIN and order.is_own(loader) and not len(loader.dataset):
            raise ValueError(f'dataloader.py: the data set of {phase!r} has no sample')


def check_plain(state: Any) -> None:
    """Raise TypeError, with its name, if a part of `state` cannot be saved in a checkpoint.

    A checkpoint holds tensors and plain values, so that loading one runs no code.
    """
    saved = state.state_dict() if hasattr(state, 'state_dict') else dict(state)
    for name, value in saved.items():
        if hasattr(value, 'state_dict'):
            saved[name] = value.state_dict()
    values.check(saved)


def warn_of_unsaved(state: Any) -> None:
    """Say which objects on the state save nothing, though they hold tensors."""
    for lost in unsaved.find(state):
        info(f'tagrun: {lost.what}. {lost.remedy}')


def check_division(phases: Iterable[str], state: Any, loaders: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError if several processes cannot share this model or its batches."""
    if not isinstance(getattr(state, 'meter', None), Meter):
        raise TypeError(
            'state.py: several processes train, and their metrics are joined by a Meter: write '
            'self.meter = Meter() in State.__init__'
        )
    for name, network in _trained_alone(state):
        raise TypeError(
            f'state.py: several processes train, each its own {name}: write self.{name} = '
            f'distributed.wrap({type(network).__name__}(…), args.shard)'
        )
    for phase in phases:
        if not order.is_own(loaders[phase]):
            raise ValueError(
                f'dataloader.py: {phase!r} is a {type(loaders[phase]).__name__}; '
                'several processes need the Loader of tagrun.training, '
                'which divides each batch among them (or one process: --nproc 1)'
            )


def _trained_alone(state: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield the networks of which a process would train its own: an optimizer has their weights."""
    optimized = {
        id(parameter)
        for optimizer in state_parts.optimizers(state).values()
        for group in optimizer.param_groups
        for parameter in group['params']
    }
    joined = {id(part) for model in distributed.shared(state) for part in model.parameters()}
    for name, network in state_parts.networks(state).items():
        own = {id(part) for part in network.parameters()} - joined
        if own & optimized:
            yield name, network
