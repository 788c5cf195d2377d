"""A run whose block is left, by an error or at its end, without a process of its own.

    run = Closed(folder, capfd, ValueError('my own check')); assert run.code == 1

`folder` is the fixture of tests/training/conftest.py.
"""

import json
import types

import torch

from tagrun.store import layout
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.group import Alone
from tagrun.training.output import Files
from tagrun.training.run import Run
from tagrun.training.signals import Stop

ARGS = types.SimpleNamespace(
    epochs=2,
    phases=('train', 'val'),
    keep_last=2,
    keep_every=0,
    stop_on_nan=True,
    monitor='val/acc',
    monitor_mode='max',
)
INFO = {'tag': 't1', 'id': 0, 'commit': 'c' * 40, 'seed': 1}


class Closed:
    """A run whose block was left: its output, exit code, status, screen and log."""

    def __init__(self, folder, capfd, error=None, signal_number=None, before=None):
        """before: called with the output, opened, when the block is left."""
        self.folder, self.output, self.code = folder, Files(folder), 0
        self.output.acquire(INFO)
        state = types.SimpleNamespace(
            model=torch.nn.Linear(1, 1),
            history=EpochHistory('val/acc', 'max'),
            epoch=0,
            phase=None,
            state_dict=dict,
        )
        try:
            self.output.open(ARGS, torch.device('cpu'), state, {'train': []}, {})
            self.output.report(state.history)
            self.output._background.submit(self.output._trace.sync)
            if before:
                before(self.output)
            self._leave(_run(folder, self.output, signal_number), error)
        finally:
            self.output._log.close()
            self.output._lock.release()
        self.screen = capfd.readouterr().err
        self.log = (folder / 'log').read_text()

    def _leave(self, run, error):
        try:
            with run:
                if error is not None:
                    raise error
        except SystemExit as exit:
            self.code = exit.code

    @property
    def statistic(self):
        return json.loads((self.folder / 'statistic.json').read_text())

    @property
    def finished(self):
        path = layout.list_file(self.folder.parents[2], 'finished')
        return path.read_text() if path.exists() else ''


def _run(folder, output, signal_number):
    """A Run that has begun, without the signal handlers of one."""
    stop = types.SimpleNamespace(signal=signal_number, begin_exit=lambda: None)
    stop.exception = lambda: Stop.exception(stop)
    run = object.__new__(Run)
    vars(run).update(folder=folder, args=ARGS, _history=None, _hook_failure='', _stop=stop)
    vars(run).update(_group=Alone(), _output=output)
    return run
