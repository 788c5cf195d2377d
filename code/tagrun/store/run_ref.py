"""Which run: RunRef, how it is written, where its folder is, and what git calls it.

run = RunRef.parse('t1/0')              # RunRef(tag='t1', number=0); str(run) is 't1/0'
run.folder(root)                        # <root>/__result__/t1/0
run.code_ref                            # 'refs/tagrun/code/t1/0'

All names below refs/ that Tagrun makes or reads stand here.
"""

import re
from pathlib import Path
from typing import NamedTuple

from tagrun.store import layout, names

TAGS = 'refs/tags/'
HEADS = 'refs/heads/'
CODE = 'refs/tagrun/code/'
RESULT = 'refs/tagrun/result/'
REMOTE = 'refs/tagrun/remote/'


class RunRef(NamedTuple):
    """One run of a tag. It is equal to the tuple (tag, number), and sorts as that does."""

    tag: str
    number: int

    @classmethod
    def parse(cls, text: str) -> 'RunRef | None':
        """Return the run that 't1/0' names; None for anything else."""
        parts = split(text)
        if parts is None or parts[1] is None:
            return None
        return cls(parts[0], parts[1])

    @classmethod
    def of_folder(cls, folder: Path) -> 'RunRef':
        """Return the run whose folder this is. Raises ValueError for another folder's name."""
        return cls(folder.parent.name, int(folder.name))

    def __str__(self) -> str:
        return f'{self.tag}/{self.number}'

    def folder(self, root: str | Path) -> Path:
        """Return the run's folder in the project at `root`."""
        return layout.run_folder(root, self.tag, self.number)

    @property
    def tag_ref(self) -> str:
        """Return the ref of the tag."""
        return TAGS + self.tag

    @property
    def code_ref(self) -> str:
        """Return the ref of the commit that ran."""
        return f'{CODE}{self}'

    @property
    def result_ref(self) -> str:
        """Return the ref of the run's result."""
        return f'{RESULT}{self}'


def split(text: str) -> tuple[str, int | None] | None:
    """Return ('t1', 3) for 't1/3', ('t1', None) for 't1', None for what is neither."""
    tag, slash, number = text.partition('/')
    if tag != layout.SCRATCH and names.check_tag(tag):
        return None
    if not slash:
        return tag, None
    return (tag, int(number)) if re.fullmatch(layout.NUMBER, number) else None


def remote_prefix(remote: str, kind: str = '') -> str:
    """Return where the refs of a remote land. kind: 'tag', 'code', 'result', or '' for all."""
    return f'{REMOTE}{remote}/{kind}'.rstrip('/') + '/'
