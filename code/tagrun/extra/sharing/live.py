"""Send a run while it trains: after its epochs until it ends, then its result.

    follow(repository, 'origin', RunRef('first', 0))     # returns when the run has ended

This is the work of the process that `share --live` is. Training neither waits for it nor hears of
it. Where the remote cannot be reached, the run's log gets a line, and the next epoch is a new try.
Epochs that end within SEND_EVERY_S are sent as one.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from tagrun.core.cli.messages import UserError, printable
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import result_commit
from tagrun.extra.sharing import push, remote_names
from tagrun.store import atomic, lock, run_json, statistic
from tagrun.store.run_ref import RunRef

SEND_EVERY_S = 10
POLL_S = 0.5
PATIENCE_S = 60  # with a remote that does not answer
START_S = 120  # until a training that was started owns its run
RESULT_S = 30  # until the result of a run that ended is in git
RETRY_S = (5, 30, 120, 600)  # after an end that could not be sent


def follow(repository: Repository, remote: str, run: RunRef, former: str | None = None) -> bool:
    """Send a run after its epochs until it ends, then its result. Return whether that arrived.

    former: the result commit that the run had before it was continued.
    """
    folder = run.folder(repository.root)

    def has_ended() -> bool:
        return _has_ended(repository, run, former)

    if not _wait_until(lambda: _is_training(folder) or has_ended(), START_S):
        return False
    sender = _Sender(repository, remote, run)
    _send_epochs(sender, folder)
    _wait_until(has_ended, RESULT_S)
    return _send_end(sender, folder)


class _Sender:
    """Sends one run, and tells its log when that begins to fail and when it works again."""

    def __init__(self, repository: Repository, remote: str, run: RunRef) -> None:
        self._repository = repository
        self._remote = remote
        self._run = run
        self._folder = run.folder(repository.root)
        self._fails = False

    def send(self, so_far: bool = False) -> bool:
        """Send the run's result; return whether the remote has it.

        so_far: commit the files of a run that trains first.
        """
        try:
            self._try(so_far)
        except (UserError, GitError, OSError, ValueError) as error:
            if not self._fails:
                self._log(f'live sharing: {error}')
            self._fails = True
            return False
        if self._fails:
            self._log(f'live sharing: {self._remote} has it again')
        self._fails = False
        return True

    def _try(self, so_far: bool) -> None:
        repository, remote = self._repository, self._remote
        if so_far:
            info = run_json.read(self._folder)
            result_commit.record(repository, self._folder, info, so_far=True)
        local = remote_names.local_refs(repository)
        plan = push.make_plan(repository, remote, local, [self._run], PATIENCE_S)
        if plan.targets:
            push.send(repository, remote, local, plan, PATIENCE_S)

    def _log(self, sentence: str) -> None:
        try:
            log = atomic.open_to_append(self._folder / 'log')
        except OSError:
            return
        with os.fdopen(log, 'ab', buffering=0) as file:
            line = f'tagrun: {printable(sentence)}\n'
            file.write(line.encode('utf-8', 'backslashreplace'))


def _send_epochs(sender: _Sender, folder: Path) -> None:
    """Send the run each time it wrote its statistic.json, until its training ends."""
    sent_ns, due = None, 0.0
    while _is_training(folder):
        written_ns = _written_ns(folder)
        if written_ns != sent_ns and time.monotonic() >= due:
            sender.send(so_far=True)
            sent_ns, due = written_ns, time.monotonic() + SEND_EVERY_S
        time.sleep(POLL_S)


def _send_end(sender: _Sender, folder: Path) -> bool:
    """Send the result of a run that ended, with some retries; return whether that arrived."""
    for wait_s in RETRY_S:
        if sender.send():
            return True
        # it was continued, and has a sender of its own
        if _is_training(folder):
            return False
        time.sleep(wait_s)
    return sender.send()


def _is_training(folder: Path) -> bool:
    return lock.owner(folder) is not None


def _has_ended(repository: Repository, run: RunRef, former: str | None) -> bool:
    """Return whether git has the result of a run's end, other than the `former` one."""
    rows = repository.refs(run.result_ref, ('objectname', 'contents:subject'))
    return any(
        commit != former and not subject.endswith(f' {result_commit.SO_FAR}')
        for commit, subject in rows
    )


def _written_ns(folder: Path) -> int | None:
    try:
        return os.stat(folder / statistic.NAME).st_mtime_ns
    except OSError:
        return None


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(POLL_S)
    return False
