"""A recorded run, in Python: what came out of it, and its model.

    run = LoadedRun(root, RunRef('first', 0))
    run.model(x); run.history; run.loaders()['test']

What it has is read when it is first asked for, and then stays: load the run again for newer values.
"""

import os
from functools import cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from tagrun.core.cli.messages import UserError, did_you_mean, figure
from tagrun.extra.loading import checkpoint_file, restored, run_arguments, run_code, run_tables
from tagrun.extra.loading.checkpoint_file import Checkpoint
from tagrun.extra.loading.frozen_import import FrozenCode
from tagrun.extra.loading.surroundings import as_in_training
from tagrun.store import run_json, statistic
from tagrun.store.run_ref import RunRef

if TYPE_CHECKING:
    from pandas import DataFrame


class LoadedRun:
    """A run of this project.

    root: the project's folder. ref: which run. file: the checkpoint of its weights; None: the best,
    or else the last.
    """

    def __init__(self, root: Path, ref: RunRef, file: str | None = None) -> None:
        self.root, self.ref = root, ref
        self.folder = ref.folder(root)
        self._file = file

    def __repr__(self) -> str:
        content = statistic.read_or_none(self.folder)
        if content is None:
            return f'{self.ref}: nothing was trained'
        words = [str(content['status'])]
        progress = statistic.progress(content)
        if progress:
            words.append(f'epoch {progress}')
        monitor = content.get('monitor')
        value = content['metric'].get(monitor) if isinstance(monitor, str) else None
        if isinstance(value, (int, float)):
            words.append(f'{monitor} {figure(value)} at epoch {content.get("best_epoch")}')
        if content.get('commit'):
            words.append(f'commit {str(content["commit"])[:10]}')
        return f'{self.ref}: {", ".join(words)}'

    # --- what came out ---

    @cached_property
    def statistic(self) -> dict[str, Any]:
        """The content of statistic.json: status, metrics, arguments, digests."""
        try:
            return statistic.read(self.folder)
        except (OSError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or error
            raise UserError(f'{self.ref}: {statistic.NAME} cannot be read: {reason}') from None

    @property
    def commit(self) -> str | None:
        """The commit that ran; None of a run by hand."""
        info = run_json.read_or_none(self.folder) or {}
        return info.get('commit')

    @cached_property
    def history(self) -> 'DataFrame':
        """A data frame with a row for each epoch: every metric, learning rates, seconds."""
        return run_tables.history(self.folder)

    @cached_property
    def trace(self) -> 'DataFrame':
        """A data frame with a row for each training step: the loss, digests of order and batch."""
        return run_tables.trace(self.folder)

    # --- its code ---

    @cached_property
    def code(self) -> FrozenCode:
        """The run's own code; code.folder is where it lies."""
        return run_code.of_run(self.root, self.ref)

    def module(self, name: str) -> ModuleType:
        """Return a module of the run's own code, e.g. run.module('epoch')."""
        with as_in_training(self.root, self.args.seed):
            return self.code.module(name)

    @cached_property
    def args(self) -> SimpleNamespace:
        """The arguments as they were trained, and the seed."""
        return run_arguments.of_run(self.code, self.root, self.statistic)

    def loaders(self, **changes: Any) -> Any:
        """Return what build_loaders of the run's dataloader.py returns.

        changes: other values of arguments, e.g. eval_batch_size=1. It is called in the project's
        folder; a data set that opens files later by relative paths needs os.chdir(run.root).
        """
        for name in changes:
            if not hasattr(self.args, name):
                hint = did_you_mean(name, vars(self.args))
                raise TypeError(f'{self.ref} has no argument {name!r}.{hint}')
        args = SimpleNamespace(**{**vars(self.args), **changes})
        with as_in_training(self.root, args.seed):
            loaders = self.code.module('dataloader').build_loaders(args)
        for loader in loaders.values() if isinstance(loaders, dict) else ():
            _fork_workers(loader)
        return loaders

    # --- its networks ---

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of its weights: file, sha256, content."""
        file = self._file or checkpoint_file.default(self.root, self.ref)
        return checkpoint_file.read(self.root, self.ref, file, self.code)

    @cached_property
    def model(self) -> Any:
        """The network with its weights, in evaluation mode, on the CPU.

        Raises UserError where the run has several and none is called model.
        """
        model = self.only_network()
        if model is None:
            names = [f'run.state.{name}' for name in restored.networks(self.state)]
            if names:
                raise UserError(f'{self.ref} has several networks: {", ".join(names)}')
            raise UserError(f'{self.ref} has no network: run.state has what it saved')
        return model

    def only_network(self) -> Any:
        """Return the network as `model` has it; None where there are several, or none."""
        model = restored.model(self.code, self.root, self.args, self.checkpoint)
        return restored.only_network(self.state) if model is None else model

    @cached_property
    def state(self) -> Any:
        """All that the run's state.py makes, restored, its networks in evaluation mode."""
        return restored.state(self.code, self.root, self.args, self.checkpoint)


def _fork_workers(loader: Any) -> None:
    """Have a DataLoader fork its workers: a new process could not import a run's modules."""
    from torch.utils.data import DataLoader

    if isinstance(loader, DataLoader) and loader.num_workers and hasattr(os, 'fork'):
        loader.multiprocessing_context = 'fork'
