"""Read a checkpoint of a run, verified first, on the CPU.

    content = read(root, RunRef('first', 0), 'epoch_3.pth', code).content
    content['state']['model']            # the model's state_dict

A checkpoint whose weights several processes had divided (`shard`) is put together: the run's own
tagrun/training/shards.py does that.
"""

from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError
from tagrun.extra.loading.frozen_import import FrozenCode
from tagrun.store import checkpoints
from tagrun.store.run_ref import RunRef

LONGEST_REASON = 200  # characters of why a file cannot be read: torch gives advice at length


class Checkpoint(NamedTuple):
    """A checkpoint, read."""

    file: str
    sha256: str
    content: dict[str, Any]


def of_word(root: Path, word: str) -> tuple[RunRef, str | None]:
    """Return (run, checkpoint's file) of '<run>:<checkpoint>'; the file is None of '<run>'.

    Raises UserError where there is no such run or checkpoint.
    """
    if ':' in word:
        return selectors.checkpoint(root, word)
    return selectors.run(root, word), None


def default(root: Path, ref: RunRef) -> str:
    """Return the file name of the best checkpoint, or else the newest. Raises UserError."""
    folder = ref.folder(root)
    file = checkpoints.best(folder) or checkpoints.newest(folder)
    if file is None:
        raise UserError(
            f'{ref} has no checkpoint here, and so no weights: `rerun {ref} -f` trains it again'
        )
    return file


def read(root: Path, ref: RunRef, file: str, code: FrozenCode) -> Checkpoint:
    """Return a checkpoint's content. Raises UserError where it is damaged or cannot be read."""
    folder = ref.folder(root)
    path = folder / checkpoints.FOLDER / file
    expected = checkpoints.listed(folder).get(file, '')
    _verify(ref, path, expected)
    content = _load(ref, path)
    for name, digest in content['state'].get('shards', {}).items():
        part = path.with_name(checkpoints.shards(file)) / Path(name).name
        _verify(ref, part, digest)
    if 'shards' in content['state']:
        whole = code.module('tagrun.training.shards').load_sharded(folder, file, content['state'])
        content = {**content, 'state': whole}
    return Checkpoint(file, expected, content)


def _verify(ref: RunRef, path: Path, expected: str) -> None:
    try:
        actual = checkpoints.digest(path)
    except (OSError, ValueError) as error:
        raise _unreadable(ref, path, getattr(error, 'strerror', None) or error) from None
    if actual != expected:
        raise UserError(
            f'{ref}: {path.name} is damaged: its SHA-256 is not the recorded one. '
            f'{_others(ref, path)}'
        )


def _load(ref: RunRef, path: Path) -> dict[str, Any]:
    import torch

    try:
        content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever a file that anybody may have written can raise
        raise _unreadable(ref, path, error) from error
    if not isinstance(content, dict) or not isinstance(content.get('state'), dict):
        raise _unreadable(ref, path, 'it has no state')
    return content


def _unreadable(ref: RunRef, path: Path, reason: object) -> UserError:
    text = str(reason).strip().partition('\n')[0][:LONGEST_REASON]
    return UserError(f'{ref}: {path.name} cannot be read: {text}. {_others(ref, path)}')


def _others(ref: RunRef, path: Path) -> str:
    """Return the sentence that names the run's other checkpoints."""
    names = [Path(name).stem for name in checkpoints.listed(path.parents[1]) if name != path.name]
    if not names:
        return f'`rerun {ref} -f` trains it again'
    return f'Another one: {", ".join(f"{ref}:{name}" for name in names[-3:])}'
