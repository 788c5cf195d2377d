"""Short trainings of the code as it stands on the desk, for `tagrun selftest`: each in a folder of its own that goes away again.

    with Trainings(repository, seed=4242, epochs=6, batches=40) as made:
        untouched = made.train()
        killed, kills = made.train_killed([[1, 50], [2, 80]], save=6)   # after one epoch and 50 steps; after two and 80

They lie in __result__/.selftest-…/<id>, which no verb takes for runs. Nothing is written into git. What cuts them short, and kills
them, is training/trial.py. It compares nothing.
"""
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from tagrun.command import snapshot
from tagrun.command.say import Refusal
from tagrun.store import checkpoints, layout, lock, run_json, statistic

PREFIX = '.selftest-'


class Failed(Exception):
    """A training that ended badly by itself: why, in a line."""


class Trainings:
    def __init__(self, repository, seed, epochs, batches):
        self.files = on_the_desk(repository)
        snapshot.check(self.files)
        self.keep = False
        self._root, self._seed, self._short = repository.root, seed, {'args': {'epochs': epochs}, 'batches': batches}

    def __enter__(self):
        layout.result(self._root).mkdir(exist_ok=True)
        self.place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=layout.result(self._root)))
        self._lock = lock.Lock(self.place)      # `doctor` tells by it what is in use
        return self

    def __exit__(self, *_):
        self._lock.release()
        if not self.keep:
            shutil.rmtree(self.place, ignore_errors=True)

    def train(self, **arguments):
        """Train to the end, with other `arguments` than config.py's; the folder. Raises Failed."""
        folder, info = self._new({**self._short, 'args': {**self._short['args'], **arguments}})
        _check(self._process(folder, info), folder)
        return folder

    def train_killed(self, moments, save):
        """Train, saved each `save` batches, killed with -9 at these moments and continued; (folder, moments it was killed at).

        moments: [epochs, steps] done so far, rising.
        """
        folder, info = self._new(self._short)
        for count, moment in enumerate([*moments, None]):
            info = {**info, 'resume': checkpoints.newest(folder), 'selftest': {**self._short, 'save': save, 'kill': moment}}
            code = self._process(folder, info)
            if code != -signal.SIGKILL:
                break
        _check(code, folder)
        return folder, moments[:count]

    def _new(self, told):
        number, folder = layout.claim(self._root, self.place.name)
        snapshot.write(self.files, folder)
        return folder, run_json.build(self._root, self.place.name, number, None, self._seed, selftest=told)

    def _process(self, folder, info):
        """One process of training, from its start to its end; the exit code. All that it prints is in the folder's log."""
        run_json.write(folder, info)
        with open(folder / 'log', 'ab') as log:
            child = subprocess.Popen([sys.executable, '-u', folder / 'code' / 'main.py'], cwd=self._root, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, env={**os.environ, run_json.ENVIRONMENT: str(folder)})
        try:
            return child.wait()
        finally:
            child.kill()
            child.wait()


def on_the_desk(repository):
    """The files of code/ as `run` would record them, read where they lie: HEAD's and new ones, without what git ignores."""
    code, prefix, head = repository.root / 'code', f'{repository.prefix}code/', repository.resolve('HEAD')
    paths = {entry.path for entry in repository.tree(head, 'code')} if head else set()
    paths |= {change.path.removeprefix(prefix) for change in repository.changes() if change.path.startswith(prefix)}
    files = [_file(code / path, path) for path in sorted(paths) if not path.startswith(snapshot.LEFT_OUT) and os.path.lexists(code / path)]
    if 'main.py' not in [file.path for file in files]:
        raise Refusal('code/main.py is missing, or git ignores it: there is nothing to train')
    return files


def _file(place, path):
    try:
        if place.is_symlink():
            return snapshot.File(path, snapshot.LINK, os.fsencode(os.readlink(place)))
        executable = place.stat().st_mode & stat.S_IXUSR
        return snapshot.File(path, snapshot.EXECUTABLE if executable else '100644', place.read_bytes())
    except OSError as error:
        raise Refusal(f'code/{path} cannot be read: {error.strerror}') from None


def _check(code, folder):
    """Raises Failed, with the reason that the training gave, if it did not end well."""
    if code < 0:
        raise Failed(f'ended by {signal.Signals(-code).name}')
    if code:
        try:
            message = statistic.read(folder).get('message')
        except (OSError, ValueError):
            message = None
        lines = (folder / 'log').read_text(errors='replace').split('\n')
        raise Failed(message or next(filter(str.strip, reversed(lines)), f'ended with exit code {code}'))
