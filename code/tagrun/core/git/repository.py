"""The project's own repository: its commits, trees, refs and settings, by git's plumbing.

    repository = Repository.at(root)
    repository.resolve('HEAD')           # the commit's id, or None

It never touches the branch, the index, the stash or a file of the work tree, runs no hook, signs
nothing, and reads no ref it was not asked for. It parses only what git prints for programs (-z,
--porcelain=v2, %(format)), never sentences. Its remotes are in remotes.py.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import overload

from tagrun.core.cli.messages import UserError
from tagrun.core.git import index, process
from tagrun.core.git.objects import Entry
from tagrun.core.git.process import GitError
from tagrun.core.git.status import Change

UNDER_WAY = {
    'MERGE_HEAD': 'a merge',
    'rebase-merge': 'a rebase',
    'rebase-apply': 'a rebase',
    'CHERRY_PICK_HEAD': 'a cherry-pick',
    'REVERT_HEAD': 'a revert',
}
OWN_FOLDERS = ('__data__', '__result__', '__statistic__')
STAND_IN = {'NAME': 'Tagrun', 'EMAIL': 'tagrun@localhost'}
# whatever the user's own programs would make of a difference
PLAIN_DIFF = ('--no-ext-diff', '--no-textconv', '--no-color')


class Repository:
    """The repository that holds the project folder `root`."""

    def __init__(self, root: Path, top: Path, directory: Path, common: Path) -> None:
        self.root = root
        self.top = top  # of the work tree; the project may lie below it
        self.directory = directory  # this work tree's own git folder
        self.common = common  # the git folder that all its work trees share
        self.prefix = '' if top == root else root.relative_to(top).as_posix() + '/'

    @classmethod
    def at(cls, root: str | Path) -> 'Repository':
        """Return the repository of a project. Raises UserError where git cannot work."""
        for name in process.INHERITED:
            os.environ.pop(name, None)
        if not shutil.which('git'):
            raise UserError('git is not installed: it is where the code of every run is kept')
        root = Path(root).resolve()
        if '\n' in str(root):
            raise UserError(f'{str(root)!r} has a line break in its name: rename the folder')
        folders = ('--show-toplevel', '--git-dir', '--git-common-dir')
        output = process.run(root, 'rev-parse', '--path-format=absolute', *folders)
        top, directory, common = (Path(line) for line in output.split('\n')[:3])
        if not root.is_relative_to(top):
            raise UserError(f'git works in {top} from here: git config --unset core.worktree')
        return cls(root, top, directory, common)

    def git(
        self,
        *words: str,
        data: bytes | None = None,
        env: Mapping[str, str] | None = None,
        patience_s: float | None = None,
    ) -> str:
        """Run git at the top of the work tree; its output as text. Raises GitError."""
        return process.run(self.top, *words, data=data, env=env, patience_s=patience_s)

    # --- settings ---

    @cached_property
    def _config(self) -> dict[str, str]:
        """{name in lower case: last value} of git config."""
        pairs = self.git('config', '-z', '--list').split('\0')
        parts = [pair.partition('\n') for pair in pairs if pair]
        return {name: value for name, _, value in parts}

    def git_config(self, name: str) -> str | None:
        """Return the last value of a setting of git's own, e.g. 'core.sshcommand'."""
        return self._config.get(name.lower())

    def config(self, name: str) -> str | None:
        """Return the last value of `tagrun.<name>`, as git's own text."""
        return self.git_config(f'tagrun.{name}')

    def settings(self, group: str) -> dict[str, str]:
        """Return {key: value} of `tagrun.<group>.<key>`."""
        prefix = f'tagrun.{group}.'
        return {
            name.removeprefix(prefix): value
            for name, value in self._config.items()
            if name.startswith(prefix)
        }

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a true or false of `tagrun.<name>`, in any of git's spellings."""
        value = self.config(name)
        return default if value is None else value.lower() in ('', 'true', 'yes', 'on', '1')

    def author(self) -> str:
        """Return the user's name, as commits have it."""
        return self.git('var', 'GIT_AUTHOR_IDENT', env=self._identity).partition(' <')[0]

    def has_commit_of_mine(self, branches: str) -> bool:
        """Return whether a commit of the branches below a full prefix has the user as author.

        The name or the address is enough: a commit made in a browser has another address.
        """
        name, _, rest = self.git('var', 'GIT_AUTHOR_IDENT', env=self._identity).partition(' <')
        authors = (f'--author={name} <', f'--author=<{rest.partition(">")[0]}>')
        words = ('--max-count=1', '--fixed-strings', '--regexp-ignore-case', *authors)
        return bool(self.git('rev-list', *words, f'--glob={branches}*').strip())

    @cached_property
    def _identity(self) -> dict[str, str]:
        """The environment for a commit: empty where git knows who and when, else a stand-in."""
        dates = process.dates()
        try:
            self.git('var', 'GIT_AUTHOR_IDENT')
            self.git('var', 'GIT_COMMITTER_IDENT')
        except GitError:
            roles = {f'GIT_AUTHOR_{part}': value for part, value in STAND_IN.items()}
            roles |= {f'GIT_COMMITTER_{part}': value for part, value in STAND_IN.items()}
            return roles | dates
        return dates

    # --- the work tree ---

    def under_way(self) -> str:
        """Return 'a merge', 'a rebase', … if one is unfinished, or ''."""
        for name, what in UNDER_WAY.items():
            if (self.directory / name).exists():
                return what
        return ''

    def changes(self) -> list[Change]:
        """Return what differs from HEAD in the whole work tree: what `git add -A` would take."""
        return index.changes(self.top, self.directory, self._linked_folders())

    def _linked_folders(self) -> list[str]:
        """Return those of Tagrun's own folders that are links, e.g. to a large disk.

        Git ignores what lies in these folders, but not a link in the place of one.
        """
        names = [name for name in OWN_FOLDERS if (self.root / name).is_symlink()]
        return [self.prefix + name for name in names]

    def content(self, path: str) -> bytes:
        """Return what git would record of a file of the project, as it is now."""
        return index.content(self.top, self.directory, self.prefix + path)

    # --- objects ---

    def resolve(self, name: str) -> str | None:
        """Return the id of the commit that a full ref or id stands for, or None."""
        words = ('rev-parse', '--verify', '--quiet', '--end-of-options')
        try:
            return self.git(*words, f'{name}^{{commit}}').strip()
        except GitError:
            return None

    def is_ancestor(self, commit: str, other: str) -> bool:
        """Return whether `other` goes back to `commit`; False where one is not here."""
        try:
            self.git('merge-base', '--is-ancestor', commit, other)
        except GitError:
            return False
        return True

    def tree(self, commit: str, path: str) -> list[Entry]:
        """Return the files of a commit below a folder of the project, with paths relative to it."""
        folder = f'{self.prefix}{path}/'
        words = ('ls-tree', '-r', '-z', '--full-tree', '--end-of-options')
        entries = []
        for line in self.git(*words, commit, folder).split('\0'):
            if line:
                facts, _, name = line.partition('\t')
                mode, kind, object_id = facts.split(' ')
                entries.append(Entry(mode, kind, object_id, name[len(folder) :]))
        return entries

    def file(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of a file of the project in a commit; None if it is not in it."""
        try:
            return process.run_bytes(self.top, 'cat-file', 'blob', f'{commit}:{self.prefix}{path}')
        except GitError:
            return None

    @overload
    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]: ...
    @overload
    def blobs(self, ids: Iterable[str], missing: None) -> dict[str, bytes | None]: ...

    def blobs(
        self, ids: Iterable[str], missing: type[GitError] | None = GitError
    ) -> dict[str, bytes] | dict[str, bytes | None]:
        """Return {id: bytes} of many objects, by one process.

        missing: None if the value of one that is not here shall be None; else GitError is raised.
        """
        unique = list(dict.fromkeys(ids))
        if not unique:
            return {}
        output = process.run_bytes(self.top, 'cat-file', '--batch', data=process.lines(unique))
        contents: dict[str, bytes | None] = {}
        offset = 0
        for object_id in unique:
            end = output.index(b'\n', offset)
            header, offset = output[offset:end].split(b' '), end + 1
            if header[-1] != b'missing':
                size = int(header[2])
                contents[object_id] = output[offset : offset + size]
                offset += size + 1
            elif missing is not None:
                raise missing(f'object {object_id} is missing in the repository')
            else:
                contents[object_id] = None
        return contents

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return {name: id} of the objects that are here; names as <commit> and <commit>:code."""
        unique = list(dict.fromkeys(names))
        if not unique:
            return {}
        lines = self.git('cat-file', '--batch-check=%(objectname)', data=process.lines(unique))
        pairs = zip(unique, lines.splitlines(), strict=False)
        return {name: line for name, line in pairs if not line.endswith(' missing')}

    def kinds(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Return {name: (type, size in bytes)} of the objects that are here, by one process."""
        if not names:
            return {}
        form = '--batch-check=%(objecttype) %(objectsize)'
        output = self.git('cat-file', form, data=process.lines(names))
        kinds = {}
        for name, line in zip(names, output.splitlines(), strict=False):
            kind, _, size = line.rpartition(' ')
            if size != 'missing':
                kinds[name] = (kind, int(size))
        return kinds

    def store(self, content: bytes) -> str:
        """Put bytes into the object database; the blob's id."""
        return self.git('hash-object', '-w', '--stdin', data=content).strip()

    def temporary_index(self) -> AbstractContextManager[dict[str, str]]:
        """Yield an environment in which git works on a copy of the user's index."""
        return index.temporary(self.directory)

    def write_tree(
        self,
        commit: str | None,
        replaced: Mapping[str, bytes],
        removed: Iterable[str] = (),
        everything: bool = False,
    ) -> str:
        """Write a commit's tree with files replaced, {path of the project: bytes}; its id.

        commit: None for an empty tree. everything: start from what `git add -A` would take.
        """
        left_out = self._linked_folders()
        copy = index.taken(self.top, self.directory, left_out) if everything else None
        with copy or self.temporary_index() as env:
            if everything:
                self.git('add', '--all', *index.all_but(left_out), env=env)
            elif commit:
                self.git('read-tree', commit, env=env)
            ids = {self.prefix + path: self.store(data) for path, data in replaced.items()}
            index.put(self.top, env, ids, [self.prefix + path for path in removed])
            return self.git('write-tree', env=env).strip()

    def patched_tree(self, commit: str, patch: bytes, *options: str) -> str:
        """Write a commit's tree with a patch applied; its id. options: of git apply. GitError."""
        with self.temporary_index() as env:
            self.git('read-tree', commit, env=env)
            self.git('apply', '--cached', '--whitespace=nowarn', *options, data=patch, env=env)
            return self.git('write-tree', env=env).strip()

    def make_tree(self, files: Mapping[str, bytes]) -> str:
        """Write a flat tree of {name: bytes}; its id."""
        lines = [
            f'100644 blob {self.store(content)}\t{name}\0'
            for name, content in sorted(files.items())
        ]
        return self.git('mktree', '-z', data=''.join(lines).encode()).strip()

    def commit_tree(self, tree: str, parent: str | None, message: str, *further: str | None) -> str:
        """Write a commit on no branch; its id. parent: None for the first of a history."""
        words = ['commit-tree', tree]
        for commit in (parent, *further):
            if commit:
                words += ['-p', commit]
        return self.git(
            *words, '-F', '-', data=process.encoded(message), env=self._identity
        ).strip()

    def make_tag(self, name: str, commit: str, message: str) -> str:
        """Write an annotated tag object, which no ref names yet; its id."""
        tagger = self.git('var', 'GIT_COMMITTER_IDENT', env=self._identity).strip()
        text = f'object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message.rstrip()}\n'
        return self.git('mktag', data=process.encoded(text)).strip()

    # --- refs ---

    def refs(
        self, prefix: str, fields: Sequence[str] = ('refname',), further: Sequence[str] = ()
    ) -> list[list[str]]:
        """Return rows of `fields` (of git for-each-ref) of all refs below some full prefixes."""
        # a field may be empty: the parent of a first commit
        form = ''.join(f'%({field})%00' for field in fields)
        output = self.git('for-each-ref', f'--format={form}', prefix, *further)
        values, width = output.split('\0')[:-1], len(fields)
        rows = [values[start : start + width] for start in range(0, len(values), width)]
        return [[row[0].lstrip('\n'), *row[1:]] for row in rows]

    def alike(self, name: str) -> list[str]:
        """Return the refs that are the full `name`, but for the case of its letters a to z.

        git looks through its packed refs itself: 20 ms for 100,000.
        """
        return self.git('for-each-ref', '--ignore-case', '--format=%(refname)', name).split()

    def create_refs(self, refs: Mapping[str, str]) -> None:
        """Create {full name: id}, all or none. Raises GitError if one exists: that is the lock."""
        lines = ''.join(f'create {name}\0{object_id}\0' for name, object_id in refs.items())
        self.git('update-ref', '--stdin', '-z', data=lines.encode())

    def update_refs(self, refs: Mapping[str, tuple[str, str | None]]) -> None:
        """Set {full name: (id, the id until now, None for no such ref)}, all or none.

        Raises GitError where one is something else. They are not forced to disk: a remote has them.
        """
        lines = [
            f'update {name}\0{object_id}\0{before or "0" * len(object_id)}\0'
            for name, (object_id, before) in refs.items()
        ]
        words = ('-c', 'core.fsync=none', 'update-ref', '--stdin', '-z')
        self.git(*words, data=''.join(lines).encode())

    def set_ref(self, name: str, object_id: str, before: str | None = None) -> None:
        """Set a ref. before: what it must be until now, None: new. Raises GitError if it is not."""
        self.git('update-ref', name, object_id, before or '0' * len(object_id))

    def pack_refs(self) -> None:
        """Put all refs into one file: each alone takes a block of the disk, and a look."""
        self.git('pack-refs', '--all')

    # --- differences ---

    def diff(self, commit: str, other: str, *paths: str, form: str = '--unified=1') -> str:
        """Return what differs in paths of the project between two commits or trees."""
        commits = ('--end-of-options', commit, other)
        return self.git('diff', *PLAIN_DIFF, form, *commits, '--', *self._pathspecs(paths))

    def show_diff(self, commits: Sequence[str], paths: Sequence[str], *options: str) -> int:
        """Show git's own diff of two commits, or of one and the work tree; its exit code."""
        words = ('diff', *options, '--end-of-options', *commits, '--', *self._pathspecs(paths))
        with index.taken(self.top, self.directory, for_writing=False) as env:
            return process.show(self.top, *words, env=env)

    def patches(
        self, pairs: Iterable[tuple[str, str]], pathspecs: Sequence[str] = ()
    ) -> dict[tuple[str, str], bytes]:
        """Return {(tree, tree): their `git diff`} of pairs of trees' ids, by one process."""
        words = ('diff-tree', '--stdin', '-r', '-p', *PLAIN_DIFF, '--', *pathspecs)
        data = process.lines(f'{one} {other}' for one, other in pairs)
        output = process.run_bytes(self.top, *words, data=data)
        # a line of a patch begins with a mark or a word
        parts = re.split(rb'\n([0-9a-f]{40,64}) ([0-9a-f]{40,64})(?=\n|$)', b'\n' + output)
        ones, others, texts = parts[1::3], parts[2::3], parts[3::3]
        return {
            (one.decode(), other.decode()): text.strip(b'\n')
            for one, other, text in zip(ones, others, texts, strict=True)
        }

    def _pathspecs(self, paths: Iterable[str]) -> list[str]:
        """Return pathspecs of paths of the project; one that begins with '!' is left out."""
        return [
            f':(top,exclude,literal){self.prefix}{path[1:]}'
            if path[0] == '!'
            else f':(top,literal){self.prefix}{path}'
            for path in paths
        ]
