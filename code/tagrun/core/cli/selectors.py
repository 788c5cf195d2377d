"""The runs that the words of a command line name: TAG, TAG/ID, a unique prefix of a tag, @last, or
the path of a run's folder. Where several runs are allowed, @<set> names those of a list.

    run(root, 't1')                          # RunRef('t1', 2): the latest run of the tag
    several(root, ['t1', '@record'])         # all runs of the tag, and those of a list
    checkpoint(root, 't1/0:best')            # (RunRef('t1', 0), 'epoch_3.pth')
    evaluation(root, 't1/0/evaluation/2')    # EvaluationRef, or None for another kind of word
"""

import contextlib
import glob
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from tagrun.core.cli.messages import UserError, did_you_mean, echo, plural, quote
from tagrun.core.tables import sets
from tagrun.store import (
    checkpoints,
    evaluations,
    experlist,
    layout,
    run_json,
    run_ref,
    statistic,
)
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef

CLOCKS_S = 1  # by which two clocks of one machine may differ


def run(root: Path, word: str) -> RunRef:
    """Return the run that a word names, of a bare tag the latest. Raises UserError."""
    tag, number = parts(root, word)
    known = layout.numbers(root, tag)
    if number is None and known:
        return RunRef(tag, known[-1])
    if number is None or number not in known:
        ids = f', {known[0]} to {known[-1]}' if known else ''
        raise UserError(f'run {word!r} does not exist: {tag} has {plural(len(known), "run")}{ids}')
    return RunRef(tag, number)


def several(root: Path, words: Iterable[str]) -> list[RunRef]:
    """Return the runs that words name, each once, of a bare tag all. Raises UserError."""
    runs: dict[RunRef, None] = {}
    for word in words:
        runs.update(dict.fromkeys(_of_word(root, word)))
    return list(runs)


def parts(root: Path, word: str) -> tuple[str, int | None]:
    """Return (tag, id or None) of a word, the tag written in full. Raises UserError."""
    if word == '@last':
        return last(root)
    split = run_ref.split(word) or _of_path(root, word)
    if split is None:
        raise UserError(f'{word!r} is not a run. Use <tag> or <tag>/<id>, e.g. t1/0', code=2)
    tag, number = split
    if layout.numbers(root, tag):
        return tag, number
    tags = [name for name in layout.tags(root) if layout.numbers(root, name)]
    near = sorted(name for name in tags if name.startswith(tag))
    if len(near) == 1:
        return near[0], number
    if near:
        more = ' …' if len(near) > 5 else ''
        raise UserError(f'{tag!r} could be {", ".join(near[:5])}{more}')
    if layout.list_file(root, tag).is_file():
        raise UserError(f'{tag!r} is a set and not a tag: @{tag} names its runs')
    failed = sorted(layout.failed(root).glob(f'{glob.escape(tag)}-[0-9]*-[0-9]*/log'))
    if failed:
        log = os.path.relpath(failed[-1], os.getcwd())
        raise UserError(f'{tag!r} failed before its first step, its name is free: {quote(log)}')
    raise UserError(f'{tag!r} has no run here.{did_you_mean(tag, tags)}')


def checkpoint(root: Path, word: str, which: str = 'last') -> tuple[RunRef, str]:
    """Return (run, file name) of the checkpoint that a word names. Raises UserError.

    A word is <run>:<checkpoint>; store.checkpoints.named has the forms of the latter. which: the
    checkpoint of a word without a colon.
    """
    name, colon, given = word.partition(':')
    ref, which = run(root, name), given if colon else which
    folder = ref.folder(root)
    file = checkpoints.named(folder, which)
    if file:
        return ref, file
    names = [Path(each).stem for each in checkpoints.listed(folder)]
    known = f'it has {", ".join(names)}' if names else 'it has no checkpoint here'
    raise UserError(f'{ref} has no checkpoint {which!r}: {known}')


def with_checkpoint(word: str) -> tuple[str, str]:
    """Return (what names the runs, the checkpoint or '') of '<runs>:<checkpoint>'.

    A path may have a colon of its own.
    """
    name, colon, which = word.rpartition(':')
    return (word, '') if not colon or '/' in which else (name, which)


def evaluation(root: Path, word: str) -> EvaluationRef | None:
    """Return the evaluation that '<run>/evaluation/<n>' or the path of its folder names.

    None for any other word. Raises UserError for one that is not there.
    """
    text = word.rstrip('/')
    paths = _below_results(root, text) if '/' in text else []
    named = next(filter(None, map(EvaluationRef.parse, [text, *paths])), None)
    if named is None:
        return None
    ref = EvaluationRef(run(root, str(named.run)), named.number)
    if ref.folder(root).is_dir():
        return ref
    known = [str(each.number) for each in evaluations.of_run(root, ref.run)]
    has = f'it has {", ".join(known)}' if known else f'`tagrun evaluate {ref.run}` makes one'
    raise UserError(f'{ref.run} has no evaluation {ref.number}: {has}')


def last(root: Path) -> RunRef:
    """Return the run that was made last, here. Raises UserError where no run exists."""
    folders = [RunRef(tag, each) for tag in layout.tags(root) for each in layout.numbers(root, tag)]
    changed = {run: os.stat(f'{layout.result(root)}/{run}').st_ctime for run in folders}
    newest: tuple[bool, float, RunRef] | None = None
    # a folder changes after it was made: most need not be read
    for run in sorted(changed, key=changed.__getitem__, reverse=True):
        if newest and newest[0] and changed[run] + CLOCKS_S < newest[1]:
            break
        candidate = _made(root, run, changed[run])
        newest = max(newest or candidate, candidate)
    if newest is None:
        raise UserError('no run exists yet: `run first` makes one')
    return newest[-1]


def _made(root: Path, run: RunRef, changed: float) -> tuple[bool, float, RunRef]:
    """Return (whether it was made here, when in seconds, the run).

    changed: when its folder did, for a run that is being made.
    """
    folder = run.folder(root)
    info = run_json.read_or_none(folder) or {}
    is_own = not info.get('fetched_from') and not info.get('imported')
    started = (statistic.read_or_none(folder) or {}).get('time', {}).get('started')
    for text in (info.get(run_json.CREATED), started):
        with contextlib.suppress(ValueError):
            seconds = datetime.fromisoformat(str(text).replace('Z', '+00:00')).timestamp()
            return is_own, seconds, run
    return is_own, changed, run


def _of_path(root: Path, word: str) -> tuple[str, int | None] | None:
    """Return (tag, id or None) of the folder of a run or tag; None for any other word."""
    if '/' not in word:
        return None
    paths = _below_results(root, word)
    return run_ref.split(paths[0]) if paths else None


def _below_results(root: Path, word: str) -> list[str]:
    """Return a path as seen from the folder of all runs; [] for one that is not below it."""
    below = []
    # the project or its results may be reached through a link
    for absolute in (os.path.abspath, os.path.realpath):
        path, results = Path(absolute(word)), absolute(layout.result(root))
        if path.is_relative_to(results):
            below.append(path.relative_to(results).as_posix())
    return below


def _of_word(root: Path, word: str) -> list[RunRef]:
    if word.startswith('@') and word != '@last':
        return _of_set(root, word[1:])
    tag, number = parts(root, word)
    if number is None:
        return [RunRef(tag, each) for each in layout.numbers(root, tag)]
    return [run(root, f'{tag}/{number}')]


def _of_set(root: Path, name: str) -> list[RunRef]:
    """Return the runs of a list. Its bad lines are reported, and the others count."""
    listed = experlist.read(root, sets.name(root, name))
    for bad in listed.bad:
        echo(f'{name}.txt, line {bad.number}: {bad.text}: {bad.reason}')
    if not listed.runs:
        raise UserError(f'the set {name!r} is empty: `record <tag> --to {name}` adds a run')
    return listed.runs
