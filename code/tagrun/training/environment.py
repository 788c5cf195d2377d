"""environment.json: what a result may depend on besides code, config and seed.

    record(folder, device, loaders)

By allow-list: of the environment variables only PYTHONHASHSEED, and no path, no host or user name,
no URL is ever read into it.
"""

import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from tagrun.store import fingerprint, jsonfile, run_json
from tagrun.training import distributed, seeding
from tagrun.training.fingerprint import fingerprints

NAME = 'environment.json'
VERSION = Path(__file__).resolve().parents[1] / 'VERSION'  # of this copy of Tagrun
# as Python started with it: a script that sets it later changes no hash
STARTED_WITH = None if sys.flags.ignore_environment else os.environ.get(seeding.HASH_SEED)


def record(folder: Path, device: torch.device, loaders: Mapping[str, Any]) -> None:
    """Write it at a run's first start. Later, print what differs from then."""
    seed = (run_json.read_or_none(folder) or {}).get('seed')
    changed = write(folder, collect(device, loaders, seed))
    if changed:
        print(
            f'tagrun: not as at the first start of this run: {", ".join(changed)}; the '
            'same bits are not promised',
            file=sys.stderr,
        )


def collect(
    device: torch.device, loaders: Mapping[str, Any], seed: int | None = None
) -> dict[str, Any]:
    """Return everything comparable about the surroundings, as plain values. seed: the run's."""
    cuda = device.type == 'cuda'
    return {
        'tagrun': _version(),
        'python': platform.python_version(),
        'torch': torch.__version__,
        'system': f'{platform.system()} {platform.machine()}',
        'cpu': _cpu(),
        'cpu_capability': torch.backends.cpu.get_cpu_capability(),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'device': device.type,
        'world_size': distributed.size(),
        'gpu': _gpus() if cuda else [],
        'cuda': torch.version.cuda if cuda else None,
        'cudnn': torch.backends.cudnn.version() if cuda else None,
        'driver': _driver() if cuda else None,
        'determinism': _determinism(),
        'string_hashes': _string_hashes(seed),
        'data': fingerprints(loaders),
        'packages': _packages(),
    }


def write(folder: Path, content: dict[str, Any]) -> list[str]:
    """Write it, keeping what an earlier start of this run wrote.

    Returns the names of what changed since then.
    """
    path = Path(folder) / NAME
    try:
        before = jsonfile.read(path)
    except (OSError, ValueError):
        jsonfile.write(path, content)
        return []
    return [name for name in content if _changed(name, before.get(name), content[name])]


def _changed(name: str, before: Any, now: Any) -> bool:
    if name != 'data' or not isinstance(before, Mapping) or before.keys() != now.keys():
        return bool(before != now)
    return any(fingerprint.differs(before[phase], now[phase]) for phase in now)


def _determinism() -> dict[str, Any]:
    """Return what torch is set to, whoever set it."""
    levels = ('default', 'warn', 'error')
    return {
        'algorithms': levels[torch.get_deterministic_debug_mode()],
        'cudnn_benchmark': torch.backends.cudnn.benchmark,
        'cudnn_deterministic': torch.backends.cudnn.deterministic,
        'matmul_precision': torch.get_float32_matmul_precision(),
    }


def _string_hashes(seed: int | None) -> dict[str, Any]:
    """Return whether the hashes of strings follow from the run's seed, and Python's own variable.

    Without them the order of a set of strings is another one in each process.
    """
    is_seeded = seed is not None and str(seed % 2**32) == STARTED_WITH
    return {'seeded': is_seeded, seeding.HASH_SEED: STARTED_WITH}


def _version() -> str | None:
    """Return Tagrun's version; None where the file is absent."""
    try:
        return VERSION.read_text().strip()
    except (OSError, ValueError):
        return None


def _packages() -> dict[str, str]:
    """Return {name: version} of what is installed, in the order of the names."""
    packages = {}
    for item in metadata.distributions():
        name = item.metadata['Name']
        if name:
            packages[name] = item.version
    return dict(sorted(packages.items(), key=lambda pair: pair[0].lower()))


def _cpu() -> str:
    """Return the processor's name; only Linux has a file with it."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        return next(
            line.partition(':')[2].strip() for line in lines if line.startswith('model name')
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _driver() -> str | None:
    """Return the NVIDIA driver's version, from the kernel's file; None where there is none."""
    try:
        words = Path('/proc/driver/nvidia/version').read_text().split()
        return next(word for word in words if word[:1].isdigit() and '.' in word)
    except (OSError, StopIteration):
        return None
