"""What a checkpoint of another run becomes under today's code and arguments.

    built = settings(state)                     # as State.__init__ made them, before any restore
    content['state'] = merged(content['state'], content.get('built'), built)

A checkpoint holds the settings of optimizers and schedulers (lr, weight_decay, T_max, …), and a
restore would put them back: a run that began with it would be recorded with lr 0.1 and trained with
0.01. So of each setting there are three values: as the other run built it, as its training left it,
as this run builds it. What this run builds otherwise is this run's; all else is the checkpoint's. A
learning rate that training has changed meanwhile is scaled by the same factor as the one that was
built.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from tagrun.training import state_parts, values

PARAMS, LR, INITIAL = 'params', 'lr', 'initial_lr'
GROUPS = 'param_groups'
# it follows from the optimizer's groups at the next step
DERIVED = ('_last_lr',)

Settings = dict[str, Any]  # {'optimizer': {'param_groups': [{'lr': 0.01, …}]}, 'scheduler': {…}}


def settings(state: Any) -> Settings:
    """Return the settings of a state's optimizers and schedulers as they are now."""
    result: Settings = {}
    for name, optimizer in state_parts.optimizers(state).items():
        groups = [_without_params(group) for group in optimizer.param_groups]
        result[name] = {GROUPS: groups}
    for name, part in getattr(state, '__dict__', {}).items():
        # a scheduler knows its optimizer
        is_scheduler = hasattr(part, 'optimizer') and hasattr(part, 'state_dict')
        if is_scheduler and not isinstance(part, nn.Module):
            result[name] = dict(part.state_dict())
    return values.copied(result, name='settings')


def _without_params(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != PARAMS}


def merged(saved: dict[str, Any], before: Settings | None, now: Settings) -> dict[str, Any]:
    """Return a checkpoint's state with what this run builds otherwise than the other run did.

    before, now: `settings` of the two runs; before: None of a checkpoint that lacks it, whose
    optimizers then count as they were left.
    """
    result = dict(saved)
    for name, built in now.items():
        left = saved.get(name)
        if not isinstance(left, Mapping):
            continue
        if before is None:
            built_before = left if GROUPS in built else built
        else:
            built_before = before.get(name, built)
        if GROUPS in built:
            groups = _groups(left.get(GROUPS), built_before.get(GROUPS), built[GROUPS])
            result[name] = {**left, GROUPS: groups}
        else:
            result[name] = _merged(left, built_before, built)
    return result


def _groups(left: Any, before: Any, now: list[dict[str, Any]]) -> Any:
    """Return an optimizer's parameter groups; as they were left where they are not as many."""
    if not isinstance(left, list) or not isinstance(before, list):
        return left
    if not len(left) == len(before) == len(now):
        return left
    return [_group(*three) for three in zip(left, before, now, strict=True)]


def _group(left: dict[str, Any], before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    group = _merged(left, {**_without_params(before), LR: None}, {**now, LR: None})
    old, new = before.get(INITIAL, before.get(LR)), now.get(INITIAL, now.get(LR))
    if LR not in left or old is None or new is None:
        return {**group, LR: left.get(LR, new)}
    if _same(old, new):
        return {**group, LR: left[LR]}
    return {**group, LR: left[LR] * (new / old) if old else new}


def _merged(left: Any, before: Any, now: Any) -> Any:
    """Return the value that training left, or the one that is built now if it is another."""
    if isinstance(left, Mapping) and isinstance(before, Mapping) and isinstance(now, Mapping):
        result = dict(left)
        for key, built in now.items():
            if key in DERIVED:
                continue
            if key not in left:
                result[key] = built
            elif key in before:
                result[key] = _merged(left[key], before[key], built)
        return result
    sequences = (list, tuple)
    are_sequences = all(isinstance(value, sequences) for value in (left, before, now))
    if are_sequences and len(left) == len(before) == len(now):
        items = [_merged(*three) for three in zip(left, before, now, strict=True)]
        return tuple(items) if isinstance(left, tuple) else items
    return left if _same(before, now) else now


def _same(one: Any, other: Any) -> bool:
    if torch.is_tensor(one) or torch.is_tensor(other):
        one, other = torch.as_tensor(one).cpu(), torch.as_tensor(other).cpu()
        return bool(torch.equal(one, other))
    return type(one) is type(other) and bool(one == other)


def changes(before: Settings | None, now: Settings) -> Iterator[str]:
    """Yield which settings of the optimizers are others: 'optimizer: lr 0.1 instead of 0.01'."""
    for name, built in now.items():
        groups = (before or {}).get(name, {}).get(GROUPS, [])
        for number, (old, new) in enumerate(zip(groups, built.get(GROUPS, []), strict=False)):
            label = name if len(groups) == 1 else f'{name}, group {number}'
            for key in new:
                # where a scheduler changes it, initial_lr is what was built
                is_shown = key not in (LR, PARAMS) or INITIAL not in new
                if is_shown and not _same(old.get(key), new[key]):
                    shown = LR if key == INITIAL else key
                    yield f'{label}: {shown} {new[key]} instead of {old.get(key)}'
