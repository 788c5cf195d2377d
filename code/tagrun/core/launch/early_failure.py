"""Take back a run that failed before its first training step: its name is free, its log is kept.

    made = Made({'refs/tags/wide': tag_id, run.code_ref: commit}, ['run', 'wide'])
    freed = early_failure.take_back(repository, folder, made)       # None: it stays as it is

Of git it takes only what `made` lists, and only where that is still what the command made. A tag
that another run, a list or a remote uses stays. The folder moves to __result__/.failed/<tag>-<id>-
<time>. In this order, so that a kill in between leaves nothing half-made for long:

    1. .failed/<name>.json says what is to be taken back
    2. the folder is renamed to .failed/<name>
    3. git deletes the refs, all in one transaction
    4. .failed/<name>.json is deleted

A kill before 2 leaves a failed run as any other. After it, `finish_pending` goes on: `run` calls it
at its start, and `doctor --fix` too.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import echo, quote
from tagrun.core.git import refs
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import tensorboard
from tagrun.store import atomic, experlist, first_step, jsonfile, layout, lock, run_json
from tagrun.store.run_ref import CODE, REMOTE, TAGS, RunRef

MOST = 20  # failed runs that are kept
ENDING = '.json'  # of a journal's name
TRIES = 3  # where somebody moves a ref meanwhile
LOG = 'log'


class Made(NamedTuple):
    """What a command made for a run."""

    refs: Mapping[str, str]  # {full name: id}
    words: Sequence[str]  # that make it again: ['run', 'wide', '--set', 'lr=0.1']


class Freed(NamedTuple):
    """A run that was taken back."""

    run: RunRef
    tag_is_free: bool
    log: Path


def of_run(folder: Path, words: Sequence[str]) -> Made:
    """Return what was made for a further run of a tag: its own ref alone."""
    info = run_json.read(folder)
    return Made({run_json.ref(info).code_ref: info['commit']}, words)


def take_back(repository: Repository, folder: Path, made: Made) -> Freed | None:
    """Take back the run in `folder` if it trained nothing and nothing uses it; else return None."""
    run = RunRef.of_folder(folder)
    try:
        owned = lock.Lock(folder)
    except (lock.Held, OSError):
        return None
    try:
        if first_step.is_done(folder) or _is_used(repository, run):
            return None
        name = f'{run.tag}-{run.number}-{time.strftime("%Y%m%d-%H%M%S")}'
        kept = _free_path(layout.failed(repository.root) / name)
        kept.parent.mkdir(exist_ok=True)
        journal = _journal(kept)
        jsonfile.write(journal, {'run': str(run), 'refs': dict(made.refs)})
        _write_last_line(folder / LOG, run)
        _move(folder, kept)
    except OSError as error:
        echo(f'tagrun: {run} stays where it is ({error})')
        return None
    finally:
        owned.release()
    try:
        _finish(repository, journal)
    except (GitError, OSError, ValueError) as error:
        echo(f'tagrun: git keeps the name ({error}): `tagrun doctor --fix` frees it')
    _remove_oldest(kept.parent)
    return Freed(run, not repository.refs(TAGS + run.tag), kept / LOG)


def finish_pending(repository: Repository) -> None:
    """Go on with what a kill interrupted."""
    for journal in pending(repository.root):
        with contextlib.suppress(OSError, ValueError, GitError):
            finish(repository, journal)


def pending(root: Path) -> list[Path]:
    """Return the journals of runs whose taking back is not finished."""
    return sorted(layout.failed(root).glob(f'[!.]*{ENDING}'))


def finish(repository: Repository, journal: Path) -> None:
    """Go on with one. Where the folder was not moved the run stays.

    Raises GitError, OSError or ValueError.
    """
    content = jsonfile.read(journal)
    run = RunRef.parse(str(content.get('run')))
    folder = run.folder(repository.root) if run else None
    if folder and folder.is_dir():
        # it was not moved, or its id is another run's by now; one without run.json is being made
        if lock.owner(folder) is None and (folder / run_json.NAME).is_file():
            journal.unlink(missing_ok=True)
    else:
        _finish(repository, journal)


def report(freed: Freed, made: Made) -> None:
    """Say what is free again, where the log is and what to type."""
    what = f'the name {freed.run.tag!r} is free again' if freed.tag_is_free else ''
    echo()
    echo(f'nothing was trained: {what or f"{freed.run} is free again"}')
    echo(f'  log      {quote(os.path.relpath(freed.log, os.getcwd()))}')
    echo(f'  again    {" ".join(map(quote, made.words))}')


def _finish(repository: Repository, journal: Path) -> None:
    """Delete the refs that a journal lists, then the journal."""
    content = jsonfile.read(journal)
    run, made = RunRef.parse(str(content.get('run'))), content.get('refs')
    if run is None or not isinstance(made, dict):
        raise ValueError(f'{journal.name} does not name a run and its refs')
    _delete_refs(repository, run, made)
    link = tensorboard.place(repository.root) / 'runs' / run.tag / str(run.number)
    with contextlib.suppress(OSError):
        link.unlink()
    for folder in (link.parent, run.folder(repository.root).parent):
        with contextlib.suppress(OSError):  # other runs are in it
            folder.rmdir()
    journal.unlink(missing_ok=True)


def _delete_refs(repository: Repository, run: RunRef, made: Mapping[str, Any]) -> None:
    """Delete those of `made` that are what the command made, all or none.

    The tag stays while another run of it is there; one that began meanwhile gets it back.
    """
    tag, own = TAGS + run.tag, (TAGS + run.tag, run.code_ref)
    for tries_left in reversed(range(TRIES)):
        now = dict(repository.refs(tag, ('refname', 'objectname'), [run.code_ref]))
        mine = {name: now[name] for name in own if name in now and now[name] == made.get(name)}
        if _others(repository, run):
            mine.pop(tag, None)
        try:
            refs.delete(repository, mine)
        except GitError:
            if not tries_left:
                raise
            continue
        if tag in mine and _others(repository, run):
            with contextlib.suppress(GitError):  # it was made anew
                repository.create_refs({tag: mine[tag]})
        return


def _others(repository: Repository, run: RunRef) -> bool:
    """Return whether git has another run of the tag."""
    rows = repository.refs(f'{CODE}{run.tag}/')
    return any(row[0] != run.code_ref for row in rows)


def _is_used(repository: Repository, run: RunRef) -> bool:
    """Return whether a result was recorded, as live sharing does, or a remote or a list has it."""
    if repository.refs(run.result_ref, further=[f'{REMOTE}*/*/{run}']):
        return True
    for name in experlist.sets(repository.root):
        try:
            if run in experlist.read(repository.root, name).runs:
                return True
        except (OSError, ValueError):
            continue
    return False


def _journal(kept: Path) -> Path:
    return kept.with_name(kept.name + ENDING)


def _free_path(path: Path) -> Path:
    """Return a path that is not there yet: two runs may fail in one second."""
    number, free = 1, path
    while free.exists() or _journal(free).exists():
        number += 1
        free = path.with_name(f'{path.name}-{number}')
    return free


def _move(folder: Path, kept: Path) -> None:
    os.rename(folder, kept)
    atomic.sync_folder(kept.parent)
    atomic.sync_folder(folder.parent)


def _write_last_line(log: Path, run: RunRef) -> None:
    with os.fdopen(atomic.open_to_append(log), 'a', encoding='utf-8') as file:
        file.write(f'tagrun: {run} trained nothing, and was taken back: its name is free again\n')


def _remove_oldest(failed: Path) -> None:
    """Keep the newest MOST."""
    folders = [path for path in failed.iterdir() if path.is_dir() and not path.is_symlink()]
    for path in sorted(folders, key=lambda path: path.lstat().st_mtime)[:-MOST]:
        if not _journal(path).exists():
            shutil.rmtree(path, ignore_errors=True)
