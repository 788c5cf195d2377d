"""selftest.json: what a training of `tagrun selftest` notes of itself, in its run's folder.

    {"moments": [[0, 1, "train", 1], …, [0, 36, "val", 1], [1, 36, null, 0]],
     "workers": [0, 0, 2],
     "unsaved": [{"name": "state.f1", "what": "state.f1 is not saved: …", "remedy": "Write …"}],
     "changing": ["state.model.scale"]}

moments: epochs done, steps done, phase and batch after each batch; null and 0 at an epoch's end.
workers: of each DataLoader. unsaved: objects on the state that no checkpoint holds. changing:
attributes of models that change in training and that no checkpoint holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagrun.store import jsonfile

NAME = 'selftest.json'
LISTS = ('moments', 'workers', 'unsaved', 'changing')


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Replace the training's selftest.json."""
    jsonfile.write(folder / NAME, content)


def read(folder: Path) -> dict[str, list[Any]]:
    """Return the content; its lists are empty where it cannot be read."""
    content = jsonfile.read_or_none(folder / NAME) or {}
    return {name: content.get(name, []) for name in LISTS}
