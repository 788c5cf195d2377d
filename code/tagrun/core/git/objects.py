"""Read many objects of a repository, one after the other, by one git process that stays.

    with Objects(repository.top) as objects:
        objects.files(f'{commit}:code')      # [Entry('100644', 'blob', 'f00…', 'main.py'), …]

What is read twice, e.g. a folder that thousands of commits share, git is asked for once.
"""

from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tagrun.core.git import process
from tagrun.core.git.process import GitError

FOLDER, SUBMODULE = '40000', '160000'  # modes, as a tree has them
COMMIT = 'commit'


class Entry(NamedTuple):
    """A file of a tree."""

    mode: str
    kind: str  # blob, or commit for a submodule
    id: str
    path: str


class Objects:
    """The objects of the repository around a folder. Close it, or use it in a `with`."""

    def __init__(self, folder: str | Path) -> None:
        self._handle, self._child = process.start(folder, ('cat-file', '--batch'))
        self._trees: dict[str, list[Entry]] = {}
        self._blobs: dict[str, bytes] = {}

    def __enter__(self) -> 'Objects':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the git process."""
        self._child.communicate()

    def has_commit(self, object_id: str) -> bool:
        """Return whether a commit is here."""
        try:
            return self._read(object_id)[1] == COMMIT
        except GitError:
            return False

    def files(self, name: str) -> list[Entry]:
        """Return the files of a tree and of the trees in it, e.g. of '<commit>:code'.

        Raises GitError where it is not here.
        """
        object_id, kind, content = self._read(name)
        if kind != 'tree':
            raise GitError(f'{name} is a {kind} and not a tree')
        if object_id not in self._trees:
            self._trees[object_id] = list(self._entries(content, len(object_id) // 2))
        return self._trees[object_id]

    def blob(self, object_id: str) -> bytes:
        """Return the content of a file. Raises GitError where it is not here."""
        if object_id not in self._blobs:
            self._blobs[object_id] = self._read(object_id)[2]
        return self._blobs[object_id]

    def _entries(self, tree: bytes, id_bytes: int) -> list[Entry]:
        """Parse a tree: for each entry its mode, a space, its name, a NUL and its id."""
        entries, start = [], 0
        while start < len(tree):
            end = tree.index(b'\0', start)
            mode, _, name = tree[start:end].decode(errors='surrogateescape').partition(' ')
            start = end + 1 + id_bytes
            object_id = tree[end + 1 : start].hex()
            if mode == FOLDER:
                inner = self.files(object_id)
                entries += [entry._replace(path=f'{name}/{entry.path}') for entry in inner]
            else:
                kind = COMMIT if mode == SUBMODULE else 'blob'
                entries.append(Entry(mode, kind, object_id, name))
        return entries

    def _read(self, name: str) -> tuple[str, str, bytes]:
        """Return (id, type, content) of an object. Raises GitError."""
        if '\n' in name:  # it would be two questions
            raise GitError(f'{name!r} is not the name of an object')
        questions, answers = self._child.stdin, self._child.stdout
        assert questions is not None and answers is not None
        try:
            questions.write(name.encode(errors='surrogateescape') + b'\n')
            questions.flush()
        except OSError as error:
            raise GitError(f'git cat-file has ended ({error.strerror})') from None
        words = answers.readline().decode(errors='replace').split(' ')
        if len(words) != 3 or not words[2].strip().isdigit():
            raise GitError(f'{name} is not in this repository')
        size = int(words[2])
        content = answers.read(size + 1)[:size]  # a line feed follows it
        if len(content) < size:
            raise GitError(f'git ended while it read {name}')
        return words[0], words[1], content
