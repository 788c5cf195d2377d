"""Slurm as an engine: `run t1 --on slurm` puts the run in line there, and it trains on a node of the cluster.

    git config tagrun.slurm.partition gpu               for good: any setting of `--slurm`
    run t1 --slurm gpus=1 --slurm time=12:00:00         for this one

submitit (`pip install -r code/requirements-slurm.txt`) writes the batch script and submits it; several runs are one array. The project's
folder must be the same on the nodes. A run that is preempted, or whose time is up, is warned, saves, is requeued and goes on, exactly.
With nodes=2 --nproc 4 eight processes train a run together.
It asks Slurm for words and numbers of known shape only, and does not wait for the runs: `expls` shows them, `tagrun cancel` ends them.
"""
import importlib.util
import re
import shutil
import subprocess
import sys

from tagrun.command import jobs
from tagrun.command.say import Refusal, plural, quote, say
from tagrun.store import layout

COMMANDS = ('sbatch', 'squeue', 'scancel', 'scontrol')
NAMES = '[A-Za-z0-9_][A-Za-z0-9_.,+-]{0,199}'
NODES = r'[A-Za-z0-9_][A-Za-z0-9_.,\[\]-]{0,999}'
COUNT = '[1-9][0-9]{0,5}'
KNOWN = {   # setting: (pattern, example), and below the option of sbatch
    'partition': (NAMES, 'gpu'), 'account': (NAMES, 'lab7'), 'qos': (NAMES, 'normal'), 'reservation': (NAMES, 'course'),
    'constraint': (r'[A-Za-z0-9_(\[][A-Za-z0-9_.,&|*()\[\]-]{0,199}', 'a100'),
    'nodelist': (NODES, 'node[3-5]'), 'exclude': (NODES, 'node7'),
    'time': (r'([0-9]{1,4}-)?[0-9]{1,6}(:[0-9]{1,2}){0,2}', '90 (minutes), 12:00:00 or 2-00:00:00'),
    'nodes': ('[1-9][0-9]{0,3}', '2 (that train one run together)'),
    'gpus': (r'([A-Za-z0-9_.-]{1,50}:)?[0-9]{1,3}', '1 or a100:2 (on each node)'),
    'cpus': (COUNT, '8'), 'mem': ('[1-9][0-9]{0,8}[KMGT]?', '32G'),
    'parallel': (COUNT, '10 (runs of an array at once)'), 'warn': (COUNT, '120 (seconds before the end)'),
}
SBATCH = {'gpus': 'gpus-per-node', 'cpus': 'cpus-per-task'}     # where the option is not called as the setting
OURS = ('parallel', 'warn')
WARN_S = '120'
STATES = {'PENDING': jobs.QUEUED, 'REQUEUED': jobs.QUEUED, 'SUSPENDED': jobs.QUEUED, 'CONFIGURING': jobs.RUNNING, 'RUNNING': jobs.RUNNING}
PATIENCE_S = 60


def add_options(parser):
    parser.add_argument('--slurm', metavar='KEY=VALUE', action=jobs.Option, help=f'on Slurm, with a setting: {", ".join(KNOWN)}')


def check(repository, options):
    """Raises Refusal where Slurm would not take the job: it is asked, with the very options."""
    absent = [name for name in COMMANDS if not shutil.which(name)]
    if absent:
        raise Refusal(f'--on slurm: there is no {absent[0]} on this machine: submit from a node of the cluster that has Slurm\'s commands')
    if not importlib.util.find_spec('submitit'):
        requirements = repository.root / 'code' / 'requirements-slurm.txt'
        raise Refusal(f'--on slurm needs the package submitit: {quote(sys.executable)} -m pip install -r {quote(requirements)}')
    flags = _flags(repository, _settings(repository, options))
    words = [f'--{name}' if value is True else f'--{name}={value}' for name, value in flags.items()]
    _ask('sbatch', '--test-only', *words, '--wrap=true')


def submit(repository, folders, options):
    """Put the prepared runs in line; exit code 0 as soon as they are there."""
    jobs.refuse_second(repository.root, folders)
    found = _settings(repository, options)
    if int(found.get('nodes', 1)) > 1:
        _check_nodes(folders[0])
    names = [f'{folder.parent.name}/{folder.name}' for folder in folders]
    numbers = _submitted(repository, names, found)
    for folder, number in zip(folders, numbers):
        jobs.write(folder, 'slurm', number)
    what = names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}, {plural(len(names), "run")}'
    say(f'{what}: Slurm job {numbers[0].partition("_")[0]}')
    say(f'  next     {"expls " + folders[0].parent.name:<30} how it goes')
    say(f'           {"tagrun cancel " + (names[0] if len(names) == 1 else folders[0].parent.name):<30} takes it back')
    return 0


def states(root, ids):
    """{id: QUEUED or RUNNING} of those of our jobs that Slurm has in line or at work."""
    rows = [row.split() for row in _ask('squeue', '--me', '--noheader', '--array', '--format=%i %T').splitlines()]
    return {row[0]: STATES[row[1]] for row in rows if len(row) == 2 and row[0] in ids and row[1] in STATES}


def cancel(root, ids):
    """Take them back. Training is told to stop, saves, and can be continued."""
    _ask('scancel', *sorted(ids))


def _check_nodes(folder):
    """Raises Refusal for a run whose code cannot train on several nodes."""
    if not any('TAGRUN_NODES' in path.read_text(encoding='utf-8') for path in (folder / 'code' / 'tagrun' / 'training').glob('*.py')):
        raise Refusal(f'{folder.parent.name}/{folder.name}: its code trains on one node only: leave out nodes')


def _settings(repository, options):
    return jobs.settings(repository, 'slurm', options.slurm, KNOWN)


def _flags(repository, found):
    """{option of sbatch: value}"""
    flags = {SBATCH.get(key, key): value for key, value in found.items() if key not in OURS}
    return {**flags, 'chdir': str(repository.root), 'requeue': True, 'signal': f'USR1@{found.get("warn", WARN_S)}'}


def _submitted(repository, names, found):
    """The jobs' numbers: ['17'], or of an array ['17_0', '17_1', …]."""
    import cloudpickle
    import submitit

    from tagrun.extra import slurm_job
    cloudpickle.register_pickle_by_value(slurm_job)     # no path of ours is Python's on the node
    executor = submitit.SlurmExecutor(layout.result(repository.root) / '.slurm')
    executor.update_parameters(job_name=_job_name(names), time=None, wckey=None, stderr_to_stdout=True,
                               array_parallelism=int(found.get('parallel', len(names))), additional_parameters=_flags(repository, found))
    words = [sys.executable, str(repository.root / 'code' / 'tagrun'), 'continue']
    todo = [slurm_job.Job([*words, name], str(repository.root), str(layout.result(repository.root) / name)) for name in names]
    try:
        return [job.job_id for job in executor.submit_array(todo)]
    except submitit.core.utils.FailedSubmissionError as error:
        reason = str(error).strip().splitlines()[-1]
        raise Refusal(f'Slurm did not take it: {reason}; it is recorded, and `continue {names[0]} --on slurm` tries again') from None


def _job_name(names):
    tag = names[0].partition('/')[0]
    return tag if re.fullmatch(NAMES, tag, re.ASCII) else 'tagrun'


def _ask(*words):
    """What a command of Slurm's prints. Raises Refusal with its last word."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors='replace', stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(f'{words[0]}: {error}') from None
    if done.returncode:
        raise Refusal(re.sub('^(sbatch: )?(error: )?', f'{words[0]}: ', (done.stderr.strip().splitlines() or ['it failed, and says nothing'])[-1]))
    return done.stdout
