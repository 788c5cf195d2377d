"""Live sharing: with `git config tagrun.share live` a run that trains is sent after its epochs, so that others can watch it by `fetch`.

    git config tagrun.share live; run first      # the same as `tagrun share --live first` typed beside it, for every run

The sending is a process of its own, of the lowest priority: training neither waits for it nor hears of it. A remote that is away is a
line in the run's log, and is tried again after the next epoch. Epochs that pass within EVERY_S are sent as one.
"""
import os
import subprocess
import sys
import time

from tagrun.command import result
from tagrun.command.git import Failed
from tagrun.command.say import Refusal, printable, say
from tagrun.extra import share, sharing
from tagrun.store import layout, lock, run_json, statistic

EVERY_S = 10        # between two sendings
LOOK_S = 0.5
PATIENCE_S = 60     # with a remote that does not answer
BEGIN_S = 120       # until a training that was started owns its run
END_S = 30          # until the result of one that ended is in git
AGAIN_S = (5, 30, 120, 600)     # after an end that could not be sent


def before(repository, folder, info):
    """Start the sending of a run that is about to train, where the user wants that."""
    if repository.config('share') != 'live' or not info['commit']:
        return
    try:
        sharing.remote(repository)
    except Refusal as refusal:
        say(f'tagrun: live sharing: {refusal}')
        return
    former = repository.resolve(f'{sharing.RESULT}{run_json.name(info)}')
    since = ['--since', former] if former else []
    tool = repository.root / 'code' / 'tagrun'
    subprocess.Popen([sys.executable, tool, 'share', '--live', run_json.name(info), *since], cwd=repository.root, start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def follow(repository, remote, name, former=None):
    """Send a run after its epochs until it ends, then its result. Returns whether that arrived.

    former: the result that it had before it went on.
    """
    os.nice(19)
    folder = layout.result(repository.root) / name
    sender = _Sender(repository, remote, folder, name)
    if not _within(BEGIN_S, lambda: lock.owner(folder) is not None or _ended(repository, name, former)):
        return False
    seen, due = None, 0.0
    while lock.owner(folder) is not None:
        stamp = _stamp(folder)
        if stamp != seen and time.monotonic() >= due:
            sender.send(so_far=True)
            seen, due = stamp, time.monotonic() + EVERY_S
        time.sleep(LOOK_S)
    _within(END_S, lambda: _ended(repository, name, former))
    for wait_s in (*AGAIN_S, None):
        if sender.send():
            return True
        if wait_s is None or lock.owner(folder) is not None:    # it goes on, and has a sender of its own
            return False
        time.sleep(wait_s)


class _Sender:
    """Sends one run, and tells its log when that begins to fail and when it works again."""

    def __init__(self, repository, remote, folder, name):
        self._repository, self._remote, self._folder, self._name = repository, remote, folder, name
        self._fails = False

    def send(self, so_far=False):
        """Whether the remote has it."""
        try:
            if so_far:
                result.record(self._repository, self._folder, run_json.read(self._folder), so_far=True)
            mine = sharing.here(self._repository)
            plan = share.make_plan(self._repository, self._remote, mine, [self._name], PATIENCE_S)
            if plan.sent:
                share.send(self._repository, self._remote, mine, plan, PATIENCE_S)
        except (Refusal, Failed, OSError, ValueError) as error:
            if not self._fails:
                self._tell(f'live sharing: {error}')
            self._fails = True
            return False
        if self._fails:
            self._tell(f'live sharing: {self._remote} has it again')
        self._fails = False
        return True

    def _tell(self, sentence):
        try:
            log = os.open(self._folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        except OSError:
            return
        with os.fdopen(log, 'wb', buffering=0) as file:
            file.write(f'tagrun: {printable(sentence)}\n'.encode('utf-8', 'backslashreplace'))


def _ended(repository, name, former):
    """Whether git has the result of a run as it ended, and not that of the time before."""
    rows = repository.refs(f'{sharing.RESULT}{name}', ('objectname', 'contents:subject'))
    return any(commit != former and not subject.endswith(f' {result.SO_FAR}') for commit, subject in rows)


def _stamp(folder):
    try:
        return os.stat(folder / statistic.NAME).st_mtime_ns
    except OSError:
        return None


def _within(seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(LOOK_S)
    return False
