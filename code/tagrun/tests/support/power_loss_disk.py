"""A model of a disk that loses its power.

    disk = Disk(calls)                          # of a run: fault_calls.py records them
    disk.survive(folder, random.Random(1))      # a folder as the cut may leave it
    disk.reported                               # the epoch that a reader knew before the cut

Strict, after ALICE (OSDI 2014): bytes are safe after an fsync of the file, names after an fsync of
their folder, and nothing else is. What is not safe is, by a draw, wholly there, wholly lost, there
in part, or of the right length and full of zeros; names are lost one by one in any order. A rename
is atomic. No file system is as bad as that all the time; each is at some time.
"""

import json
import os
from pathlib import Path


class File:
    def __init__(self):
        self.content, self.safe = bytearray(), b''


class Disk:
    def __init__(self, calls):
        # path -> File, or a link's target, or None for a folder
        self._names, self._safe_names = {}, {}
        # changes of names that are not synced yet: (path, what it is now or GONE, its name before)
        self._unsafe = []
        self.reported = 0
        for name, path, value in calls:
            getattr(self, f'_{name}')(path, value)

    # --- the calls ---

    def _open(self, path, truncates):
        if path not in self._names:
            self._name(path, File())
        elif truncates:
            self._names[path].content.clear()

    def _write(self, path, data):
        self._names[path].content += data

    def _truncate(self, path, size):
        del self._names[path].content[size:]

    def _fsync(self, path, _):
        if isinstance(self._names.get(path), File):
            self._names[path].safe = bytes(self._names[path].content)
            return
        for change in [change for change in self._unsafe if os.path.dirname(change[0]) == path]:
            self._unsafe.remove(change)
            _apply(self._safe_names, *change[:2], change[2])

    def _replace(self, path, before):
        self._name(path, self._names.pop(before), before)
        if path == 'statistic.json':
            self.reported = json.loads(self._names[path].content)['epoch']

    def _symlink(self, path, target):
        self._name(path, target)

    def _mkdir(self, path, _):
        self._name(path, None)

    def _unlink(self, path, _):
        self._names.pop(path, None)
        self._unsafe.append((path, GONE, None))

    def _name(self, path, what, before=None):
        self._names[path] = what
        self._unsafe.append((path, what, before))

    # --- the cut ---

    def survive(self, folder, draw):
        """Write what is left after the cut into `folder`, a run that was prepared and not begun."""
        names = dict(self._safe_names)
        share = draw.choice((0, 0.5, 1))
        for change in self._unsafe:
            if draw.random() < share:
                _apply(names, *change)
        for path, what in sorted(names.items()):
            self._place(Path(folder) / path, what, draw)

    def _place(self, path, what, draw):
        # the folder's own name was lost
        if not path.parent.is_dir():
            return
        if what is None:
            path.mkdir()
        elif isinstance(what, File):
            path.write_bytes(_left(what, draw))
        else:
            os.symlink(what, path)


GONE = object()


def _apply(names, path, what, before):
    if before:
        names.pop(before, None)
    if what is GONE:
        names.pop(path, None)
    else:
        names[path] = what


def _left(file, draw):
    """Return what the disk has of a file: all synced bytes, and of the rest what a draw leaves."""
    content = bytes(file.content)
    if content == file.safe:
        return content
    new = content[len(file.safe) :] if content.startswith(file.safe) else b''
    return draw.choice(
        (
            file.safe,
            content,
            file.safe + new[: draw.randrange(len(new) + 1)],
            file.safe + bytes(len(new)),
        )
    )
