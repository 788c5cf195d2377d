"""inputs, of run.json: what a run takes from other runs, and from files of elsewhere.

    {"pre/0": {"file": "epoch_3.pth", "sha256": "8f75…", "what": "weights"},
     "weights/resnet.safetensors": {"file": "weights/resnet.safetensors", "sha256": "…",
                                    "what": "weights", "strict": false}}

    for each in parse(info['inputs']): each.name, each.path(root)       # 'pre/0:epoch_3.pth'

The key is the run; `<run>:<file>` of a second checkpoint of the same run; of a file from elsewhere
the path, which `file` has too (relative to the project, if the file is in it). `what` is
`checkpoint` (run --from), `weights` (run --weights-from) or `code` (run.weights_of in the run's own
code). `asked` has the words that may come to mean another file: best, last.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.store import checkpoints
from tagrun.store.run_ref import RunRef

CHECKPOINT, WEIGHTS, CODE = 'checkpoint', 'weights', 'code'
KINDS = (CHECKPOINT, WEIGHTS, CODE)
MOVING = ('best', 'last')  # words that may come to mean another file
LONGEST = 80  # characters of a wrong name that are shown
LONGEST_PATH = 4096
MOST = 1000


class Input(NamedTuple):
    """One file that a run takes."""

    run: RunRef | None  # whose checkpoint it is; None: a file from elsewhere
    file: str  # the checkpoint's name, or the path
    sha256: str
    what: str  # one of KINDS
    strict: bool = True  # weights that do not fit are refused
    asked: tuple[str, ...] = ()  # of MOVING

    @property
    def name(self) -> str:
        """Return 'pre/0:epoch_3.pth', or the path."""
        return f'{self.run}:{self.file}' if self.run else self.file

    @property
    def words(self) -> str:
        """Return it for a sentence: 'pre/0 epoch_3.pth'."""
        return f'{self.run} {self.file}' if self.run else self.file

    def path(self, root: str | Path) -> Path | None:
        """Return its file in the project at `root`; None where its run has no such checkpoint.

        It is not opened: whether the content is the recorded one, the caller finds out.
        """
        if self.run is None:
            path = Path(root) / self.file
            return path if path.is_file() else None
        folder = self.run.folder(root)
        name = checkpoints.with_digest(folder, self.file, self.sha256)
        return folder / checkpoints.FOLDER / name if name else None

    def record(self) -> dict[str, Any]:
        """Return it as run.json has it."""
        content: dict[str, Any] = {'file': self.file, 'sha256': self.sha256, 'what': self.what}
        if not self.strict:
            content['strict'] = False
        if self.asked:
            content['asked'] = list(self.asked)
        return content


def parse(record: Any) -> list[Input]:
    """Return what run.json's `inputs` says. Raises ValueError, with a reason, for what it is not.

    No file is opened.
    """
    if not isinstance(record, Mapping) or len(record) > MOST:
        raise ValueError("'inputs' is not an object of inputs")
    return [_parsed(key, content) for key, content in record.items()]


def known(record: Any) -> list[Input]:
    """Return those of `parse`; [] where somebody wrote something else."""
    try:
        return parse(record or {})
    except ValueError:
        return []


def contents(some: list[Input]) -> list[tuple[str, str, str, bool]]:
    """Return what counts of them, sorted: by which words they were asked for does not."""
    return sorted((each.name, each.sha256, each.what, each.strict) for each in some)


def names(record: Any) -> str:
    """Return 'pre/0:epoch_3.pth, weights/resnet.pth' of an `inputs`; '' where there are none."""
    return ', '.join(each.name for each in known(record))


def dump(some: list[Input]) -> dict[str, Any]:
    """Return the content of run.json's `inputs`."""
    record: dict[str, Any] = {}
    for each in some:
        key = str(each.run) if each.run else each.file
        record[each.name if key in record else key] = each.record()
    return record


def matching(some: list[Input], run: RunRef | None, which: str) -> Input | None:
    """Return the recorded input that a word means, if there is one.

    which: best, last, an epoch's number or a checkpoint's name; of a file from elsewhere its path.
    """
    for each in some:
        names = (which, f'{which}.pth', f'epoch_{which}.pth') if run else (which,)
        if each.run == run and (which in each.asked or each.file in names):
            return each
    return None


def _parsed(key: str, content: Any) -> Input:
    shown = repr(key[:LONGEST])
    if not isinstance(content, Mapping):
        raise ValueError(f'the input {shown} is not an object')
    file, sha256, what = (content.get(name) for name in ('file', 'sha256', 'what'))
    if not isinstance(sha256, str) or not re.fullmatch('[0-9a-f]{64}', sha256):
        raise ValueError(f"'sha256' of the input {shown} is not a SHA-256")
    if what not in KINDS:
        raise ValueError(f"'what' of the input {shown} is not one of {', '.join(KINDS)}")
    if type(content.get('strict', True)) is not bool:
        raise ValueError(f"'strict' of the input {shown} is not true or false")
    asked = content.get('asked', [])
    if not isinstance(asked, list) or any(word not in MOVING for word in asked):
        raise ValueError(f"'asked' of the input {shown} has other words than best and last")
    run = None
    if file != key:
        run = RunRef.parse(key.partition(':')[0])
        is_checkpoint = isinstance(file, str) and checkpoints.FILE.fullmatch(file)
        if run is None or not is_checkpoint or key not in (str(run), f'{run}:{file}'):
            raise ValueError(f'the input {shown} is not a checkpoint of a run')
    elif not _is_path(key):
        raise ValueError(f'the input {shown} is not the path of a file')
    return Input(run, str(file), sha256, what, content.get('strict', True), tuple(asked))


def _is_path(text: str) -> bool:
    """Return whether it is a path that does not lead out of the project by its dots."""
    if not text or len(text) > LONGEST_PATH or not text.isprintable() or text.endswith('/'):
        return False
    return '..' not in text.split('/') and text not in ('.', '~')
