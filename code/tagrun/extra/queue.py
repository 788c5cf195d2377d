"""Show the line of runs that wait for this machine, and work it off in the background.

`run -q`, `continue -q`, `rerun -q` and `sweep -q` put runs in line, with the code as it is then; the lowest `--priority` is trained first. Workers
survive the terminal and end when the line is empty. A run whose worker was killed is continued by the next one; one that failed stays in
line as such until it is removed or put there again. After a reboot: `queue start`.
"""
import os
import signal
import socket
import time
import traceback
from pathlib import Path

from tagrun.command import choose, columns, glance, launch, setup
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, duration, parser, plural, printable, quote, say
from tagrun.extra import line, trials
from tagrun.extra.pool import VISIBLE, gpus, shared, train
from tagrun.store import experlist, jsonfile, lock, names, reading, statistic

EXAMPLES = ('queue                  what is in line, and what is trained',
            'queue start            train it, one after the other, in the background',
            'queue start -j 4       four at once; each with a GPU of its own, where there are GPUs',
            'queue stop             the workers save what they train, and end',
            'queue remove t1/0      out of the line',
            'queue logs t1/0        the end of its log; without a run, of all that are trained')
ACTIONS = ('show', 'start', 'stop', 'remove', 'logs')
STOP_S = 60         # at most, until the workers have saved
LOOK_S = 1.0        # between two looks at a training that is somebody else's
TAIL = 20           # lines of a log
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('queue', __doc__, EXAMPLES)
    options.add_argument('action', nargs='?', choices=ACTIONS, default='show', help='show is meant where there is none')
    options.add_argument('run', nargs='*', help='<tag> (all its runs) or <tag>/<id>')
    options.add_argument('-j', '--jobs', metavar='N', type=int, help='so many at once; else one, or one for each GPU')
    options.add_argument('--json', action='store_true', help='as JSON')
    found = options.parse_args(argv)
    if found.jobs is not None and found.jobs < 1:
        options.error('-j takes a number of 1 or more')
    if found.action == 'remove' and not found.run or found.action in ('start', 'stop') and found.run:
        options.error('queue remove needs a run: queue remove t1/0' if found.action == 'remove' else f'queue {found.action} takes no run')
    return {'show': _show, 'start': _start, 'stop': _stop, 'remove': _remove, 'logs': _logs}[found.action](found)


# --- what there is ------------------------------------------------------------------------------------------------------


def _show(options):
    found = _chosen(options.run) if options.run else line.entries(ROOT)
    now = time.time()
    seen = {entry.name: glance.look(ROOT, *names.split_run(entry.name)) for entry in found}
    if options.json:
        print(jsonfile.dumps([{'run': entry.name, 'status': _state(entry, seen[entry.name]), 'priority': entry.priority, 'why': entry.why,
                               'since': entry.since / 1e9, 'eta_s': seen[entry.name].eta_s(now)} for entry in found]), end='')
        return 0
    rows = [(entry.name, _status(entry, seen[entry.name], now), str(entry.priority), duration(max(0.0, now - entry.since / 1e9)), entry.why) for entry in found]
    if rows:
        print('\n'.join(columns.lines(('run', 'status', 'priority', 'in line', 'why'), rows, ('priority',))))
    workers = line.workers(ROOT)
    say(f'{plural(len(found), "run")} in line, {plural(len(workers), "worker")} at work' + ('' if workers or not found else ': `tagrun queue start`'))
    return 0


def _state(entry, seen):
    return line.FAILED if entry.state == line.FAILED else seen.state if seen.state == statistic.RUNNING else line.WAITING


def _status(entry, seen, now):
    state = _state(entry, seen)
    epoch = f'{seen.content["epoch"]}/{seen.content.get("epochs", "?")}' if seen.content.get('epoch') else ''
    eta = seen.eta_s(now)
    if state == line.WAITING and seen.state in (statistic.INTERRUPTED, statistic.KILLED):
        return f'waiting, {seen.state} {epoch}'.rstrip()
    return f'{state} {epoch}'.rstrip() + (f', {duration(eta)} left' if eta is not None else '')


def _chosen(words):
    """The entries of runs on the command line. Raises Refusal for one that is not in line."""
    known = {entry.name: entry for entry in line.entries(ROOT)}
    wanted = []
    for word in words:
        tag, number = choose.parts(ROOT, word)
        here = [name for name in known if name == f'{tag}/{number}' or number is None and name.startswith(f'{tag}/')]
        if not here:
            raise Refusal(f'{word} is not in line: `tagrun queue` shows what is')
        wanted += here
    return [known[name] for name in dict.fromkeys(wanted)]


def _logs(options):
    found = _chosen(options.run) if options.run else [entry for entry in line.entries(ROOT) if lock.owner(line.folder_of(ROOT, entry)) is not None]
    for entry in found:
        path = line.folder_of(ROOT, entry) / 'log'
        try:
            text = reading.regular(path).decode('utf-8', 'replace')
        except (OSError, ValueError) as error:
            say(f'{entry.name}: there is no log yet' if isinstance(error, FileNotFoundError) else f'{entry.name}: {error}')
            continue
        say(f'{entry.name}:  tail -f {quote(os.path.relpath(path))}')
        print('\n'.join(printable(each) for each in text.splitlines()[-TAIL:]))
    if not found:
        say('nothing is being trained')
    return 0


def _remove(options):
    found = _chosen(options.run)
    kept = [entry.name for entry in found if not line.remove(ROOT, entry)]
    gone = [names.split_run(entry.name) for entry in found if entry.name not in kept]
    if gone:
        say(f'out of the line: {experlist.compact(gone)}; `continue` trains them all the same')
    if kept:
        raise Refusal(f'{", ".join(kept)} {"is" if len(kept) == 1 else "are"} being trained: `tagrun cancel {kept[0]}` stops it, `tagrun queue stop` all')
    return 0


# --- who works it off ---------------------------------------------------------------------------------------------------


def _start(options):
    setup.require()
    repository = Repository.at(ROOT)
    devices = gpus()
    at_once, there = options.jobs or max(1, len(devices)), line.workers(ROOT)
    if not line.waiting(ROOT):
        say('nothing waits: `run <tag> -q` puts a run in line')
        return 0
    free = [slot for slot in range(at_once) if slot not in there]
    if not free:
        say(f'{plural(len(there), "worker")} at work already; -j {len(there) + 1} adds one')
        return 0
    say(f'{plural(len(line.waiting(ROOT)), "run")} in line, {plural(len(free) + len(there), "worker")} at work in the background:  tagrun queue')
    for slot in free:
        if launch.in_background():
            return _work(repository, slot, devices)
    return 0


def _work(repository, slot, devices):
    """A worker's life. What goes wrong with itself it writes into its log."""
    folder = line.worker(ROOT, slot)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        kept = lock.Lock(folder)
    except lock.Held:       # started twice at the same moment
        return 0
    try:
        return _work_off(repository, slot, devices)
    except BaseException:
        with open(os.open(folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666), 'a') as log:
            log.write(traceback.format_exc())
        raise
    finally:
        kept.release()


def _work_off(repository, slot, devices):
    """Train what is in line until there is nothing more; those that somebody else trains are waited for. The exit code."""
    while True:
        elsewhere = [entry.name for entry in line.entries(ROOT) if entry.state == line.WAITING and lock.owner(line.folder_of(ROOT, entry)) is not None]
        taken = line.take(ROOT, skip=elsewhere)
        if taken:
            if devices:
                os.environ[VISIBLE] = shared(devices, slot, launch.processes(line.folder_of(ROOT, taken.entry)) or 1)
            code = _train(repository, taken)
            if code in (launch.RESUMABLE, launch.CTRL_C) and line.is_there(ROOT, taken.entry):
                return code     # it was told to stop
        elif any(_orphaned(name) for name in elsewhere):
            time.sleep(LOOK_S)
        else:
            return 0


def _orphaned(name):
    """Whether a training goes on whose worker was killed: nobody holds its entry."""
    entry = next((entry for entry in line.entries(ROOT) if entry.name == name), None)
    taken = entry and line.take(ROOT, skip=[each.name for each in line.entries(ROOT) if each.name != name])
    if taken:
        line.give_back(ROOT, taken, '')
    return bool(taken)


def _train(repository, taken):
    """Train a run that was taken, and take it out of the line if it has ended; the exit code."""
    folder = line.folder_of(ROOT, taken.entry)
    code, why = 1, ''
    try:
        if trials.state(folder) not in (statistic.FINISHED, statistic.PRUNED):
            trials.complete(repository, *names.split_run(taken.entry.name))
            code = train(repository, folder)
        else:
            code = 0
            trials.record_results(repository, [folder])
    except Refusal as refusal:
        why = str(refusal)
    state = trials.state(folder)
    if state in (statistic.FINISHED, statistic.PRUNED):
        line.give_back(ROOT, taken)
    elif state == statistic.FAILED or code == 1 and lock.owner(folder) is None:
        line.give_back(ROOT, taken, why or str(glance.look(ROOT, *names.split_run(taken.entry.name)).content.get('message') or 'it failed; its log says why'))
    else:
        line.give_back(ROOT, taken, '')
    return code


def _stop(options):
    there = line.workers(ROOT)
    if not there:
        say('no worker is at work')
        return 0
    for owner in there.values():
        if owner.get('host') != socket.gethostname() or type(owner.get('pid')) is not int:
            raise Refusal(f'a worker is on {owner.get("host")}: stop it there')
        os.kill(owner['pid'], signal.SIGTERM)
    end = time.monotonic() + STOP_S
    while line.workers(ROOT) and time.monotonic() < end:
        time.sleep(0.05)
    left = line.workers(ROOT)
    say(f'{plural(len(left), "worker")} still saving' if left else f'{plural(len(there), "worker")} stopped; what was trained is saved, `tagrun queue start` goes on')
    return 0
