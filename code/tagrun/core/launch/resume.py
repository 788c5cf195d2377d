"""Continue a run: itself from its newest checkpoint, or a new run from an earlier one.

    code = resume(repository, folder, options)                  # what `continue t1/0` does
    code = branch(repository, folder, 'best', options)          # … with --from best

launch writes the run's own code again from git where it was changed. Nothing is overwritten.
"""

import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch, ownership
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.launch.ownership import Owned
from tagrun.core.record import claim, input_files, provenance
from tagrun.store import (
    atomic,
    beneath,
    checkpoints,
    inputs,
    pruning,
    run_json,
    statistic,
    trace,
)

BEST = 'best'
WORDS = re.compile('best|last|[0-9]{1,9}')  # what can name nothing but a checkpoint of the run
EVENTS = 'tensorboard'
FROM_FILE = 'epoch_start.pth'  # what a checkpoint from elsewhere is called in the new run


def resume(repository: Repository, folder: Path, options: LaunchOptions | None = None) -> int:
    """Go on with the run in `folder`; return the exit code, 0 where it is finished already."""
    info, options = read_resumable(repository, folder), options or LaunchOptions()
    # an engine's job owns it later; of a finished run no file is touched
    if options.engine or _is_done(folder):
        ownership.refuse_owned(folder)
        if not prepare(repository, folder, info):
            return 0
        return launch.start_run(repository, folder, options)
    with Owned(folder) as owned:
        return resume_owned(repository, owned, options)


def resume_owned(repository: Repository, owned: Owned, options: LaunchOptions) -> int:
    """Go on with a run that we own, as `resume`; its run.json was verified."""
    folder = owned.folder
    # as it is now: another process may have trained it until just before
    if not prepare(repository, folder, run_json.read(folder)):
        return 0
    launch.set_process_count(folder, options.process_count)
    return launch.start_owned(repository, owned, options)


def branch(repository: Repository, source: Path, start: str, options: LaunchOptions) -> int:
    """Begin a new run from a checkpoint of the run in `source`; return the exit code.

    start: an epoch's number, best, or a file's path.
    """
    info = read_resumable(repository, source)
    count = options.process_count or launch.process_count(source)
    folder = create_branch(repository, source, info, start)
    return launch.start_run(repository, folder, options._replace(process_count=count))


def read_resumable(repository: Repository, folder: Path) -> dict[str, Any]:
    """Return the run.json of a run whose code and checkpoints can be here. Raises UserError."""
    info = provenance.read_verified(repository, folder)
    if info.get('fetched_from'):
        name = run_json.name(info)
        raise UserError(
            f'{name} was fetched from {info["fetched_from"]}, and its checkpoints '
            f'did not come along: `rerun {name} -f` makes it again'
        )
    return info


# --- the run itself ----------------------------------------------------------------------------


def prepare(repository: Repository, folder: Path, info: dict[str, Any]) -> bool:
    """Make the run's own folder ready to go on; return False if there is nothing left to do.

    info: the content of its run.json. Nobody else trains it.
    """
    name = run_json.name(info)
    if _is_finished(folder):
        echo(
            f'{name} is finished: `rerun {name}` runs it again, `continue {name} --from '
            'best` goes on from a checkpoint'
        )
        return False
    pruning.clear(folder)
    newest = checkpoints.newest(folder)
    if not newest:
        _refuse_lost_list(folder, name)
        input_files.check(repository.root, info.get('inputs'), name)
        start = inputs.names(info.get('inputs'))
        again = f', with {start}' if start else ''
        echo(f'{name} has no checkpoint yet: it begins anew{again}, with its own seed')
    run_json.write(folder, {**info, 'resume': newest})
    return True


def _is_done(folder: Path) -> bool:
    content = statistic.read_or_none(folder) or {'status': statistic.CREATED}
    return content['status'] == statistic.FINISHED and not statistic.hook_failed(content)


def _is_finished(folder: Path) -> bool:
    try:
        content = statistic.read(folder)
        if statistic.hook_failed(content):
            echo(f'{content["run"]} is trained, but {content["message"]}: it is called again')
            return False
        return bool(statistic.state(folder, content) == statistic.FINISHED)
    except FileNotFoundError:  # its training wrote nothing yet
        return False
    except (OSError, ValueError) as error:
        echo(f'tagrun: {statistic.NAME} cannot be read ({error}); training writes it again')
        return False


def _refuse_lost_list(folder: Path, name: str) -> None:
    """Raise UserError where there are checkpoints, and what says that they are whole is gone."""
    lost = checkpoints.lost_list(folder)
    if lost:
        raise UserError(
            f'{name} has {plural(len(lost), "checkpoint")}, the newest {lost[-1]}, but '
            f'{checkpoints.SUMS}, which lists the whole ones, is lost: `tagrun doctor --fix` reads '
            f'each and lists it again. To begin anew instead, move {folder / checkpoints.FOLDER} '
            'away'
        )


# --- a new run from a checkpoint ---------------------------------------------------------------


def create_branch(repository: Repository, source: Path, info: dict[str, Any], start: str) -> Path:
    """Create a run that begins with one of `source`'s checkpoints, or a file; return its folder.

    info: the content of source's run.json. start: as in `branch`. Raises UserError.
    """
    path = _checkpoint(source, start)
    _refuse_damaged(path)
    is_own = path.parent == source / checkpoints.FOLDER
    name = path.name if is_own else FROM_FILE
    more = {'continued_from': run_json.name(info), 'resume': name, **run_json.settings(info)}
    folder = claim.create_run(repository, info['tag'], info['commit'], info['seed'], more)
    _copy_checkpoint(path, folder, name)
    _copy_history(source, folder)
    echo(f'{info["tag"]}/{folder.name}: goes on from {name} of {run_json.name(info)}')
    return folder


def _refuse_damaged(path: Path) -> None:
    """Raise UserError if a checkpoint is not what was written, before a run is spent on it."""
    folder = path.parents[1]
    # of a run: the digest that was written down with it
    expected = checkpoints.listed(folder).get(path.name)
    if expected and checkpoints.digest(path) != expected:
        others = [name for name in checkpoints.listed(folder) if name != path.name]
        hint = f': take another one: {", ".join(others)}' if others else ''
        raise UserError(
            f'{path.name} of {folder.parent.name}/{folder.name} is damaged, its SHA-256 is not the '
            f'one in {checkpoints.SUMS}{hint}'
        )
    if not expected and not checkpoints.is_whole(path):
        raise UserError(f'--from {path}: it is damaged: a part of it does not have its CRC-32')


def _copy_checkpoint(path: Path, folder: Path, name: str) -> None:
    """Put a checkpoint, with its folder of shards, into a new run as `name`."""
    checkpoint = folder / checkpoints.FOLDER
    checkpoint.mkdir()
    checkpoints.copy(path, checkpoint / name)
    checkpoints.write_sums(folder, {name: checkpoints.digest(path)})


def _copy_history(source: Path, folder: Path) -> None:
    """Copy trace and curves: training cuts them back to what the checkpoint knew of them."""
    if (source / trace.NAME).exists():
        atomic.copy_content(source / trace.NAME, folder / trace.NAME)
    if (source / EVENTS).is_dir():
        beneath.check(source / EVENTS)
        shutil.copytree(source / EVENTS, folder / EVENTS, copy_function=atomic.copy_content)


def _checkpoint(source: Path, start: str) -> Path:
    """Return the file that --from names, as checkpoints.named or by a path. Raises UserError."""
    name = checkpoints.named(source, start)
    if name:
        return source / checkpoints.FOLDER / name
    if os.path.isfile(os.path.expanduser(start)) or not WORDS.fullmatch(start):
        return _file(start)
    what = {BEST: 'the best epoch', 'last': 'any epoch'}.get(start, f'epoch {start}')
    listed = ', '.join(checkpoints.listed(source))
    raise UserError(f'there is no checkpoint of {what}; there is {listed or "none"}')


def _file(start: str) -> Path:
    """Return the checkpoint at a path, before a run is spent on it.

    Raises UserError for a file that torch.save did not write.
    """
    path = Path(os.path.realpath(os.path.expanduser(start)))
    # not path.is_file(), which raises for a name that is too long
    if not os.path.isfile(path):
        raise UserError(f"--from {start}: an epoch's number, best, last, or a checkpoint's path")
    try:
        if zipfile.is_zipfile(path):
            return path
    except OSError as error:
        raise UserError(f'--from {start}: {error.strerror}') from None
    raise UserError(
        f'--from {start}: it is not a checkpoint: torch.save writes a zip archive, and this is '
        'not one'
    )
