"""Make the environment variables of a training, from those of the user's shell or notebook.

    Popen([sys.executable, '-u', main], env=training_environment.build(os.environ, info['seed']))

The seed decides the string hashes, and text is UTF-8. What was set for Python, matplotlib or
torchrun elsewhere is removed, for it could change or break a run. All else is the user's and stays:
PATH, PYTHONPATH, CUDA_VISIBLE_DEVICES, OMP_NUM_THREADS, proxies, HF_HOME, TAGRUN_NODES, ….

It imports nothing of ours: an engine sends it to other machines as text.
"""

import os
from collections.abc import Mapping

REMOVED = frozenset(
    {
        # they change how Python runs main.py, or what it prints
        'PYTHONSAFEPATH',
        'PYTHONWARNINGS',
        'PYTHONOPTIMIZE',
        'PYTHONINSPECT',
        'PYTHONSTARTUP',
        'PYTHONIOENCODING',
        # torchrun's, of a training around this one; each training sets its own
        'RANK',
        'WORLD_SIZE',
        'LOCAL_RANK',
        'LOCAL_WORLD_SIZE',
        'GROUP_RANK',
        'GROUP_WORLD_SIZE',
        'ROLE_RANK',
        'ROLE_NAME',
        'ROLE_WORLD_SIZE',
        'MASTER_ADDR',
        'MASTER_PORT',
        # training/distributed.py's, of the same
        'TAGRUN_RANKS',
        # store/lock.py's, of the same
        'TAGRUN_LOCK',
    }
)
PREFIXES = ('TORCHELASTIC_', 'PET_')
TEMPORARY = ('TMPDIR', 'TEMP', 'TMP')  # in Python's order
DEFAULTS = ('/tmp', '/var/tmp', '/usr/tmp')
# A data worker's socket is in a folder of its own there: 32 bytes more. A path of a unix socket
# has at most 103 bytes on macOS and 107 on Linux.
LONGEST = 60


def build(environ: Mapping[str, str], seed: int) -> dict[str, str]:
    """Return the environment of a training with this seed; TAGRUN_RUN is not in it yet."""
    variables = {name: value for name, value in environ.items() if not _is_removed(name)}
    variables['PYTHONHASHSEED'] = str(seed % 2**32)
    variables['PYTHONUTF8'] = '1'
    variables['MPLBACKEND'] = 'Agg'
    _set_temporary_folder(variables)
    return variables


def _is_removed(name: str) -> bool:
    return name in REMOVED or name.startswith(PREFIXES)


def _set_temporary_folder(variables: dict[str, str]) -> None:
    """Replace a temporary folder that training cannot use by the system's.

    Without any other folder, the user's stays.
    """
    unusable = [name for name in TEMPORARY if name in variables and not _is_usable(variables[name])]
    default = next((folder for folder in DEFAULTS if _is_usable(folder)), None)
    if default:
        variables.update(dict.fromkeys(unusable, default))


def _is_usable(folder: str) -> bool:
    """Return whether its path is absolute and short, and the folder can be written."""
    is_short = len(os.fsencode(folder)) <= LONGEST
    return (
        is_short
        and os.path.isabs(folder)
        and os.path.isdir(folder)
        and os.access(folder, os.W_OK | os.X_OK)
    )
