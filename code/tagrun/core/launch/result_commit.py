"""Put the readable files of a run into git as its result commit.

It is a child of the commit that ran, under the run's result ref.

    record(repository, folder, info)     # info: the content of its run.json

Its tree: statistic.json, history.csv, environment.json, confusion.json, run.json (without the
project's path), trace_epochs.csv, log (of a long one the end). What looks like a token, or a
password in a URL, is redacted: what is in git may be shared. A run that goes on gets a further
result, a child of the former too, so its ref only ever moves forward. It makes no other ref, and
prints nothing.
"""

import os
import time
from pathlib import Path
from typing import Any

from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.record import secret_rules
from tagrun.store import jsonfile, run_json, safe_read, trace

RECORDED = ('statistic.json', 'history.csv', 'environment.json', 'confusion.json', run_json.NAME)
LOG = 'log'
LOG_TAIL = 1 << 20  # bytes of a long log that go into git
LOG_TAIL_SO_FAR = LOG_TAIL >> 5
SO_FAR = 'so far'  # how the subject ends while the run goes on
WAITS_S = (0.1, 0.5, 2, None)  # between tries; None: it is the last


def record(repository: Repository, folder: Path, info: dict[str, Any], so_far: bool = False) -> str:
    """Make the commit and move the ref on to it; return the commit.

    so_far: of a run at work. The trace and the long log are then left out, for it comes often. What
    somebody recorded since the files were read is newer, and stays: then that commit is returned.
    Raises GitError where git does not take it, OSError where a file cannot be read.
    """
    run = run_json.ref(info)
    start = repository.resolve(run.result_ref)
    files = contents(folder, so_far)
    for wait_s in WAITS_S:
        before = repository.resolve(run.result_ref)
        if so_far and before and before != start:
            return before
        try:
            return _commit(repository, info, files, so_far, before)
        except GitError:  # another git is at it, for a moment
            if wait_s is None:
                raise
            time.sleep(wait_s)
    raise AssertionError('the last try returns or raises')


def _commit(
    repository: Repository,
    info: dict[str, Any],
    files: dict[str, bytes],
    so_far: bool,
    before: str | None,
) -> str:
    run = run_json.ref(info)
    subject = f'result of {run} {SO_FAR}\n' if so_far else f'result of {run}\n'
    tree = repository.make_tree(files)
    commit = repository.commit_tree(tree, info['commit'], subject, before)
    repository.set_ref(run.result_ref, commit, before)
    return commit


def contents(folder: Path, so_far: bool = False) -> dict[str, bytes]:
    """Return {name: bytes} of what git keeps of a run."""
    paths = [folder / name for name in RECORDED]
    files = {path.name: safe_read.read_bytes(path) for path in paths if path.is_file()}
    if run_json.NAME in files:
        files[run_json.NAME] = _without_root(folder)
    if (folder / LOG).is_file():
        longest = LOG_TAIL_SO_FAR if so_far else LOG_TAIL
        files[LOG] = _tail(folder / LOG, longest)
    lines = [] if so_far else trace.lines(folder)[0]
    if lines:
        files[trace.EPOCHS] = trace.by_epoch(lines).encode()
    return {name: redacted(name, content) for name, content in files.items()}


def redacted(name: str, content: bytes) -> bytes:
    """Return a file's content as git keeps it: without secrets."""
    redact = secret_rules.redact_json if name.endswith('.json') else secret_rules.redact
    return redact(content)


def _without_root(folder: Path) -> bytes:
    """Return run.json without the project's path."""
    text: str = jsonfile.dumps({**run_json.read(folder), 'root': None})
    return text.encode('utf-8', 'backslashreplace')


def _tail(path: Path, size: int) -> bytes:
    """Return a file's content without secrets; of a long one the end, from a whole line on."""
    with safe_read.open_file(path) as file:
        length = file.seek(0, os.SEEK_END)
        # more, so that no secret begins before it
        file.seek(max(0, length - size - secret_rules.LONGEST_SECRET))
        content = secret_rules.redact(file.readall())
    if length <= size:
        return content
    content = content[-size:]
    return b'(the beginning is left out)\n' + content.partition(b'\n')[2]
