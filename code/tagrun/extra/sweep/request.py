"""What somebody asks of a sweep: the values that `sweep` takes from its command line.

    request = SweepRequest('nets', ('model=mlp,cnn', 'lr=0.1,0.01'), seeds=3)
    request.space(config)                 # {'model': Parameter(…), 'lr': Parameter(…)}
    request.command()                     # 'sweep nets model=mlp,cnn lr=0.1,0.01 --seeds 3'

How the runs are trained (in the background, on an engine) is not part of it: that is LaunchOptions.
"""

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, printable
from tagrun.core.record.plan import NO_INPUTS, RunRequest
from tagrun.extra.sweep import space
from tagrun.extra.sweep.space import Parameter

COMMAND = 'sweep'


class SweepRequest(NamedTuple):
    """The options of `sweep`, each with the value that leaves it out."""

    tag: str
    values: tuple[str, ...] = ()  # 'lr=0.1,0.01', as typed
    message: str = ''  # why, for the tag's message
    fixed: bool = False  # the first seed is that of code/seed
    clean: bool = False  # refuse uncommitted changes
    weights: str = ''  # 'pre/0:best' or a file: what each trial begins with
    inputs: Mapping[str, Any] = NO_INPUTS  # … as run.json has it
    seeds: int = 1  # of each trial
    vary: str = ''  # 'fast.patch,branch:other'
    search: str | None = None  # 'random' or 'tpe'; None takes all combinations
    trials: int = 0  # that a search chooses
    metric: str | None = None  # None: the one that config.py monitors
    prune: str | None = None  # 'median' or 'hyperband'
    jobs: int | None = None  # at once; None: one, or one for each GPU
    retry_failed: bool = False

    @property
    def variants(self) -> list[str]:
        """Return the words of --vary; [''] where there are none."""
        return self.vary.split(',')

    def run_request(self) -> RunRequest:
        """Return what is to be recorded for the sweep's tag."""
        more = {'fixed': self.fixed, 'clean': self.clean, 'inputs': self.inputs}
        return RunRequest(self.tag, message=self.message, **more)

    def space(self, config: str) -> dict[str, Parameter]:
        """Return {argument: its values}, checked against config.py's text. Raises UserError."""
        parameters = space.parse(self.values, config)
        if not parameters and not self.vary:
            raise UserError('values are needed, e.g. lr=0.1,0.01', code=2)
        if self.search and not parameters:
            raise UserError('a search needs arguments to choose, e.g. lr=log(1e-4,1e-1)', code=2)
        if not self.search:
            space.combinations(parameters)
        return parameters

    def command(self) -> str:
        """Return the command as one can type it again, without what changes no result."""
        words = [COMMAND, self.tag, *self.values]
        for option, value in (
            ('--seeds', self.seeds if self.seeds > 1 else 0),
            ('--weights-from', self.weights),
            ('--vary', self.vary),
            ('--search', self.search),
            ('--trials', self.trials),
            ('--metric', self.metric),
            ('--prune', self.prune),
        ):
            if value:
                words += [option, str(value)]
        return printable(shlex.join(words))
