"""How large what is trained is: parameters, samples, the shapes of a batch.

    parameters(state)       # {'model': {'all': 7210, 'trainable': 7210}}
    samples(loaders)        # {'train': 3600, 'val': 400}
    shapes(batch)           # {'0': '(100, 40) float32', '1': '(100,) int64'}

statistic.json has them as `parameters`, `samples` and `batch`; training says them at its start.
"""

import itertools
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.parameter import is_lazy
from torch.nn.utils.rnn import PackedSequence

from tagrun.store import statistic
from tagrun.training import state_parts
from tagrun.training.report import info

KEYS = ('parameters', 'samples', 'batch')  # of statistic.json; older runs lack them
WIDTH = 71  # of a line on the screen: with the time before it, the log's has 80
LINES = 2  # that a sentence on the screen has at most
MOST = 50  # parts of a batch, and of a state
DEEPEST = 6  # containers in one another


class Sizes:
    """The sizes of a run in `folder`: said at each start, recorded in `content`."""

    def __init__(self, folder: Path) -> None:
        # a run that goes on, and has nothing left to train, keeps what it recorded
        before = statistic.read_or_none(folder) or {}
        self.content = {key: before[key] for key in KEYS if isinstance(before.get(key), dict)}
        self._seen: set[str] = set()  # phases of which a batch passed

    def begin(self, state: Any, loaders: Mapping[str, Any]) -> None:
        """Record and say the parameters and samples."""
        self.content['parameters'] = parameters(state)
        self.content['samples'] = samples(loaders)
        text = said(self.content)
        if text:
            info(text)

    def first_seen(self, batches: Iterator[Any], phase: str) -> Iterator[Any]:
        """Return the batches; the shapes of a phase's first one are recorded as it passes.

        None is drawn for that. Those of the run's first batch are said.
        """
        return batches if phase in self._seen else self._watched(batches, phase)

    def _watched(self, batches: Iterator[Any], phase: str) -> Iterator[Any]:
        for batch in batches:
            parts = shapes(batch)
            # a new dict: the background may be writing the one before
            self.content['batch'] = {**self.content.get('batch', {}), phase: parts}
            if not self._seen:
                info(said_batch(phase, parts))
            self._seen.add(phase)
            yield batch
            break
        yield from batches


def parameters(state: Any) -> dict[str, dict[str, int]]:
    """Return {network: its parameters, all and trainable} of the networks on the state.

    Those that a lazy layer has yet to make do not count. A metric has none, and is left out.
    """
    counts = {}
    for name, network in state_parts.networks(state).items():
        known = [each for each in network.parameters() if not is_lazy(each)]
        trainable = [each.numel() for each in known if each.requires_grad]
        total = sum(each.numel() for each in known)
        if total:
            counts[name] = {'all': total, 'trainable': sum(trainable)}
    return dict(itertools.islice(counts.items(), MOST))


def samples(loaders: Mapping[str, Any]) -> dict[str, int]:
    """Return {phase: samples of its data set}, where the loader has one and it has a length."""
    counts = {}
    for phase, loader in loaders.items():
        try:
            counts[phase] = len(loader.dataset)
        # whatever a data set of the researcher's raises: it is not worth a run
        except Exception:
            continue
    return counts


def shapes(batch: Any) -> dict[str, str]:
    """Return {name or position: shape and dtype} of the parts of a batch; '' names all of it."""
    return dict(itertools.islice(_shapes(batch, '', 0), MOST))


def _shapes(part: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    inner = None if _is_leaf(part) or depth == DEEPEST else _inner(part)
    if inner is None:
        yield name, _shape(part)
        return
    for key, value in inner:
        yield from _shapes(value, f'{name}.{key}'.lstrip('.'), depth + 1)


def _is_leaf(part: Any) -> bool:
    return isinstance(part, (torch.Tensor, np.ndarray, np.generic, PackedSequence))


def _inner(part: Any) -> list[tuple[Any, Any]] | None:
    """Return the named parts of a container or of an object with a method `to`, else None."""
    if isinstance(part, Mapping):
        return list(part.items())
    if hasattr(part, '_fields'):  # a named tuple
        return list(zip(part._fields, part, strict=False))
    if isinstance(part, (list, tuple)):
        return None if _is_plain(part) else list(enumerate(part))
    if callable(getattr(part, 'to', None)) and hasattr(part, '__dict__'):
        leaves = [(name, value) for name, value in vars(part).items() if _is_leaf(value)]
        return leaves or None
    return None


def _is_plain(values: Any) -> bool:
    """Return whether these are labels or the like: 100 strings are one part of a batch."""
    return len(values) > 0 and isinstance(values[0], (str, bytes, bool, int, float, type(None)))


def _shape(part: Any) -> str:
    if isinstance(part, PackedSequence):
        return f'{len(part.batch_sizes)} steps packed, {_shape(part.data)}'
    if _is_leaf(part):
        dtype = str(part.dtype).removeprefix('torch.')
        return f'{tuple(part.shape)} {dtype}'
    if isinstance(part, (list, tuple)) and len(part):
        return f'{len(part)} {type(part[0]).__name__}'
    return type(part).__name__


# --- on the screen -------------------------------------------------------------------------------


def said(sizes: Mapping[str, Any]) -> str:
    """Return '7,210 trainable parameters; samples: train 3,600, val 400'."""
    parts = [_said_parameters(sizes['parameters']), _said_samples(sizes['samples'])]
    return _fill('; '.join(part for part in parts if part))


def said_batch(phase: str, parts: Mapping[str, str]) -> str:
    """Return 'train batch: (100, 40) float32, (100,) int64'."""
    words = [_named(name, shape) for name, shape in parts.items()]
    return _fill(f'{phase} batch: {", ".join(words) or "empty"}')


def _named(name: str, shape: str) -> str:
    return shape if name.isdecimal() or not name else f'{name} {shape}'


def _said_parameters(counts: Mapping[str, Mapping[str, int]]) -> str:
    words = []
    for name, count in counts.items():
        if count['trainable'] == count['all']:
            text = f'{count["all"]:,} trainable parameters'
        else:
            text = f'{count["all"]:,} parameters, {count["trainable"]:,} trainable'
        words.append(text if len(counts) == 1 else f'{name} {text}')
    return '; '.join(words)


def _said_samples(counts: Mapping[str, int]) -> str:
    words = [f'{phase} {count:,}' for phase, count in counts.items()]
    return f'samples: {", ".join(words)}' if words else ''


def _fill(text: str) -> str:
    lines = textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent='    ',
        max_lines=LINES,
        placeholder=' …',
        break_on_hyphens=False,
    )
    return '\n'.join(lines)
