"""What of a checkpoint is divided over several processes (FSDP2): each writes its own part, through
torch.distributed.checkpoint.

    tree = save_sharded(folder, 'epoch_3.pth', state.state_dict())      # all processes together
    state.load_state_dict(load(folder, 'epoch_3.pth')['state'])         # any number of processes

`tree` goes into epoch_3.pth in the state's stead. The parts lie in epoch_3.shards/ beside it; it
has all else and the SHA-256 of each of their files, so its own line of SHA256SUMS covers them.
Training waits while they are written. Their .metadata is a pickle: one that names anything but its
own classes is refused.
"""

import os
import pickle
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tagrun.store import atomic, safe_read
from tagrun.store import checkpoints as store
from tagrun.training import checkpoint, distributed

KEY, SHARDS = 'shard', 'shards'  # of a tensor that is in the folder; of the folder's files
DIGEST = 'digest of rank '
METADATA = 'torch.distributed.checkpoint.metadata', 'torch.distributed.checkpoint.filesystem'
# what else a description of a checkpoint names
ALLOWED = (
    ('torch.serialization', '_get_layout'),
    ('torch', 'Size'),
    ('pathlib', 'PosixPath'),
    ('collections', 'OrderedDict'),
)


def load(folder: Path, name: str) -> dict[str, Any]:
    """Return the content of a checkpoint, with its name, and its state whole or divided as here.

    Raises checkpoint.Damaged; ValueError as load_sharded.
    """
    saved = checkpoint.load(folder, name)
    return {**saved, 'name': name, 'state': load_sharded(folder, name, saved['state'])}


def save_sharded(folder: Path, name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Write what of `state` is divided. Returns `state` with, instead of it, where it is.

    All processes call it together; all of it is on disk then.
    """
    from torch.distributed import checkpoint as torch_checkpoint

    divided: dict[str, Tensor] = {}
    tree = _extract(state, divided, '')
    target = _folder(folder, name)
    new = target.with_name(f'.{target.name}.tmp')
    if distributed.rank() == 0:
        _make_room(folder, name, target, new)
    distributed.broadcast(None)
    torch_checkpoint.save(divided, checkpoint_id=new)
    files = {path.name: store.digest(path) for path in new.iterdir() if _is_own(path)}
    parts = distributed.all_gather((files, weights(state['model'])))
    if distributed.rank() == 0:
        atomic.sync_folder(new)
        os.replace(new, target)
        atomic.sync_folder(target.parent)
    tree[SHARDS] = {}
    for files, _ in parts:
        tree[SHARDS].update(files)
    tree['model'].update(_digests([digest for _, digest in parts]))
    return tree


def _folder(folder: Path, name: str) -> Path:
    return Path(folder) / store.FOLDER / store.shards(name)


def _make_room(folder: Path, name: str, target: Path, new: Path) -> None:
    store.remove(new)
    store.make_way(folder, name)
    store.remove(target)


def _is_own(path: Path) -> bool:
    """Return whether this process wrote a file of the folder."""
    rank = distributed.rank()
    return path.name.startswith(f'__{rank}_') or (path.name == '.metadata' and rank == 0)


def model_digests(model: nn.Module) -> dict[str, Tensor]:
    """Return what checkpoint.weights_digest takes for a divided model. All processes together.

    It is {'digest of rank 0': (32,) uint8 tensor, …}.
    """
    return _digests(distributed.all_gather(weights(model.state_dict())))


def weights(model_state: dict[str, Any]) -> str:
    """Return the SHA-256 of this process's part of a model's state_dict."""
    return checkpoint.weights_digest({name: _local(value) for name, value in model_state.items()})


def _digests(digests: list[str]) -> dict[str, Tensor]:
    return {
        f'{DIGEST}{rank}': torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8)
        for rank, digest in enumerate(digests)
    }


def load_sharded(
    folder: Path, name: str, tree: dict[str, Any], whole: bool = False
) -> dict[str, Any]:
    """Return the state of which `save_sharded` returned `tree`, with its tensors.

    They are divided as this process has them now, or whole where nothing is divided. whole: they
    are whole in any case. Raises ValueError where they were saved whole, and checkpoint.Damaged if
    the folder's .metadata is not what torch writes. checkpoint.load has compared the digests.
    """
    mesh = None if whole else distributed.device_mesh
    if SHARDS not in tree:
        if mesh is not None:
            raise ValueError(
                f'{name} holds whole weights, and this model is divided (shard in config.py): '
                'go on with --nproc 1, or without shard'
            )
        return tree
    from torch.distributed import checkpoint as torch_checkpoint

    _check_metadata(folder, name)
    divided: dict[str, Tensor] = {}
    rest = {part: value for part, value in tree.items() if part != SHARDS}
    state = _insert(rest, divided, mesh)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that no process waits for another is meant
        torch_checkpoint.load(divided, checkpoint_id=_folder(folder, name), no_dist=True)
    return state


def _check_metadata(folder: Path, name: str) -> None:
    try:
        with safe_read.open_file(_folder(folder, name) / '.metadata') as file:
            _Metadata(file).load()
    except Exception as error:  # of a planted pickle, any
        raise checkpoint.Damaged(f'{name} is damaged: {error}') from None


def _extract(value: Any, divided: dict[str, Tensor], name: str) -> Any:
    """Return `value` with its name, shape and type for each divided tensor, put into `divided`."""
    if _is_divided(value):
        divided[name] = value.detach()
        dtype = str(value.dtype).removeprefix('torch.')
        return {KEY: name, 'shape': list(value.shape), 'dtype': dtype}
    if type(value) in (dict, OrderedDict):
        return {key: _extract(item, divided, f'{name}.{key}') for key, item in value.items()}
    if type(value) in (list, tuple):  # a subclass stays itself, for values.py to refuse
        items = (_extract(item, divided, f'{name}.{index}') for index, item in enumerate(value))
        return type(value)(items)
    return value


def _insert(value: Any, divided: dict[str, Tensor], mesh: Any) -> Any:
    """Return the inverse, with empty tensors, which are in `divided` too, for torch to fill."""
    if isinstance(value, dict) and KEY in value and 'shape' in value:
        divided[value[KEY]] = _empty(value['shape'], getattr(torch, value['dtype']), mesh)
        return divided[value[KEY]]
    if type(value) in (dict, OrderedDict):
        return {
            key: _insert(item, divided, mesh)
            for key, item in value.items()
            if not str(key).startswith(DIGEST)
        }
    if type(value) in (list, tuple):
        return type(value)(_insert(item, divided, mesh) for item in value)
    return value


def _empty(shape: list[int], dtype: torch.dtype, mesh: Any) -> Tensor:
    if mesh is None:
        return torch.zeros(shape, dtype=dtype)
    from torch.distributed.tensor import Shard, zeros

    return zeros(shape, dtype=dtype, device_mesh=mesh, placements=[Shard(0)])


def _is_divided(value: Any) -> bool:
    return torch.is_tensor(value) and hasattr(value, 'to_local')


def _local(value: Any) -> Any:
    return value.to_local() if _is_divided(value) else value


class _Metadata(pickle.Unpickler):
    """Takes no name but those of torch's own description of a checkpoint: a pickle can name any
    function, and have it called.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        value = None
        if module == 'torch':
            value = getattr(torch, name, None)
        elif module in METADATA:
            value = super().find_class(module, name)
        is_its_own_class = isinstance(value, type) and value.__module__ == module
        if isinstance(value, torch.dtype) or is_its_own_class:
            return value
        raise pickle.UnpicklingError(f'its .metadata names {module}.{name}')
