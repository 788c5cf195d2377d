"""The fault campaign on training and saving: each function breaks runs in one way.

    with Runs(make_project(folder, data, matrices=True, **BUSY)) as runs:
        kills(runs, 1000, seed=1)       # Tally(tried=1000, bad=[], …)

It counts what did not come back. test_campaign.py runs a short version of each; bench/proof.py runs
the full one and makes the scoreboard of it. Here processes are broken (at random instants, at each
file-system call) and the power is cut; signal_campaign.py sends signals, checkpoint_damage.py
damages the bits of checkpoints. The random instants come from `seed`, so that a failure can be
repeated, though where they fall depends on the machine's speed too.
"""

import contextlib
import csv
import io
import pickle
import random
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from forked_trainer import Server
from power_loss_disk import Disk

from tagrun.core.git.repository import Repository
from tagrun.core.launch import resume
from tagrun.core.record import claim, provenance
from tagrun.store import checkpoints, layout, statistic

# Augmentation, dropout, accumulation, clipping, a schedule; a save every tenth of a second, so that
# faults strike at all kinds of points.
BUSY = {
    'epochs': '6',
    'augment': '0.1',
    'dropout': '0.3',
    'grad_accum_steps': '2',
    'grad_clip': '1.0',
    'warmup': '5',
    'batch_size': '50',
    'save_minutes': '0.002',
    'keep_last': '3',
}
# 18 steps, each saved and kept
SHORT = {**BUSY, 'epochs': '2', 'batch_size': '400', 'save_minutes': '0.0', 'keep_last': '100'}
KINDS = {
    'linear': {'model': "'linear'"},
    'mlp': {},
    'cnn': {'model': "'cnn'", 'channels': '8'},
    'gru': {'model': "'gru'"},
    'mlp, two data workers': {'num_workers': '2'},
}
EVENTS = 'tensorboard/*'  # thousands of small appends, which no promise rests on
LAST_S = 0.8  # the latest moment of a random kill after a start


class Tally(NamedTuple):
    """bad: a sentence for each run that did not come back. more: what else was measured."""

    tried: int
    bad: list
    more: Any = None


class Runs:
    """Runs of one project with one seed, and the outcome of the one that nobody disturbed.

    options: further words for `run`.
    """

    def __init__(self, project, options=()):
        self.project = project
        self.project.tagrun('run', '-f', 't1', *options)
        self.untouched = self.project.outcome('t1/0')
        self.repository = Repository.at(self.project.root)
        self._commit = self.repository.resolve('refs/tags/t1^{commit}')
        self._seed = self.project.statistic('t1/0')['seed']
        self.server = Server(self.project.root / 'code')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def new(self):
        """Return the folder of one more run of the same commit and seed, which has not begun."""
        return claim.create_run(self.repository, 't1', self._commit, self._seed)

    def resume(self, folder):
        """Prepare the run as `continue` does; return whether there is something left to train."""
        # what is printed is for a user
        with contextlib.redirect_stderr(io.StringIO()):
            info = provenance.read_verified(self.repository, folder)
            return resume.prepare(self.repository, folder, info)

    def finish(self, folder):
        """Continue the run to its end; return what is wrong with it then, or ''."""
        if self.resume(folder):
            ended = self.server.train(folder)
            if ended.code:
                return f'{folder.name}: continued, it ended with {ended.code}: {last_line(folder)}'
        return self.wrong(folder)

    def wrong(self, folder):
        """Return how a finished run differs from the undisturbed one, or ''."""
        name = f't1/{folder.name}'
        status = self.project.statistic(name)['status']
        if status != statistic.FINISHED:
            return f'{folder.name}: its status is {status}'
        lines = layout.list_file(self.project.root, 'finished').read_text().splitlines()
        if lines.count(name) != 1:
            return f'{folder.name}: finished.txt does not list it once'
        outcome = self.project.outcome(name)
        parts = [part for part in outcome if outcome[part] != self.untouched[part]]
        return ''.join(f'{folder.name}: another {part} than the untouched run' for part in parts)

    def steps_of_an_epoch(self):
        lines = self.untouched['trace'].splitlines()[1:]
        steps = [line for line in lines if line.split(',')[1]]
        return len(steps) // len(self.untouched['history'])

    def done_with(self, folder):
        shutil.rmtree(folder)


# ---- random kills ----


def kills(runs, count, seed):
    """Kill with -9 at random instants, `count` times, and continue each run to its end.

    more: (runs finished, [steps lost by each kill]).
    """
    moments = random.Random(seed)
    struck, finished, lost, bad = 0, 0, [], []
    while struck < count:
        folder, ended = runs.new(), None
        while struck < count and not (ended and ended.code == 0):
            ended = runs.server.train(folder, kill_after=moments.uniform(0, LAST_S))
            if ended.code == -signal.SIGKILL:
                struck += 1
                bad += damage(folder)
                # 0 steps: killed before its first
                lost.append(max(0, ended.step - _saved_step(folder, runs)))
            elif ended.code:
                bad.append(f'{folder.name}: ended with {ended.code}: {last_line(folder)}')
                break
            if not runs.resume(folder):
                break
        bad += filter(None, [runs.finish(folder)])
        finished += 1
        runs.done_with(folder)
    return Tally(struck, bad, (finished, lost))


def damage(folder, reported=None):
    """Return what a reader would miss in the run, as sentences.

    These are torn files, dangling links, and an epoch that was reported and is not saved.
    """
    sentences = []
    epoch = reported
    if epoch is None:
        epoch, sentences = _reported_epoch(folder)
    listed = checkpoints.listed(folder)
    for name, digest in listed.items():
        if checkpoints.digest(folder / 'checkpoint' / name) != digest:
            sentences.append(f'{folder.name}: {name} is damaged')
    for link in (folder / 'checkpoint').glob('epoch_[lb]*.pth'):
        if not link.exists():
            sentences.append(f'{folder.name}: {link.name} dangles')
    saved = progress(next(reversed(listed), ''))[0]
    if saved < epoch:
        sentences.append(f'{folder.name}: epoch {epoch} was reported, and {saved} is what is saved')
    return sentences


def _reported_epoch(folder):
    """Return (the epoch that statistic.json reports, [what is torn of it and of history.csv])."""
    try:
        epoch = statistic.read(folder)['epoch']
        with open(folder / 'history.csv', newline='') as file:
            rows = list(csv.reader(file)) if epoch else []
    except FileNotFoundError:
        return 0, []
    except ValueError as error:
        return 0, [f'{folder.name}: statistic.json: {error}']
    if epoch and (len(rows) <= epoch or {len(row) for row in rows} != {len(rows[0])}):
        return 0, [f'{folder.name}: history.csv is torn']
    return epoch, []


def progress(name):
    """Return (epochs, steps of the next one) that a checkpoint's name says.

    (3, 0) of epoch_3.pth, (3, 250) of epoch_4_train_250.pth, (3, None) in another phase.
    """
    parts = re.fullmatch(r'epoch_(\d+)(?:_(\w+)_(\d+))?\.pth', name)
    if not parts:
        return 0, 0
    if not parts[2]:
        return int(parts[1]), 0
    return int(parts[1]) - 1, int(parts[3]) if parts[2] == 'train' else None


def _saved_step(folder, runs):
    epochs, steps = progress(checkpoints.newest(folder) or '')
    each = runs.steps_of_an_epoch()
    return epochs * each + (each if steps is None else steps)


def last_line(folder):
    """Return the last line that a run's training printed."""
    return (folder / 'screen').read_text().strip().rpartition('\n')[2]


# ---- each file-system call ----


def every_call(runs, stride=1, without=EVENTS):
    """Kill a run at its n-th file-system call, n = 1, 1 + stride, … until it ends unharmed.

    A write is left half done. Each run is continued.
    """
    tried, bad = 0, []
    for at in range(1, 100_000, stride):
        folder = runs.new()
        ended = runs.server.train(folder, calls={'action': 'kill', 'at': at, 'without': without})
        if ended.code == -signal.SIGKILL:
            tried += 1
            bad += [f'call {at}: {line}' for line in damage(folder)]
        elif ended.code:
            bad.append(f'call {at}: ended with {ended.code}: {last_line(folder)}')
        bad += [f'call {at}: {line}' for line in [runs.finish(folder)] if line]
        runs.done_with(folder)
        if not ended.code:
            return Tally(tried, bad, at - 1)


# ---- power cuts ----


def power_cuts(runs, count, seed, resumed=20):
    """Cut the power of a model disk `count` times, at random calls of a run.

    The run was stopped and continued once.

    What was not synced is lost, in part or whole, as a file system may. Every `resumed`-th
    surviving folder is trained to its end.
    """
    draw, calls, bad = random.Random(seed), recorded_calls(runs), []
    for number in range(count):
        disk = Disk(calls[: draw.randrange(1, len(calls) + 1)])
        folder = runs.new() if number % resumed == 0 else Path(tempfile.mkdtemp())
        disk.survive(folder, draw)
        bad += [f'cut {number}: {line}' for line in damage(folder, disk.reported)]
        if number % resumed == 0:
            bad += [f'cut {number}: {line}' for line in [runs.finish(folder)] if line]
        runs.done_with(folder)
    return Tally(count, bad, len(calls))


def recorded_calls(runs):
    """Return all file-system calls of one run, which was stopped once."""
    folder, calls = runs.new(), []
    with tempfile.TemporaryDirectory() as records:
        for signals in ([(0.5, signal.SIGTERM)], []):
            ended = runs.server.train(
                folder,
                signals=signals,
                calls={'action': 'record', 'without': EVENTS},
                record=Path(records) / 'calls',
            )
            assert ended.code in (0, 75), last_line(folder)
            calls += pickle.loads((Path(records) / 'calls').read_bytes())
            runs.resume(folder)
    runs.done_with(folder)
    return calls


# ---- again, and from each place ----


def reruns(runs, count):
    """Train the same commit and seed `count` times more."""
    bad = []
    for _ in range(count):
        folder = runs.new()
        ended = runs.server.train(folder)
        reason = f'{folder.name}: ended with {ended.code}' if ended.code else runs.wrong(folder)
        bad += filter(None, [reason])
        runs.done_with(folder)
    return Tally(count, bad)


def resumes(runs, count):
    """Begin new runs from checkpoints of one run that kept them all, up to `count`.

    These are all ends of epochs, and points within. more: how many within.
    """
    source, bad = runs.project.folder('t1/0'), []
    names = list(checkpoints.listed(source))[:-1]
    ends = [name for name in names if progress(name)[1] == 0]
    others = [name for name in names if name not in ends]
    rest = max(0, count - len(ends))
    within = others[:: max(1, len(others) // max(1, rest))][:rest]
    info = provenance.read_verified(runs.repository, source)
    for name in ends + within:
        with contextlib.redirect_stderr(io.StringIO()):
            folder = resume.create_branch(
                runs.repository, source, info, str(source / checkpoints.FOLDER / name)
            )
        ended = runs.server.train(folder)
        reason = f'ended with {ended.code}' if ended.code else runs.wrong(folder)
        bad += [f'from {name}: {reason}'] if reason else []
        runs.done_with(folder)
    return Tally(len(ends + within), bad, len(within))
