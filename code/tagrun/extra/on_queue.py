"""The queue of this machine as an engine: `run t1 -q` puts the run in line, and `tagrun queue start` trains what is there.

    run t1 -q; run t2 -q --priority -1; sweep t3 lr=0.1,0.01 -q; tagrun queue start -j 2

extra/line.py has the files, extra/queue.py the verb. The code is what it was when the run was put in line. It waits for nothing.
"""
from tagrun.command import jobs
from tagrun.command.say import plural, say
from tagrun.extra import line


def add_options(parser):
    parser.add_argument('-q', '--queue', dest='on', action='store_const', const='queue', help='put it in line, for `tagrun queue start`')
    parser.add_argument('--priority', metavar='N', type=int, default=0, help='of what is put in line: lower first (0)')


def check(repository, options):
    """There is nothing that it needs."""


def submit(repository, folders, options):
    """Put the prepared runs in line; exit code 0 as soon as they are there."""
    jobs.refuse_second(repository.root, folders)
    for folder in folders:
        jobs.write(folder, 'queue', line.add(repository.root, folder, options.priority))
    names = [f'{folder.parent.name}/{folder.name}' for folder in folders]
    before = sum(entry.name not in names and entry.priority <= options.priority for entry in line.waiting(repository.root))
    workers = line.workers(repository.root)
    what = names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}, {plural(len(names), "run")},'
    say(f'{what} in line'
        + (f', behind {plural(before, "other")}' if before else ''))
    if workers:
        say(f'  {plural(len(workers), "worker")} at work:  tagrun queue')
    else:
        say(f'  next     {"tagrun queue start":<30} trains them in the background, one after the other')
    return 0


def states(root, ids):
    """{id: QUEUED or RUNNING} of those that are in line."""
    waiting = {entry.id for entry in line.waiting(root)}
    return {entry.id: jobs.QUEUED if entry.id in waiting else jobs.RUNNING for entry in line.entries(root) if entry.id in ids and entry.state != line.FAILED}


def cancel(root, ids):
    """Take them out of the line. One that is trained is told to stop, saves, and can be continued."""
    for entry in line.entries(root):
        if entry.id in ids:
            line.remove(root, entry, stop=True)
