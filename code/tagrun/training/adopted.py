"""Begin a run with everything that another run's checkpoint holds: `run --from`.

    name = adopt(folder, root, each, state, built)      # 'epoch_3.pth', from which it resumes

each: the Input; built: rebuilt.settings(state). The checkpoint becomes one of this run's own, and
the other run's best one so far with it, so that epoch_best.pth is there. They hold that nothing of
this run's trace and TensorBoard files is written yet. Both are listed at once: after a kill in
between the run begins anew. What the other run's optimizer and scheduler were set to gives way to
this run's code and arguments (rebuilt.py), and the best epoch is chosen anew where this run
monitors something else.
"""

from pathlib import Path
from typing import Any

from tagrun.store import beneath
from tagrun.store import checkpoints as store
from tagrun.store.inputs import Input
from tagrun.training import checkpoint, rebuilt
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.input_weights import InputError
from tagrun.training.rebuilt import Settings
from tagrun.training.report import info

HISTORY = 'history'


def adopt(folder: Path, root: Path, each: Input, state: Any, built: Settings) -> str:
    """Make a checkpoint of another run this run's own; return its name. Raises InputError.

    The caller has verified it. folder: this run's.
    """
    assert each.run is not None
    source = each.run.folder(root)
    path = each.path(root)
    if path is None:
        raise InputError(f'input {each.words} is not here any more')
    content = _load(source, path.name, each)
    new = _as_own(content, state, built)
    for change in rebuilt.changes(content.get('built'), built):
        info(f'  {change}')
    beneath.make_folder(folder / store.FOLDER)
    listed = _adopted_best(folder, source, path.name, state, built, new)
    listed[each.file] = _write(folder, source, path.name, each.file, new)
    store.write_sums(folder, listed)
    return each.file


def give_up(folder: Path) -> None:
    """Drop the adopted checkpoints, which do not fit the state."""
    store.write_sums(folder, {})


def _load(source: Path, name: str, each: Input) -> dict[str, Any]:
    try:
        return checkpoint.load(source, name)
    except (checkpoint.Damaged, OSError) as error:
        raise InputError(f'input {each.words} cannot be read: {error}') from None


def _as_own(content: dict[str, Any], state: Any, built: Settings) -> dict[str, Any]:
    """Return a checkpoint's content as one of this run, which has written no file yet."""
    saved = rebuilt.merged(content['state'], content.get('built'), built)
    if isinstance(state.history, EpochHistory) and HISTORY in saved:
        saved[HISTORY] = state.history.judged_anew(saved[HISTORY])
    return {**content, 'state': saved, 'trace': 0, 'tensorboard': {}, 'built': built}


def _adopted_best(
    folder: Path, source: Path, start: str, state: Any, built: Settings, new: dict[str, Any]
) -> dict[str, str]:
    """Write the best checkpoint so far, if it is another one and there; return {name: SHA-256}."""
    best = new['state'].get(HISTORY, {}).get('best_epoch', 0)
    name = f'epoch_{best}.pth'
    if not best or name == start:
        return {}
    try:
        content = checkpoint.load(source, name)
    except (checkpoint.Damaged, OSError, KeyError):
        info(
            f'tagrun: the best epoch so far is {best}, and its checkpoint is gone: epoch_best.pth '
            'comes with a better one'
        )
        return {}
    return {name: _write(folder, source, name, name, _as_own(content, state, built))}


def _write(folder: Path, source: Path, name: str, own_name: str, content: dict[str, Any]) -> str:
    """Write a checkpoint, with its folder of shards; return its SHA-256. It is not listed yet."""
    target = folder / store.FOLDER / own_name
    store.copy_shards(source / store.FOLDER / name, target)
    return checkpoint.write(target, content)
