"""A training that is cut short, saved often, or ended in mid-air: for `run --fast` and `tagrun selftest`, which say so in run.json.

    trial = Trial(info, args)            # changes args: "selftest": {"args": {"epochs": 6, "workers": 2}, "batches": 40, …}
    trial.left(state)                    # batches of this phase that may still come; None: all
    trial.save_due(state)                # "save": 7 saves after each seventh batch of a phase
    trial.kill(state)                    # "kill": [1, 50] kills this process after one epoch and 50 training steps in all

"fast": 3 is three batches of each phase and two epochs. Without either key all of it does nothing.
"""
import os
import signal

FAST_EPOCHS = 2


class Trial:
    def __init__(self, info, args):
        self._told = info.get('selftest', {})
        if info.get('fast'):
            self._told = {'args': {'epochs': min(args.epochs, FAST_EPOCHS)}, 'batches': info['fast']}
        vars(args).update(self._told.get('args', {}))

    def left(self, state):
        return max(0, self._told['batches'] - state.batch) if 'batches' in self._told else None

    def save_due(self, state):
        return 'save' in self._told and state.batch % self._told['save'] == 0

    def kill(self, state):
        """kill -9, from inside: the moment is exact, and to the kernel and the files it is the same kill as from outside."""
        if self._told.get('kill') == [state.epoch, state.step]:
            os.kill(os.getpid(), signal.SIGKILL)
