"""environment.json: what a result may depend on besides code, config and seed.

    write(folder, device, loaders)

By allow-list: no environment variable, no path, no host or user name, no URL is ever read into it.
"""
import os
import platform
import zlib
from importlib import metadata
from pathlib import Path

import torch

from tagrun.store import jsonfile
from tagrun.training import distributed, seeding
from tagrun.training.trace import batch_digest

NAME = 'environment.json'
SAMPLES = 16  # of each phase's dataset that its fingerprint reads


def collect(device, loaders):
    """Everything comparable about the surroundings, as a dict of plain values."""
    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        'system': f'{platform.system()} {platform.machine()}',
        'cpu': _cpu(),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'device': device.type,
        'world_size': distributed.size(),
        'gpu': _gpus() if device.type == 'cuda' else [],
        'cuda': torch.version.cuda if device.type == 'cuda' else None,
        'cudnn': torch.backends.cudnn.version() if device.type == 'cuda' else None,
        'driver': _driver() if device.type == 'cuda' else None,
        'data': {phase: _fingerprint(loader) for phase, loader in loaders.items()},
        'packages': dict(sorted({item.metadata['Name']: item.version for item in metadata.distributions()
                                 if item.metadata['Name']}.items(), key=lambda pair: pair[0].lower())),
    }


def write(folder, content):
    """Write it, keeping what an earlier start of this run wrote. Returns the names of what changed since then."""
    path = Path(folder) / NAME
    try:
        before = jsonfile.read(path)
    except (OSError, ValueError):
        jsonfile.write(path, content)
        return []
    return [name for name, value in content.items() if before.get(name) != value]


def _cpu():
    """The processor's name; Linux alone tells it in a file."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        return next(line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _gpus():
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _driver():
    """The NVIDIA driver's version, from the kernel's file; None where there is none."""
    try:
        return next(word for word in Path('/proc/driver/nvidia/version').read_text().split() if word[:1].isdigit() and '.' in word)
    except (OSError, StopIteration):
        return None


def _fingerprint(loader):
    """{'samples': n, 'digest': …} of a map-style dataset: its size and a CRC-32 of SAMPLES samples spread over it.

    A changed sample between those is not noticed. None for what cannot be read by index.
    """
    dataset = getattr(loader, 'dataset', None)
    dataset = getattr(dataset, 'dataset', dataset)  # behind a Loader's keys
    # torch gives an IterableDataset a __getitem__ that only raises
    if isinstance(dataset, torch.utils.data.IterableDataset) or not hasattr(dataset, '__getitem__') or not hasattr(dataset, '__len__'):
        return None
    count, kept = len(dataset), seeding.random_state()
    seeding.seed_everything(0)  # the same augmentation each time
    samples = [dataset[index] for index in sorted({count * part // SAMPLES for part in range(SAMPLES)}) if count]
    seeding.restore(kept)
    digest = zlib.crc32(repr([[batch_digest(sample), _plain(sample)] for sample in samples]).encode())
    return {'samples': count, 'digest': f'{digest:08x}'}


def _plain(sample):
    """The numbers and strings of a sample that are no tensor: labels, mostly."""
    parts = sample.values() if isinstance(sample, dict) else sample if isinstance(sample, (list, tuple)) else [sample]
    return [part for part in parts if isinstance(part, (int, float, str, bool))]
