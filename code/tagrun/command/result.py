"""The result commit of a run: its readable files as a commit in git, child of the commit that ran, under refs/tagrun/result/<tag>/<id>.

    record(repository, folder, info)     # info: the content of its run.json

Its tree: statistic.json, history.csv, environment.json, run.json (without the project's path), trace_epochs.csv, log (its end, if long).
Whatever looks like a token, or a password in a URL, is blotted out: what is in git may be shared. A run that goes on gets a further
result, child of the former too, so that its ref only ever moves forward. It makes no ref but that one, and says nothing.
"""
import os
import time

from tagrun.command import leaks
from tagrun.command.git import Failed
from tagrun.store import jsonfile, reading, run_json, trace

KEPT = ('statistic.json', 'history.csv', 'environment.json', 'confusion.json', 'run.json')
LOG_TAIL = 1 << 20      # bytes of a long log that go into git
SO_FAR = 'so far'       # how the subject ends while the run goes on
PREFIX = 'refs/tagrun/result/'
WAITS_S = (0.1, 0.5, 2, None)


def record(repository, folder, info, so_far=False):
    """Make the commit and move the ref on to it; its id. Raises Failed where git does not take it, OSError where a file cannot be read.

    so_far: of a run at work: then the trace and the long log are left out, for it comes often.
    """
    name, files = run_json.name(info), contents(folder, so_far)
    subject = f'result of {name}{f" {SO_FAR}" if so_far else ""}\n'
    for wait_s in WAITS_S:
        before = repository.resolve(PREFIX + name)
        try:
            commit = repository.commit_tree(repository.make_tree(files), info['commit'], subject, before)
            repository.set_ref(PREFIX + name, commit, before)
            return commit
        except Failed:      # another git is at it, for a moment
            if wait_s is None:
                raise
            time.sleep(wait_s)


def contents(folder, so_far=False):
    """{name: bytes} of what git keeps of a run."""
    files = {name: (folder / name).read_bytes() for name in KEPT if (folder / name).is_file()}
    if 'run.json' in files:
        files['run.json'] = jsonfile.dumps({**run_json.read(folder), 'root': None}).encode('utf-8', 'backslashreplace')
    if (folder / 'log').is_file():
        files['log'] = _tail(folder / 'log', LOG_TAIL >> 5 if so_far else LOG_TAIL)
    if not so_far:
        lines = trace.lines(folder)[0]
        if lines:
            files[trace.EPOCHS] = trace.by_epoch(lines).encode()
    return {name: leaks.hidden(content) for name, content in files.items()}


def _tail(path, size):
    """A file's content; of a long one the end, from a whole line on."""
    with reading.opened(path) as file:
        there = file.seek(0, os.SEEK_END)
        file.seek(max(0, there - size))
        content = file.readall()
    return content if there <= size else b'(the beginning is left out)\n' + content.partition(b'\n')[2]
