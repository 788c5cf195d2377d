"""Ray as an engine: `run t1 --on ray` trains on the machines of a Ray cluster, or on one started here for the purpose.

    run five --seeds 5 --on ray -d                          all CPUs and GPUs of this machine, in the background
    run t1 --ray address=10.0.0.5:6379 --ray gpus=2         a cluster's; git config tagrun.ray.address 10.0.0.5:6379 for good

Each run is a task of Ray's; one whose worker or machine is lost goes on elsewhere, up to `retries` times, exactly. The project's folder
must be the same on all machines. `expls` shows what waits and what trains, `tagrun cancel` takes it back; both through small files in
__result__/.ray, without Ray. This process stays until all runs have ended (-d: in the background): with it, Ctrl-C or killed, they
stop, saved, and `continue` goes on with them. Ray asks for a token (RAY_AUTH_MODE), and there is no dashboard of a cluster started here.
"""
import contextlib
import importlib.util
import os
import re
import signal
import socket
import sys
from pathlib import Path

from tagrun.command import jobs, launch
from tagrun.command.say import Refusal, plural, quote, say
from tagrun.store import atomic, layout, lock, statistic

COUNT = '[1-9][0-9]{0,3}'
KNOWN = {   # setting: (pattern, example)
    'address': (r'(ray://)?[A-Za-z0-9][A-Za-z0-9.-]{0,250}:[0-9]{1,5}', '10.0.0.5:6379'),
    'cpus': (COUNT, '4 (for each run)'), 'gpus': (r'[0-9]{1,3}|0\.[0-9]{1,3}', '1 or 0.5 (for each run)'),
    'retries': ('[0-9]{1,4}', '3'),
}
RETRIES, CONNECT_S, LOOK_S = '3', 5, 1
QUEUED, RUNNING, ENDED, CANCEL = jobs.QUEUED, jobs.RUNNING, 'ended', 'cancel'


def add_options(parser):
    parser.add_argument('--ray', metavar='KEY=VALUE', action=jobs.Option, help=f'on Ray, with a setting: {", ".join(KNOWN)}')


def check(repository, options):
    """Raises Refusal where Ray cannot work. A cluster is asked whether it is there, no more."""
    if not importlib.util.find_spec('ray'):
        requirements = repository.root / 'code' / 'requirements-ray.txt'
        raise Refusal(f'--on ray needs the package ray: {quote(sys.executable)} -m pip install -r {quote(requirements)}')
    found = _settings(repository, options)
    if 'address' in found:
        host, _, port = found['address'].removeprefix('ray://').rpartition(':')
        try:
            socket.create_connection((host, int(port)), CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise Refusal(f'no Ray answers at {found["address"]} ({error}): `ray status` on its head says whether it is up') from None
    elif int(found.get('cpus', 1)) > os.cpu_count():
        raise Refusal(f'--ray cpus={found["cpus"]}: this machine has {os.cpu_count()}')


def submit(repository, folders, options):
    """Train the prepared runs on Ray to their end; the first exit code that is not 0. With -d in the background, and 0 at once."""
    jobs.refuse_second(repository.root, folders)
    found = _settings(repository, options)
    names = [f'{folder.parent.name}/{folder.name}' for folder in folders]
    what = names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}, {plural(len(names), "run")}'
    say(f'{what}: on Ray, {found.get("address", "started here for it")};  expls {folders[0].parent.name}')
    if options.detach and not launch.in_background():
        return 0
    place, _held = _place(repository.root)
    for index, folder in enumerate(folders):
        atomic.write(place / str(index), QUEUED)
        jobs.write(folder, 'ray', f'{place.name}.{index}')
    with _ray(found) as ray:
        return _train(ray, repository.root, place, folders, found)


def states(root, ids):
    """{id: QUEUED or RUNNING} of those whose submitting process is there."""
    found = {}
    for number in filter(_ours, ids):
        place, file = _file(root, number)
        with contextlib.suppress(OSError, ValueError):
            word = file.read_text(encoding='utf-8')
            if word in (QUEUED, RUNNING) and lock.owner(place) is not None:
                found[number] = word
    return found


def cancel(root, ids):
    """Ask the process that submitted them. Training is told to stop, saves, and can be continued."""
    for number in filter(_ours, ids):
        place, file = _file(root, number)
        atomic.write(place / f'{file.name}.{CANCEL}', '')


def _settings(repository, options):
    return jobs.settings(repository, 'ray', options.ray, KNOWN)


def _place(root):
    """A folder for the notes of one submission, and the lock that says that its process lives."""
    _, place = layout.claim(root, '.ray')
    return place, lock.Lock(place)


def _ours(number):
    """Whether it is a job's id: the submission's number, and the run's in it."""
    return re.fullmatch(r'[0-9]{1,9}\.[0-9]{1,9}', number)


def _file(root, number):
    """(folder of the submission, the run's note in it) of a job's id."""
    place, _, index = number.partition('.')
    folder = layout.run_folder(root, '.ray', place)
    return folder, folder / index


# --- with Ray ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _ray(found):
    """The module, connected. A cluster that was started here ends with it."""
    for name, value in (('RAY_AUTH_MODE', 'token'), ('RAY_USAGE_STATS_ENABLED', '0'), ('RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO', '0')):
        os.environ.setdefault(name, value)      # read when ray is imported
    import ray
    here = {'include_dashboard': False} if 'address' not in found else {}
    try:
        ray.init(found.get('address', 'local'), log_to_driver=False, logging_level='error', **here)
    except Exception as error:  # it raises of all kinds
        raise Refusal(f'Ray: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}') from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _train(ray, root, place, folders, found):
    """The first exit code that is not 0."""
    tasks = _begin(ray, root, place, folders, found)
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: stop.append(number))
    codes, told = [0] * len(folders), set()
    while tasks:
        done, _ = ray.wait(list(tasks), timeout=LOOK_S)
        for task in done:
            index = tasks.pop(task)
            codes[index] = _code(ray, task)
            atomic.write(place / str(index), ENDED)
            _tell(folders[index], codes[index])
        for task, index in tasks.items():
            if task not in told and (stop or (place / f'{index}.{CANCEL}').exists()):
                ray.cancel(task)
                told.add(task)
    if signal.SIGINT in stop:
        return launch.CTRL_C
    return next((code for code in codes if code), 0)


def _begin(ray, root, place, folders, found):
    """{task: index of its run}"""
    from tagrun.extra import ray_task
    ray.cloudpickle.register_pickle_by_value(ray_task)  # no path of ours is Python's on the workers
    cpus, gpus = _share(ray, found)
    remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=int(found.get('retries', RETRIES)), retry_exceptions=[ChildProcessError])(ray_task.train)
    tool, guard, threads = str(root / 'code' / 'tagrun'), str(Path(__file__).with_name('ray_guard.py')), os.environ.get('OMP_NUM_THREADS')
    tasks = {}
    for index, folder in enumerate(folders):
        words = [sys.executable, tool, 'continue', f'{folder.parent.name}/{folder.name}']
        tasks[remote.remote(guard, words, str(root), str(folder), str(place / str(index)), threads)] = index
    return tasks


def _share(ray, found):
    """(CPUs, GPUs) for each run. Raises Refusal where this machine has not so many; of a cluster Ray waits for one that has."""
    nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
    cpus, gpus = int(found.get('cpus', 1)), float(found.get('gpus', 1 if any(node.get('GPU') for node in nodes) else 0))
    if not any(node.get('CPU', 0) >= cpus and node.get('GPU', 0) >= gpus for node in nodes):
        none = f'no machine of Ray\'s has {plural(cpus, "CPU")} and {gpus:g} GPUs'
        if 'address' not in found:
            raise Refusal(f'{none}: --ray cpus=… and gpus=… say how many a run needs; `continue --on ray` then goes on with what is recorded')
        say(f'tagrun: {none}: the runs wait for one')
    return cpus, gpus


def _code(ray, task):
    """The exit code of a task that has ended; 75 where it was cancelled, or lost too often."""
    try:
        return ray.get(task)
    except ray.exceptions.RayError:
        return launch.RESUMABLE


def _tell(folder, code):
    name, state = f'{folder.parent.name}/{folder.name}', statistic.CREATED
    with contextlib.suppress(OSError, ValueError):
        state = statistic.state(folder)
    say(f'{name} {state}' + (f':  continue {name}' if code == launch.RESUMABLE else ''))
