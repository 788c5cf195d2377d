"""What Slurm runs for a run: `tagrun continue <tag>/<id>`; it requeues the job where Slurm took
the machine away.

    Job([python, 'code/tagrun', 'continue', 't1/0'], root, run_folder)()     # submitit calls it

The warning (SIGUSR1 before the time is up or before preemption) and SIGTERM reach training, which
saves and ends. Then the job is requeued, and goes on as the same run where it stood. A job that was
cancelled, or whose training ended by itself, is not requeued. On several nodes the first does all
this, and each other one starts training's processes there; training/distributed.py joins them.
submitit sends this file to the node as text: it imports nothing of ours.
"""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping

ASKING = (signal.SIGUSR1, signal.SIGTERM)
# where the nodes of a job meet: a port of its own, unless 20,000 others came between
FIRST_PORT, PORTS = 20000, 20000
# not CANCELLED; and PENDING where Slurm has requeued it by itself
TAKEN_AWAY = ('RUNNING', 'TIMEOUT')


class Job:
    """The training of a run, on a node of the cluster.

    clean: gives a further node's training its environment, made from the node's own. On the first
    node the launcher does that.
    """

    def __init__(
        self,
        words: list[str],
        root: str,
        folder: str,
        clean: Callable[[Mapping[str, str]], dict[str, str]] = dict,
    ):
        self.words, self.root, self.folder, self.clean = words, root, folder, clean

    def __call__(self) -> None:
        """Train, and end the process with training's exit code."""
        signals: list[int] = []
        for number in ASKING:
            signal.signal(number, lambda number, _: signals.append(number))
        child = subprocess.Popen(
            self.command(),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            env=self.environment(),
        )

        def forward(number: int, _: object) -> None:
            # Slurm signals all processes of a job step, mostly; training counts it once
            signals.append(number)
            child.send_signal(number)

        for number in ASKING:
            signal.signal(number, forward)
        code = child.wait()
        if signals and code and not _node():
            _requeue()
        if code < 0:
            code = 128 - code
        raise SystemExit(code)

    def command(self) -> list[str]:
        """Return what this node runs: on further nodes it is training itself."""
        if _node():
            return [self.words[0], '-u', os.path.join(self.folder, 'code', 'main.py')]
        return self.words

    def environment(self) -> dict[str, str]:
        """Return the environment of what this node runs."""
        variables = self.clean(os.environ) if _node() else dict(os.environ)
        return {**variables, **self.node_environment()}

    def node_environment(self) -> dict[str, str]:
        """Return the variables by which training knows the nodes, where there are several."""
        count = os.environ.get('SLURM_STEP_NUM_NODES', '1')
        if count == '1':
            return {}
        port = FIRST_PORT + int(os.environ['SLURM_JOB_ID']) % PORTS
        address = os.environ['SLURM_LAUNCH_NODE_IPADDR']
        variables = {'TAGRUN_NODES': f'{count} {_node()} {address}:{port}'}
        if _node():
            variables['TAGRUN_RUN'] = self.folder
        return variables


def _node() -> int:
    """Return which node of the job this is, from 0."""
    return int(os.environ.get('SLURM_NODEID', '0'))


def _requeue() -> None:
    job = os.environ['SLURM_JOB_ID']
    if 'SLURM_ARRAY_JOB_ID' in os.environ:
        job = f'{os.environ["SLURM_ARRAY_JOB_ID"]}_{os.environ["SLURM_ARRAY_TASK_ID"]}'
    shown = subprocess.run(
        ['scontrol', '--oneliner', 'show', 'job', job], capture_output=True, text=True
    ).stdout
    state = re.search(r'JobState=(\w+)', shown)
    if state and state[1] in TAKEN_AWAY:
        subprocess.run(['scontrol', 'requeue', job])
