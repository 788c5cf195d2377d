"""What the epochs so far came to: the history, the best epoch, whether to stop early.

    record.add({'train/loss': 0.3, 'val/acc': 0.9, 'lr': 0.01}, {'val/confusion': matrix}, seconds=1.2)

Joins the checkpoint by being on the state. It writes no file: run.py writes history.csv and statistic.json from it.
"""
import json
import math


class Record:
    def __init__(self, watch, mode, patience=0):
        if mode not in ('min', 'max'):
            raise ValueError(f"config.py: watch_mode is {mode!r}; 'min' or 'max'")
        self.watch, self.mode, self.patience = watch, mode, patience
        self.history = []           # one dict an epoch: epoch, metrics, lr, seconds
        self._texts = []            # each of them as JSON
        self.best_epoch = 0         # from 1; 0: none yet
        self.matrices = {}          # the best epoch's: {'val/confusion': (C, C) tensor}

    def add(self, numbers, matrices, seconds):
        """One epoch's metrics; True if it is the best so far. A NaN is never the best; the first of equals stays."""
        self.history.append({'epoch': len(self.history) + 1, **numbers, 'seconds': seconds})
        self._texts.append(json.dumps(self.history[-1]))
        better = self._better(numbers.get(self.watch))
        if better:
            self.best_epoch, self.matrices = len(self.history), matrices
        return better

    def _better(self, value):
        if value is None or math.isnan(value):
            return False
        if not self.best_epoch:
            return True
        best = self.at(self.best_epoch)[self.watch]
        return value > best if self.mode == 'max' else value < best

    def at(self, epoch):
        """An epoch's metrics: {'val/acc': …}; {} for epoch 0."""
        row = self.history[epoch - 1] if epoch else {}
        return {name: value for name, value in row.items() if '/' in name}

    def out_of_patience(self):
        return bool(self.patience) and len(self.history) - self.best_epoch >= self.patience

    def state_dict(self):
        """The history as one text: a checkpoint looks at each object in it, which for many epochs took longer than the weights."""
        return {'history': f'[{", ".join(self._texts)}]', 'best_epoch': self.best_epoch, 'matrices': self.matrices}

    def load_state_dict(self, state):
        self.history, self.best_epoch, self.matrices = json.loads(state['history']), state['best_epoch'], dict(state['matrices'])
        self._texts = [json.dumps(row) for row in self.history]
