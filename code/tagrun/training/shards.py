"""What of a checkpoint is divided over several processes (FSDP2): each writes its own part, through torch.distributed.checkpoint.

    tree = put(folder, 'epoch_3.pth', state.state_dict())       # all processes together; goes into epoch_3.pth in the state's place
    state.load_state_dict(filled(folder, 'epoch_3.pth', tree))  # by any number of processes, one among them

The parts lie in epoch_3.shards/ beside epoch_3.pth, which has all else and the SHA-256 of each of their files: what SHA256SUMS says of it holds
for them too. Training waits while they are written. Their .metadata is a pickle: one that names anything but its own classes is refused.
"""
import os
import pickle
import shutil
from pathlib import Path

import torch

from tagrun.store import atomic
from tagrun.store import checkpoints as store
from tagrun.training import checkpoint, distributed

KEY, SHARDS = 'shard', 'shards'     # of a tensor that is in the folder; of the folder's files
DIGEST = 'digest of rank '
METADATA = 'torch.distributed.checkpoint.metadata', 'torch.distributed.checkpoint.filesystem'


def put(folder, name, state):
    """Write what of `state` is divided; returns `state` with, instead of it, where it is. The whole of it is on disk then."""
    from torch.distributed import checkpoint as torch_checkpoint
    divided, place = {}, Path(folder) / store.FOLDER / store.shards(name)
    tree = _taken(state, divided, '')
    new = place.with_name(f'.{place.name}.tmp')
    if distributed.rank() == 0:
        shutil.rmtree(new, ignore_errors=True)
        sums = store.listed(folder)
        if sums.pop(name, None):        # the same name again: until the new one is whole there is none
            store.write_sums(folder, sums)
        shutil.rmtree(place, ignore_errors=True)
    distributed.told(None)
    torch_checkpoint.save(divided, checkpoint_id=new)
    own = [path for path in new.iterdir() if path.name.startswith(f'__{distributed.rank()}_') or path.name == '.metadata' and not distributed.rank()]
    parts = distributed.gathered(({path.name: store.digest(path) for path in own}, weights(state['model'])))
    if distributed.rank() == 0:
        atomic.sync_folder(new)
        os.replace(new, place)
        atomic.sync_folder(place.parent)
    tree[SHARDS] = {file: digest for files, _ in parts for file, digest in files.items()}
    tree['model'].update(_digests([digest for _, digest in parts]))
    return tree


def model_digests(model):
    """What checkpoint.weights_digest takes for a divided model: {'digest of rank 0': (32,) uint8 tensor, …}. All processes together."""
    return _digests(distributed.gathered(weights(model.state_dict())))


def weights(model_state):
    """SHA-256 of this process's part of a model's state_dict."""
    return checkpoint.weights_digest({name: _local(value) for name, value in model_state.items()})


def _digests(digests):
    return {f'{DIGEST}{rank}': torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8) for rank, digest in enumerate(digests)}


def filled(folder, name, tree):
    """A state that `put` returned, with its tensors: divided as this process has them now, or whole where nothing is divided.

    Raises ValueError where they were saved whole, and checkpoint.Damaged if the folder's .metadata is not what torch writes.
    The digests checkpoint.load has checked.
    """
    if SHARDS not in tree and distributed.Mesh.mesh is not None:
        raise ValueError(f'{name} holds whole weights, and this model is divided (shard in config.py): go on with --nproc 1, or without shard')
    if SHARDS not in tree:
        return tree
    import warnings

    from torch.distributed import checkpoint as torch_checkpoint
    place, divided = Path(folder) / store.FOLDER / store.shards(name), {}
    try:
        with open(place / '.metadata', 'rb') as file:
            _Metadata(file).load()
    except Exception as error:      # of a planted pickle, any
        raise checkpoint.Damaged(f'{name} is damaged: {error}') from None
    tree = _put_back({part: value for part, value in tree.items() if part != SHARDS}, divided)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')         # that no process waits for another is meant
        torch_checkpoint.load(divided, checkpoint_id=place, no_dist=True)
    return tree


def _taken(value, divided, name):
    """`value` with each divided tensor put into `divided` and replaced by its name, shape and type."""
    if _is_divided(value):
        divided[name] = value.detach()
        return {KEY: name, 'shape': list(value.shape), 'dtype': str(value.dtype).removeprefix('torch.')}
    if isinstance(value, dict):
        return {key: _taken(item, divided, f'{name}.{key}') for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_taken(item, divided, f'{name}.{index}') for index, item in enumerate(value))
    return value


def _put_back(value, divided):
    """The inverse, with empty tensors, which are in `divided` too, for torch to fill."""
    if isinstance(value, dict) and KEY in value and 'shape' in value:
        divided[value[KEY]] = _empty(value['shape'], getattr(torch, value['dtype']))
        return divided[value[KEY]]
    if isinstance(value, dict):
        return {key: _put_back(item, divided) for key, item in value.items() if not str(key).startswith(DIGEST)}
    if isinstance(value, (list, tuple)):
        return type(value)(_put_back(item, divided) for item in value)
    return value


def _empty(shape, dtype):
    if distributed.Mesh.mesh is None:
        return torch.zeros(shape, dtype=dtype)
    from torch.distributed.tensor import Shard, zeros
    return zeros(shape, dtype=dtype, device_mesh=distributed.Mesh.mesh, placements=[Shard(0)])


def _is_divided(value):
    return torch.is_tensor(value) and hasattr(value, 'to_local')


def _local(value):
    return value.to_local() if _is_divided(value) else value


class _Metadata(pickle.Unpickler):
    """Takes no name but those of torch's own description of a checkpoint: a pickle can name any function, and have it called."""

    def find_class(self, module, name):
        if (module, name) in (('torch.serialization', '_get_layout'), ('torch', 'Size'), ('pathlib', 'PosixPath'), ('collections', 'OrderedDict')):
            return super().find_class(module, name)
        found = getattr(torch, name, None) if module == 'torch' else super().find_class(module, name) if module in METADATA else None
        if isinstance(found, torch.dtype) or isinstance(found, type) and found.__module__ == module:
            return found
        raise pickle.UnpicklingError(f'its .metadata names {module}.{name}')
