"""A fingerprint of the data of each phase, for environment.json.

    fingerprints(loaders)       # {'train': {'samples': 3600, 'digest': 'a81b20c4'}, 'val': …}

The samples are read in a process of its own (throwaway.py): a data set may open its file when it
is read, and its data workers would share that file's position.
"""

import textwrap
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tagrun.training import seeding, throwaway
from tagrun.training.report import info
from tagrun.training.trace import batch_digest

SAMPLES = 16  # of each phase's data set that are read
WIDTH = 71  # of a line on the screen: with the time before it, the log's has 80


def fingerprints(loaders: Mapping[str, Any]) -> dict[str, dict[str, Any] | None]:
    """Return {phase: {'samples': n, 'digest': …}}; None for what cannot be read by index.

    digest: CRC-32 of SAMPLES samples spread over the data set; a changed sample between those is
    not noticed. It is None, and that is said, where the samples cannot be read here.
    """
    results: dict[str, dict[str, Any] | None] = dict.fromkeys(loaders)
    if not any(hasattr(loader, 'dataset') for loader in loaders.values()):
        return results
    reasons = dict.fromkeys(loaders, '')
    looked, reason = throwaway.collect(lambda: _looks(loaders))
    for phase, result, problem in looked:
        results[phase], reasons[phase] = result, problem
    for phase in loaders.keys() - {phase for phase, *_ in looked}:
        results[phase] = _unread(loaders[phase])
        reasons[phase] = reason if _is_map_style(_dataset(loaders[phase])) else ''
    failed = [phase for phase in loaders if reasons[phase]]
    if failed:
        text = (
            f'tagrun: the data of {", ".join(failed)} get no fingerprint ({reasons[failed[0]]}): '
            '`why` and `rerun -f` cannot say whether they changed'
        )
        info(textwrap.fill(text, WIDTH, subsequent_indent='  ', break_long_words=False))
    return results


def _looks(loaders: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """Yield (phase, its fingerprint, why it has no digest or ''), in the process for that."""
    for phase, loader in loaders.items():
        dataset = _dataset(loader)
        if not _is_map_style(dataset):
            yield phase, None, ''
            continue
        try:
            yield phase, {'samples': len(dataset), 'digest': _digest(dataset)}, ''
        except Exception as error:  # the researcher's own, whatever it is
            yield phase, _unread(loader), throwaway.describe(error)


def _unread(loader: Any) -> dict[str, Any] | None:
    """Return what is known of a data set whose samples cannot be read."""
    dataset = _dataset(loader)
    try:
        return {'samples': len(dataset), 'digest': None} if _is_map_style(dataset) else None
    except Exception:  # the researcher's own, whatever it is
        return None


def _digest(dataset: Any) -> str:
    count = len(dataset)
    seeding.seed_everything(0)  # the same augmentation each time
    indices = {count * part // SAMPLES for part in range(SAMPLES)} if count else set()
    samples = [dataset[index] for index in sorted(indices)]
    content = repr([[batch_digest(sample), _plain(sample)] for sample in samples])
    return f'{zlib.crc32(content.encode()):08x}'


def _dataset(loader: Any) -> Any:
    dataset: Any = getattr(loader, 'dataset', None)
    return getattr(dataset, 'dataset', dataset)  # behind a Loader's indices


def _is_map_style(dataset: Any) -> bool:
    # torch gives an IterableDataset a __getitem__ that only raises
    if isinstance(dataset, torch.utils.data.IterableDataset):
        return False
    return hasattr(dataset, '__getitem__') and hasattr(dataset, '__len__')


def _plain(sample: Any) -> list[Any]:
    """Return the numbers and strings of a sample that are not tensors: labels, mostly."""
    parts = [sample]
    if isinstance(sample, dict):
        parts = list(sample.values())
    elif isinstance(sample, (list, tuple)):
        parts = list(sample)
    return [part for part in parts if isinstance(part, (int, float, str, bool))]
