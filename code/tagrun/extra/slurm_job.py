"""What Slurm runs for a run: `tagrun continue <tag>/<id>`, and back into the line when Slurm takes the machine away.

    Job([python, 'code/tagrun', 'continue', 't1/0'], root, run_folder)()        (submitit calls it on the node)

The warning (SIGUSR1 before the time is up or before preemption) and SIGTERM reach training, which saves and ends; then the job is
requeued, and goes on as the same run where it stood. Not so when it was cancelled, or when training ended by itself: that is its end.
On several nodes the first does all this, and each other one starts training's processes there; training/distributed.py joins them.
It is sent to the node by its text: it imports nothing of ours.
"""
import os
import re
import signal
import subprocess

ASKING = (signal.SIGUSR1, signal.SIGTERM)
FIRST_PORT, PORTS = 20000, 20000        # where the nodes of a job meet: a port of its own, unless 20,000 others came between
TAKEN_AWAY = ('RUNNING', 'TIMEOUT')     # not CANCELLED; and PENDING where Slurm has requeued it by itself


class Job:
    def __init__(self, words, root, folder):
        self.words, self.root, self.folder = words, root, folder

    def __call__(self):
        """Ends the process with training's exit code."""
        asked = []
        for number in ASKING:
            signal.signal(number, lambda number, _: asked.append(number))
        child = subprocess.Popen(self._words(), cwd=self.root, stdin=subprocess.DEVNULL, env={**os.environ, **self._nodes()})
        for number in ASKING:   # Slurm tells all processes of a job step, mostly; asked twice is asked once
            signal.signal(number, lambda number, _: (asked.append(number), child.send_signal(number)))
        code = child.wait()
        if asked and code and not _node():
            _requeue()
        raise SystemExit(code if code >= 0 else 128 - code)

    def _words(self):
        return [self.words[0], '-u', os.path.join(self.folder, 'code', 'main.py')] if _node() else self.words

    def _nodes(self):
        """What training is told of the nodes, where there are several."""
        count = os.environ.get('SLURM_STEP_NUM_NODES', '1')
        if count == '1':
            return {}
        port = FIRST_PORT + int(os.environ['SLURM_JOB_ID']) % PORTS
        there = {'TAGRUN_NODES': f'{count} {_node()} {os.environ["SLURM_LAUNCH_NODE_IPADDR"]}:{port}'}
        return {**there, 'TAGRUN_RUN': self.folder} if _node() else there


def _node():
    """Which node of the job this is, from 0."""
    return int(os.environ.get('SLURM_NODEID', '0'))


def _requeue():
    job = os.environ['SLURM_JOB_ID']
    if 'SLURM_ARRAY_JOB_ID' in os.environ:
        job = f'{os.environ["SLURM_ARRAY_JOB_ID"]}_{os.environ["SLURM_ARRAY_TASK_ID"]}'
    told = subprocess.run(['scontrol', '--oneliner', 'show', 'job', job], capture_output=True, text=True).stdout
    state = re.search(r'JobState=(\w+)', told)
    if state and state[1] in TAKEN_AWAY:
        subprocess.run(['scontrol', 'requeue', job])
