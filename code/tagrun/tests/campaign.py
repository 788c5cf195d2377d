"""The fault campaign on training and saving: each function breaks runs in one way, and counts what did not come back.

    with Runs(folder, data, **SETTINGS) as runs: kills(runs, 1000, seed=1)      # Tally(tried=1000, bad=[], …)

test_campaign.py runs a short version of each; bench/proof.py the full one, and makes the scoreboard of it. What is broken: processes
(at random instants, at each file-system call, by signals), the power, the bits of a checkpoint. The random instants come
from `seed`, so that what failed can be tried again, though a machine's speed has its say in where they fall.
"""
import contextlib
import csv
import importlib
import io
import random
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from conftest import make_project
from forks import Server
from power import Disk

from tagrun.command import prepare, recorded
from tagrun.command.git import Repository
from tagrun.store import checkpoints, layout, statistic

resuming = importlib.import_module('tagrun.command.continue')

# augmentation, dropout, accumulation, clipping, a schedule; a save every tenth of a second, so that faults find all kinds of place
BUSY = {'epochs': '6', 'augment': '0.1', 'dropout': '0.3', 'accumulate': '2', 'clip_norm': '1.0', 'warmup': '5', 'batch_size': '50',
        'save_minutes': '0.002', 'keep_last': '3'}
SHORT = {**BUSY, 'epochs': '2', 'batch_size': '400', 'save_minutes': '0.0', 'keep_last': '100'}     # 18 steps, each saved and kept
KINDS = {'linear': {'model': "'linear'"}, 'mlp': {}, 'cnn': {'model': "'cnn'", 'channels': '8'}, 'gru': {'model': "'gru'"},
         'mlp, two data workers': {'workers': '2'}}
EVENTS = 'tensorboard/*'    # thousands of small appends, which no promise rests on
SIGNALS = {'SIGINT': [signal.SIGINT], 'SIGTERM': [signal.SIGTERM], 'SIGHUP': [signal.SIGHUP], 'SIGUSR1': [signal.SIGUSR1],
           'SIGINT twice within 50 ms': [signal.SIGINT, signal.SIGINT]}
HANDLERS_S = 0.15           # seconds in which a forked child has its signal handlers, on a busy machine too
LAST_S = 0.8                # the latest moment of a random kill after a start


class Tally(NamedTuple):
    tried: int
    bad: list               # a sentence for each that did not come back
    more: Any = None        # what else was measured


class Runs:
    """Runs of one project with one seed, and what the run that nobody touched came to."""

    def __init__(self, folder, data, **settings):
        self.project = make_project(Path(folder) / "a 'b; c", data, **settings)
        self.project.tagrun('run', '-f', 't1')
        self.untouched = self.project.outcome('t1/0')
        self.repository = Repository.at(self.project.root)
        self._commit, self._seed = self.repository.resolve('refs/tags/t1^{commit}'), self.project.statistic('t1/0')['seed']
        self.server = Server(self.project.root / 'code')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def new(self):
        """The folder of one more run of the same commit and seed, not begun."""
        return prepare.new_run(self.repository, 't1', self._commit, self._seed)

    def resume(self, folder):
        """Make the run ready to go on, as `continue` does; False where it says that the run is finished."""
        with contextlib.redirect_stderr(io.StringIO()):     # what it says to a user
            return resuming._resume(self.repository, folder, recorded.run(self.repository, folder))

    def finish(self, folder):
        """Continue the run to its end. Returns what is wrong with it then, or ''."""
        if self.resume(folder):
            ended = self.server.train(folder)
            if ended.code:
                return f'{folder.name}: continued, it ended with {ended.code}: {_last_line(folder)}'
        return self.wrong(folder)

    def wrong(self, folder):
        """What sets a finished run apart from the untouched one, or ''."""
        name = f't1/{folder.name}'
        if self.project.statistic(name)['status'] != statistic.FINISHED:
            return f'{folder.name}: its status is {self.project.statistic(name)["status"]}'
        if layout.list_file(self.project.root, 'finished').read_text().splitlines().count(name) != 1:
            return f'{folder.name}: finished.txt does not list it once'
        outcome = self.project.outcome(name)
        return ''.join(f'{folder.name}: another {what} than the untouched run' for what in outcome if outcome[what] != self.untouched[what])

    def steps_of_an_epoch(self):
        return sum(line.split(',')[1] != '' for line in self.untouched['trace'].splitlines()[1:]) // len(self.untouched['history'])

    def done_with(self, folder):
        shutil.rmtree(folder)


# --- random kills --------------------------------------------------------------------------------------------------

def kills(runs, count, seed):
    """kill -9 at random instants, until `count` have struck and each run has finished. more: (runs finished, [steps lost by each kill])."""
    moments, struck, finished, lost, bad = random.Random(seed), 0, 0, [], []
    while struck < count:
        folder, ended = runs.new(), None
        while struck < count and not (ended and ended.code == 0):
            ended = runs.server.train(folder, kill_after=moments.uniform(0, LAST_S))
            if ended.code == -signal.SIGKILL:
                struck += 1
                bad += damage(folder)
                lost.append(max(0, ended.step - _saved_step(folder, runs)))      # 0 steps: killed before its first
            elif ended.code:
                bad.append(f'{folder.name}: ended with {ended.code}: {_last_line(folder)}')
                break
            if not runs.resume(folder):
                break
        bad += filter(None, [runs.finish(folder)])
        finished += 1
        runs.done_with(folder)
    return Tally(struck, bad, (finished, lost))


def damage(folder, reported=None):
    """What a reader would find broken in the run, as sentences: torn files, dangling links, an epoch that was reported and is gone."""
    found = []
    epoch = _epoch(folder, found) if reported is None else reported
    listed = checkpoints.listed(folder)
    found += [f'{folder.name}: {name} is damaged' for name, digest in listed.items() if checkpoints.digest(folder / 'checkpoint' / name) != digest]
    for link in (folder / 'checkpoint').glob('epoch_[lb]*.pth'):
        found += [] if link.exists() else [f'{folder.name}: {link.name} dangles']
    saved = _place(next(reversed(listed), ''))[0]
    return found + ([f'{folder.name}: epoch {epoch} was reported, and {saved} is what is saved'] if saved < epoch else [])


def _epoch(folder, found):
    """The epoch that statistic.json reports; what cannot be read of it and of history.csv is added to `found`."""
    try:
        epoch = statistic.read(folder)['epoch']
        with open(folder / 'history.csv', newline='') as file:
            rows = [row for row in csv.reader(file)] if epoch else []
        return epoch if not epoch or len(rows) > epoch and {len(row) for row in rows} == {len(rows[0])} else found.append(f'{folder.name}: history.csv is torn') or 0
    except FileNotFoundError:
        return 0
    except ValueError as error:
        found.append(f'{folder.name}: statistic.json: {error}')
        return 0


def _place(name):
    """(epochs, steps of the next one) that a checkpoint's name tells: (3, 0) of epoch_3.pth, (3, 250) of epoch_4_train_250.pth."""
    parts = re.fullmatch(r'epoch_(\d+)(?:_(\w+)_(\d+))?\.pth', name)
    if not parts:
        return 0, 0
    return (int(parts[1]) - 1, int(parts[3]) if parts[2] == 'train' else None) if parts[2] else (int(parts[1]), 0)


def _saved_step(folder, runs):
    epochs, steps = _place(checkpoints.newest(folder) or '')
    each = runs.steps_of_an_epoch()
    return epochs * each + (each if steps is None else steps)


def _last_line(folder):
    return (folder / 'screen').read_text().strip().rpartition('\n')[2]


# --- each file-system call ------------------------------------------------------------------------------------------

def every_call(runs, stride=1, without=EVENTS):
    """Kill a run at its n-th file-system call, n = 1, 1 + stride, … until it ends unharmed; a write is left half done. Each is continued."""
    tried, bad = 0, []
    for at in range(1, 100_000, stride):
        folder = runs.new()
        ended = runs.server.train(folder, calls={'action': 'kill', 'at': at, 'without': without})
        if ended.code == -signal.SIGKILL:
            tried += 1
            bad += [f'call {at}: {line}' for line in damage(folder)]
        elif ended.code:
            bad.append(f'call {at}: ended with {ended.code}: {_last_line(folder)}')
        bad += [f'call {at}: {line}' for line in [runs.finish(folder)] if line]
        runs.done_with(folder)
        if not ended.code:
            return Tally(tried, bad, at - 1)


# --- power cuts -------------------------------------------------------------------------------------------------------

def power_cuts(runs, count, seed, resumed=20):
    """Cut the power of a model disk `count` times, at random calls of a run that was stopped and continued once.

    What was not synced is lost, in part or whole, as a file system may. Every `resumed`-th surviving folder is trained to its end.
    """
    draw, calls, bad = random.Random(seed), _recorded(runs), []
    for number in range(count):
        disk = Disk(calls[:draw.randrange(1, len(calls) + 1)])
        folder = runs.new() if number % resumed == 0 else Path(tempfile.mkdtemp())
        disk.survive(folder, draw)
        bad += [f'cut {number}: {line}' for line in damage(folder, disk.reported)]
        if number % resumed == 0:
            bad += [f'cut {number}: {line}' for line in [runs.finish(folder)] if line]
        runs.done_with(folder)
    return Tally(count, bad, len(calls))


def _recorded(runs):
    """All calls of one run, in two sittings."""
    import pickle
    folder, calls = runs.new(), []
    with tempfile.TemporaryDirectory() as place:
        for signals in ([(0.5, signal.SIGTERM)], []):
            ended = runs.server.train(folder, signals=signals, calls={'action': 'record', 'without': EVENTS}, record=Path(place) / 'calls')
            assert ended.code in (0, 75), _last_line(folder)
            calls += pickle.loads((Path(place) / 'calls').read_bytes())
            runs.resume(folder)
    runs.done_with(folder)
    return calls


# --- damaged checkpoints ----------------------------------------------------------------------------------------------

DAMAGES = {
    'a bit flipped': lambda content, draw: _with(content, place := draw.randrange(len(content)), bytes([content[place] ^ 1 << draw.randrange(8)])),
    'cut': lambda content, draw: content[:draw.randrange(len(content))],
    'a page of zeros': lambda content, draw: _with(content, draw.randrange(len(content) // 512 + 1) * 512, bytes(512))[:len(content)],
    'a page of noise': lambda content, draw: _with(content, draw.randrange(len(content) // 512 + 1) * 512, draw.randbytes(512))[:len(content)],
    'bytes added': lambda content, draw: content + draw.randbytes(draw.randrange(1, 99)),
}


def _with(content, place, new):
    return content[:place] + new + content[place + len(new):]


def damaged_checkpoints(folder, count, whole, seed):
    """Damage the newest checkpoint of a run `count` times; load it whole `whole` times.

    more: {'alarms': false ones, 'stock': how many of the damaged torch.load alone took}.
    """
    import torch
    from tagrun.training import checkpoint
    draw, name, bad, stock, alarms, tried = random.Random(seed), checkpoints.newest(folder), [], 0, 0, 0
    path = folder / checkpoints.FOLDER / name
    content = path.read_bytes()
    while tried < count:
        kind, damage_it = draw.choice(list(DAMAGES.items()))
        damaged = damage_it(content, draw)
        if damaged == content:      # a page of zeros was one before
            continue
        tried += 1
        path.write_bytes(damaged)
        bad += [f'{kind}, number {tried}: loaded'] if _loads(lambda: checkpoint.load(folder, name)) else []
        stock += _loads(lambda: torch.load(path, weights_only=True))
    path.write_bytes(content)
    alarms = sum(not _loads(lambda: checkpoint.load(folder, name)) for _ in range(whole))
    return Tally(tried, bad + [f'{alarms} false alarms'] * bool(alarms), {'alarms': alarms, 'stock': stock})


def _loads(load):
    try:
        load()
        return True
    except Exception:   # whatever torch may raise of damaged bytes
        return False


# --- again, and from each place -----------------------------------------------------------------------------------------

def reruns(runs, count):
    """Train the same commit and seed `count` times more."""
    bad = []
    for _ in range(count):
        folder = runs.new()
        ended = runs.server.train(folder)
        bad += [f'{folder.name}: ended with {ended.code}'] if ended.code else filter(None, [runs.wrong(folder)])
        runs.done_with(folder)
    return Tally(count, list(bad))


def resumes(runs, count):
    """Begin new runs from checkpoints of one run that kept them all, up to `count`: each epoch's end, and places within. more: how many within."""
    source, bad, within = runs.project.folder('t1/0'), [], 0
    names = list(checkpoints.listed(source))[:-1]
    ends = [name for name in names if _place(name)[1] == 0]
    others = [name for name in names if name not in ends]
    chosen = ends + others[::max(1, len(others) // max(1, count - len(ends)))][:max(0, count - len(ends))]
    info = recorded.run(runs.repository, source)
    for name in chosen:
        within += name in others
        with contextlib.redirect_stderr(io.StringIO()):
            folder = resuming._from(runs.repository, source, info, str(source / checkpoints.FOLDER / name))
        ended = runs.server.train(folder)
        bad += [f'from {name}: ended with {ended.code}'] if ended.code else [f'from {name}: {line}' for line in [runs.wrong(folder)] if line]
        runs.done_with(folder)
    return Tally(len(chosen), bad, within)


# --- signals --------------------------------------------------------------------------------------------------------------

def signals(runs, kind, count, seed):
    """Send signals at random moments of training, every other one in the middle of a save; each run is continued to its end.

    A stop must exit with 75 or 130, say interrupted and be resumable. more: the seconds from each signal to the exit.
    """
    draw, bad, late, tried = random.Random(seed), [], [], 0
    while tried < count:
        folder = runs.new()
        while tried < count:
            sent, ended = SIGNALS[kind], _signalled(runs, folder, SIGNALS[kind], draw, in_save=tried % 2)
            if ended.code == 0:
                break
            tried += 1
            late.append(ended.late)
            bad += _not_clean(folder, ended, 130 if sent[0] == signal.SIGINT else 75) + damage(folder)
            if not runs.resume(folder):
                break
        bad += filter(None, [runs.finish(folder)])
        runs.done_with(folder)
    return Tally(tried, bad, late)


def _signalled(runs, folder, sent, draw, in_save):
    """Train until the signals end it: at a random moment, or at a random call of a save, the second up to 50 ms later."""
    if in_save and len(sent) == 1:
        return runs.server.train(folder, calls={'action': 'signal', 'signal': sent[0], 'at': draw.randrange(1, 60), 'name': 'checkpoint/*'})
    moment = HANDLERS_S + draw.uniform(0, LAST_S)
    return runs.server.train(folder, signals=[(moment + number * draw.uniform(0, 0.05), one) for number, one in enumerate(sent)])


def _not_clean(folder, ended, code):
    told, status = (folder / 'screen').read_text(), statistic.read(folder)['status']
    if ended.code != code:
        return [f'{folder.name}: ended with {ended.code}, not {code}: {_last_line(folder)}']
    if 'Traceback' in told:
        return [f'{folder.name}: a traceback was shown']
    return [] if status == statistic.INTERRUPTED else [f'{folder.name}: its status is {status}']
