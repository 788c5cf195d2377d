"""A training that is cut short, saved often, or killed at a given step: for `run --fast` and
`tagrun selftest`, which write it into run.json.

    "fast": 3               three batches of each phase, and two epochs; where `resume` is set, too,
                            a load of what such a training saved, and a comparison
    "selftest": {"args": {"num_workers": 2}, "batches": 40, "save": 7, "kill": [1, 72, "val", 2]}

The second one is: these arguments instead of config.py's, 40 batches of each phase, a save after
each seventh and after the first two of an evaluation, and a kill in the second epoch, after 72
training steps in all and two batches of `val`. Each key may be missing. A selftest's training notes
what store/selftest_notes.py has.
"""

import gc
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch.utils.data import DataLoader

from tagrun.store import selftest_notes
from tagrun.training import checkpoint, comparison, distributed, state_parts, unsaved, values
from tagrun.training.loader import TRAIN
from tagrun.training.report import info as say

FAST_EPOCHS = 2
SHOWN = 5  # parts of the state that a message names
EVALUATION_SAVES = 2  # in each phase that does not train
LOOKS = 8  # at the attributes of modules, besides one at each epoch's end


class ShortRun:
    """What run.json says of this training; without either key all of it does nothing."""

    def __init__(self, info: dict[str, Any], args: SimpleNamespace, folder: Path) -> None:
        """Change `args` to what run.json says. info: its content. folder: the run's."""
        self._folder, limits = folder, info.get('selftest', {})
        if info.get('fast'):
            epochs = FAST_EPOCHS if args.epochs is None else min(args.epochs, FAST_EPOCHS)
            limits = {'args': {'epochs': epochs}, 'batches': info['fast']}
        vars(args).update(limits.get('args', {}))
        self._is_fast, self._epochs = bool(info.get('fast')), args.epochs
        self._arrays: set[comparison.Keys] = set()  # of NumPy, that the state began with
        self._batches: int | None = limits.get('batches')
        self._save: int | None = limits.get('save')
        self._kill: list[Any] | None = limits.get('kill')
        self._notes = _Notes(folder) if 'selftest' in info else None

    def begin(self, state: Any, saved: dict[str, Any]) -> None:
        """Compare the state with the checkpoint that was loaded into it, if one was.

        saved: the checkpoint, or {}. Raises ValueError, with its path, for what did not come back.
        """
        if not self._is_fast or distributed.rank() or state_parts.is_sharded(state):
            return
        if not saved:
            self._arrays = comparison.array_paths(_contents(state))
            return
        # a second time, for the first one went into the state
        content = checkpoint.load(self._folder, saved['name'])['state']
        loaded = values.copied(state.state_dict())
        lost = list(comparison.differences(content, loaded))
        if lost:
            raise ValueError(
                f'{"; ".join(lost[:SHOWN])}. A run that is interrupted would go on with that: '
                'state_dict and load_state_dict must agree'
            )
        say(f'{saved["name"]} was loaded by a new process: the state came back as saved')

    def end_epoch(self, state: Any) -> None:
        """Say at the end of a quick trial which arrays a load would give back as tensors."""
        if not self._is_fast or state.epoch < self._epochs or distributed.rank():
            return
        new = comparison.array_paths(_contents(state)) - self._arrays
        for keys in sorted(new, key=str)[:SHOWN]:
            say(
                f'tagrun: {values.path("state", keys)} is an array of NumPy that came onto the '
                'state after the start, so a load gives it back as a tensor: make it in '
                'State.__init__, or keep a tensor'
            )

    def left(self, state: Any, most: int = 0) -> int | None:
        """Return how many batches of this phase may still come; None: all.

        most: how many the phase has at most in a whole training; 0: all.
        """
        limits = [limit for limit in (self._batches, most) if limit]
        return max(0, min(limits) - state.batch) if limits else None

    def save_due(self, state: Any) -> bool:
        """Return whether the run is to be saved after this batch."""
        if self._save is None:
            return False
        is_evaluation = state.phase != TRAIN
        is_first = is_evaluation and state.batch <= EVALUATION_SAVES
        return is_first or state.batch % self._save == 0

    def moment(self, state: Any) -> None:
        """Note this moment, after a batch or at an epoch's end; kill the process if it is the one.

        From inside a SIGKILL is exact; to the kernel and the files it is one from outside.
        """
        if self._notes is None:
            return
        moment = [state.epoch, state.step, state.phase, state.batch]
        self._notes.add(moment, state)
        if self._kill == moment:
            os.kill(os.getpid(), signal.SIGKILL)


def _contents(state: Any) -> dict[str, Any]:
    """Return the attributes that are saved as they are, without the objects with a state_dict."""
    attributes = getattr(state, '__dict__', {})
    return {key: value for key, value in attributes.items() if not hasattr(value, 'state_dict')}


class _Notes:
    """Collects what selftest.json has; writes it at each epoch's end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._moments: list[list[Any]] = []
        self._workers: list[int] = []
        self._changing = unsaved.Changing()

    def add(self, moment: list[Any], state: Any) -> None:
        """Add a moment of the training: [epochs, steps, phase, batch]."""
        if not self._moments or self._moments[-1][2] != moment[2]:
            self._workers = max(self._workers, _worker_counts(), key=len)
        self._moments.append(moment)
        if moment[2] is None or len(self._moments) <= LOOKS:
            self._changing.look(state)
        if moment[2] is None:
            self._write(state)

    def _write(self, state: Any) -> None:
        lost = [item._asdict() for item in unsaved.find(state)]
        content = {
            'moments': self._moments,
            'workers': self._workers,
            'unsaved': lost,
            'changing': self._changing.names,
        }
        selftest_notes.write(self._folder, content)


def _worker_counts() -> list[int]:
    """Return the number of data workers of each DataLoader of this process, whoever holds it."""
    loaders = [item for item in gc.get_objects() if issubclass(type(item), DataLoader)]
    return sorted(loader.num_workers for loader in loaders)
