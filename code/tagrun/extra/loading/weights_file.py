"""The bare weights of a run as a file for other programs: .safetensors, or .pt for torch.

    write(Path('model.pt'), TORCH, weights, metadata_of(run, weights))

.pt holds {'weights': …, 'metadata': …}, which torch.load reads with weights_only=True. Metadata are
texts: run, commit, checkpoint, its SHA-256, the digest of the weights, arguments, metrics.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.project import CODE, TOOL
from tagrun.extra.loading import restored
from tagrun.extra.loading.loaded_run import LoadedRun
from tagrun.store import atomic, history, jsonfile

SAFETENSORS, TORCH = '.safetensors', '.pt'
REQUIREMENTS = CODE / 'requirements-safetensors.txt'


def weights_of(run: LoadedRun) -> dict[str, Any]:
    """Return the weights of the network `model`; of several networks each name has its network's.

    Which parts of a checkpoint are networks, its own digest of the weights tells, or else state.py.
    """
    content = run.checkpoint.content
    saved = content['state']
    weights = saved.get(restored.MODEL)
    if isinstance(weights, Mapping) and digest(weights) == content.get('weights'):
        return dict(weights)
    names = list(restored.networks(run.state))
    if names == [restored.MODEL]:
        return dict(saved[restored.MODEL])
    parts: dict[str, Any] = {}
    for name in names:
        parts.update({f'{name}.{part}': tensor for part, tensor in saved[name].items()})
    return parts or {name: value for name, value in saved.items() if _is_tensor(value)}


def digest(weights: Mapping[str, Any]) -> str:
    """Return the SHA-256 of weights, as training/checkpoint.py does: names, types, bits."""
    import torch

    digest = hashlib.sha256()
    for name, value in weights.items():
        if _is_tensor(value):
            digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def metadata_of(run: LoadedRun, weights: Mapping[str, Any]) -> dict[str, str]:
    """Return what is to be known of the weights, as texts; args and metric are JSON."""
    state = run.checkpoint.content['state']
    epoch = state.get('epoch')
    # in the middle of an epoch there are no metrics of it
    metric = {} if state.get('phase') else _metrics(run, epoch)
    return {
        'format': 'pt',
        'tagrun': (TOOL / 'VERSION').read_text().strip(),
        'run': str(run.ref),
        'commit': run.commit or '',
        'checkpoint': run.checkpoint.file,
        'sha256': run.checkpoint.sha256,
        'weights': digest(weights),
        'epoch': str(epoch),
        'args': _json(vars(run.args)),
        'metric': _json(metric),
    }


def write(path: Path, kind: str, weights: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write the file, as a whole or not at all. kind: .safetensors or .pt. Raises UserError."""
    try:
        if kind == TORCH:
            _write_torch(path, weights, metadata)
        else:
            _write_safetensors(path, weights, metadata)
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror or error}') from None


def _write_torch(path: Path, weights: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    import torch

    with atomic.replacing(path) as file:
        torch.save({'weights': dict(weights), 'metadata': dict(metadata)}, file)


def _write_safetensors(path: Path, weights: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    require_safetensors()
    from safetensors import SafetensorError
    from safetensors.torch import save

    left_out = [name for name, value in weights.items() if not _is_tensor(value)]
    if left_out:
        echo(f'tagrun: left out, for they are not tensors: {", ".join(left_out)}. .pt has them')
    tensors = {name: value for name, value in weights.items() if name not in left_out}
    try:
        content = save(_separate(tensors), dict(metadata))
    except (SafetensorError, ValueError, KeyError) as error:  # a type or layout that it lacks
        reason = str(error).strip().partition('.')[0]
        raise UserError(
            f'{SAFETENSORS} cannot hold these weights ({reason}): -o a {TORCH} file'
        ) from None
    with atomic.replacing(path, needed=len(content)) as file:
        file.write(content)


def require_safetensors() -> None:
    """Raise UserError, with what to type, where the package safetensors is missing."""
    try:
        import safetensors  # noqa: F401  (whether it is installed)
    except ModuleNotFoundError:
        install = f'{quote(sys.executable)} -m pip install -r {quote(REQUIREMENTS)}'
        raise UserError(f'a .safetensors file needs the package safetensors: {install}') from None


def _separate(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors with memory of their own: the file format has no shared one.

    Tied weights are written under each of their names.
    """
    import torch

    owners: set[int] = set()
    result = dict(tensors)
    for name, tensor in tensors.items():
        if tensor.layout == torch.strided:
            memory = tensor.untyped_storage().data_ptr()
            result[name] = tensor.clone() if memory in owners else tensor.contiguous()
            owners.add(memory)
    return result


def _metrics(run: LoadedRun, epoch: Any) -> dict[str, float]:
    """Return the numbers of an epoch in history.csv; {} where it has no such line."""
    try:
        rows = history.read(run.folder)
    except (OSError, ValueError):
        return {}
    row = next((row for row in rows if row.get('epoch') == str(epoch)), {})
    numbers = {name: _number(text) for name, text in row.items() if '/' in str(name)}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _json(value: dict[str, Any]) -> str:
    """Return JSON on one line; 'inf' and 'nan' are strings, as in statistic.json."""
    return json.dumps(json.loads(jsonfile.dumps(value)), ensure_ascii=False)


def _is_tensor(value: Any) -> bool:
    import torch

    return torch.is_tensor(value)
