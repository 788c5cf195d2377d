"""Short trainings of the code as it is in the work tree, for `tagrun selftest`.

    with SelftestRuns(repository, seed=4242, epochs=6, batches=40) as runs:
        untouched = runs.train()
        # killed after one epoch and 50 steps, and at the end of the second one
        moments = [[1, 50, 'train', 14], [2, 72, None, 0]]
        killed, moments = runs.train_killed(moments, save_every=6)

Each has a folder of its own, __result__/.selftest-…/<id>, which no command takes for a run and
which is deleted at the end. Nothing is written into git. The training itself cuts them short and
kills them, as run.json tells it. This module compares nothing.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tagrun.core.git.repository import Repository
from tagrun.core.launch import run_log, training_environment
from tagrun.core.record import code_check, frozen_copy, working_tree
from tagrun.store import atomic, checkpoints, layout, lock, run_json, safe_read, statistic

PREFIX = '.selftest-'

# [epochs, steps, phase, batches of it] that are done when a training is killed; the phase is None
# at an epoch's end
Moment = list[Any]


class TrainingFailed(Exception):
    """A training that ended badly by itself: why, in a line."""


class SelftestRuns:
    """The folder of a selftest's trainings; `is_kept` leaves it there at the end."""

    def __init__(self, repository: Repository, seed: int, epochs: int, batches: int) -> None:
        self.files = working_tree.read_files(repository)
        code_check.check(self.files)
        self.is_kept = False
        self.folder = Path()
        self.root: Path = repository.root
        self._seed = seed
        self._limits: dict[str, Any] = {'args': {'epochs': epochs}, 'batches': batches}
        self._lock: lock.Lock | None = None

    def __enter__(self) -> 'SelftestRuns':
        layout.result(self.root).mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=layout.result(self.root)))
        # `doctor` sees by it that the folder is in use
        self._lock = lock.Lock(self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock:
            self._lock.release()
        if not self.is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def train(self, **arguments: object) -> Path:
        """Train to the end, with other `arguments` than config.py's; return the folder.

        Raises TrainingFailed.
        """
        args = {**self._limits['args'], **arguments}
        folder, info = self._new({**self._limits, 'args': args})
        _check(self._train_once(folder, info), folder)
        return folder

    def train_killed(self, moments: list[Moment], save_every: int) -> tuple[Path, list[Moment]]:
        """Train, killed with -9 at each moment and continued; return (folder, moments it reached).

        moments: in their order. save_every: so many batches. Raises TrainingFailed.
        """
        folder, info = self._new(self._limits)
        kills = 0
        for moment in [*moments, None]:
            limits = {**self._limits, 'save': save_every, 'kill': moment}
            info = {**info, 'resume': checkpoints.newest(folder), 'selftest': limits}
            code = self._train_once(folder, info)
            if code != -signal.SIGKILL:
                break
            kills += 1
        _check(code, folder)
        return folder, moments[:kills]

    def _new(self, limits: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        tag = self.folder.name
        number, folder = layout.claim(self.root, tag)
        frozen_copy.write(self.files, folder)
        info = run_json.build(self.root, tag, number, None, self._seed, selftest=limits)
        return folder, info

    def _train_once(self, folder: Path, info: dict[str, Any]) -> int:
        """Run one training process to its end; return its exit code. It prints into the log."""
        run_json.write(folder, info)
        environ = training_environment.build(os.environ, self._seed)
        with open(atomic.open_to_append(folder / 'log'), 'ab') as log:
            child = subprocess.Popen(
                [sys.executable, '-u', folder / 'code' / 'main.py'],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environ, run_json.ENVIRONMENT: str(folder)},
            )
        try:
            return child.wait()
        finally:
            child.kill()
            child.wait()


def _check(code: int, folder: Path) -> None:
    """Raise TrainingFailed, with the reason that the training gave, if it did not end well."""
    if code < 0:
        raise TrainingFailed(f'ended by {signal.Signals(-code).name}')
    if code:
        raise TrainingFailed(_reason(folder) or f'ended with exit code {code}')


def _reason(folder: Path) -> str | None:
    """Return why a training failed: its message, or else the last line of its log."""
    try:
        message = statistic.read(folder).get('message')
    except (OSError, ValueError):
        message = None
    lines = (safe_read.read_or_none(folder / 'log') or b'').decode(errors='replace').split('\n')
    last = next(filter(str.strip, reversed(lines)), None)
    return message or (last and run_log.without_time(last))
