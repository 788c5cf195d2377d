"""The only file that talks to git: plumbing, through GitPython's Git command, with argument lists and full ref names.

    repository = Repository.at(root); repository.resolve('refs/tags/t1')

It never touches the branch, the index, the stash or a file of the work tree, runs no hook, signs nothing, and reads no ref it was
not asked for. It parses only what git made to be parsed (-z, --porcelain=v2, %(format)), never sentences.
"""
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault('GIT_PYTHON_REFRESH', 'quiet')
from git.cmd import Git  # noqa: E402  (without git on PATH it must not raise while it is imported: we have a better sentence)

from tagrun.command.say import Refusal, quote  # noqa: E402

OPTIONS = ('--no-optional-locks',               # a status must not refresh the user's index
           '--no-replace-objects',              # a commit's id stands for its own files, whatever `git replace` says
           '-c', 'core.hooksPath=/dev/null',    # a hook is for the user's own commits
           '-c', 'core.fsync=committed,reference', '-c', 'i18n.commitEncoding=UTF-8',
           '-c', 'core.filesRefLockTimeout=3000', '-c', 'core.packedRefsTimeout=10000',     # ms: patience with a git gc on a busy machine
           '-c', 'core.quotePath=false', '-c', 'advice.addEmbeddedRepo=false', '-c', 'gc.auto=0')
INHERITED = ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES',
             'GIT_COMMON_DIR', 'GIT_NAMESPACE', 'GIT_PREFIX', 'GIT_CEILING_DIRECTORIES', 'GIT_CONFIG_PARAMETERS', 'GIT_CONFIG_COUNT',
             'GIT_LITERAL_PATHSPECS', 'GIT_GLOB_PATHSPECS', 'GIT_NOGLOB_PATHSPECS', 'GIT_ICASE_PATHSPECS', 'GIT_SHALLOW_FILE',
             'GIT_GRAFT_FILE', 'GIT_IMPLICIT_WORK_TREE')
UNDER_WAY = {'MERGE_HEAD': 'a merge', 'rebase-merge': 'a rebase', 'rebase-apply': 'a rebase', 'CHERRY_PICK_HEAD': 'a cherry-pick',
             'REVERT_HEAD': 'a revert'}
CURES = {   # of what git says, in the C locale that GitPython gives it
    'dubious ownership': 'git does not trust this folder, another user owns it: git config --global --add safe.directory {quoted}',
    'not a git repository: ': '{folder} is a linked work tree, and its repository was moved ({error}): there, git worktree repair {quoted}',
    'not a git repository': '{folder} is no git repository: git init && git add -A && git commit -m start',
    'must be run in a work tree': '{folder} is a bare repository; clone it, a run needs a work tree',
    '.lock\': File exists': 'another git is at work in {folder}, or one was killed there: wait for it, or `tagrun doctor --fix` ({error})',
    'Read-only file system': 'git cannot write: {error}; mount it for writing, or work in a clone elsewhere',
    'Permission denied': 'git cannot write: {error}; let its owner give you the right',
    'insufficient permission': 'git cannot write: {error}; let its owner give you the right',
    'No space left': 'git cannot write: {error}; free some room, nothing was recorded',
    'filter ': 'git: {error}; `git lfs install` brings the filter, if it is the one of git LFS',
    'loose object': 'git: {error}; the repository is damaged: git fsck names what is lost, git fetch may bring it back',
    'bad tree object': 'git: {error}; the repository is damaged: git fsck names what is lost, git fetch may bring it back',
}
TEMPORARY = 'tagrun-'   # how the folder of a temporary index begins, in the git folder
STAND_IN = {'NAME': 'Tagrun', 'EMAIL': 'tagrun@localhost'}


class Failed(Refusal):
    """git said no: what it said, and the cure where one is known. Whoever does not catch it has refused."""


class Entry(NamedTuple):
    """A file of a tree."""
    mode: str
    kind: str       # blob, or commit for a submodule
    id: str
    path: str


class Change(NamedTuple):
    """A file that differs from HEAD: what is 'modified', 'new', 'deleted', 'unmerged', or 'submodule': one with changes of its own inside."""
    what: str
    path: str


class Repository:
    """The repository that holds the project folder `root`."""

    def __init__(self, root, top, directory, common):
        self.root = Path(root)
        self.top = Path(top)                # of the work tree; the project may lie below it
        self.directory = Path(directory)    # this work tree's own git folder
        self.common = Path(common)          # the one that all its work trees share
        self.prefix = '' if self.top == self.root else self.root.relative_to(self.top).as_posix() + '/'

    @classmethod
    def at(cls, root):
        """Raises Refusal, with the cure, where git cannot work."""
        for name in INHERITED:  # set by a hook or an alias that calls us: they speak of another command's repository
            os.environ.pop(name, None)
        if not shutil.which('git'):
            raise Refusal('git is not installed: it is where the code of every run is kept')
        root = Path(root).resolve()
        if '\n' in str(root):
            raise Refusal(f'{str(root)!r} has a line break in its name: rename the folder')
        return cls(root, *_run(root, 'rev-parse', '--path-format=absolute', '--show-toplevel', '--git-dir', '--git-common-dir').split('\n')[:3])

    def git(self, *words, data=None, env=None, patience_s=None):
        """What git prints, as text. Raises Failed."""
        return _run(self.top, *words, data=data, env=env, patience_s=patience_s)

    # --- reading ---

    def config(self, name, default=None):
        """The last value of `tagrun.<name>`, as git's own text."""
        return self._all_config().get(f'tagrun.{name}'.lower(), default)

    def _all_config(self):
        """{name: last value}, read once."""
        if not hasattr(self, '_config'):
            pairs = self.git('config', '-z', '--list').split('\0')
            self._config = dict(pair.partition('\n')[::2] for pair in pairs if pair)
        return self._config

    def settings(self, group):
        """{key: value} of `tagrun.<group>.<key>`."""
        self.config('')
        prefix = f'tagrun.{group}.'
        return {name.removeprefix(prefix): value for name, value in self._config.items() if name.startswith(prefix)}

    def flag(self, name, default=False):
        """A true or false of git config, in any of git's spellings."""
        value = self.config(name)
        return default if value is None else value.lower() in ('', 'true', 'yes', 'on', '1')

    def resolve(self, name):
        """The commit's id that a full ref or id stands for, or None."""
        try:
            return self.git('rev-parse', '--verify', '--quiet', '--end-of-options', f'{name}^{{commit}}').strip()
        except Failed:
            return None

    def under_way(self):
        """'a merge', 'a rebase', … if one is unfinished, or ''."""
        return next((what for name, what in UNDER_WAY.items() if (self.directory / name).exists()), '')

    def changes(self):
        """The files of the whole work tree that differ from HEAD, ignored ones left out: what `git add -A` would take."""
        found, fields = [], iter(self.git('status', '--porcelain=v2', '-z', '--untracked-files=all', '--no-renames').split('\0'))
        for field in fields:
            kind = field[:1]
            if kind == '?':
                found.append(Change('new', field[2:]))
            elif kind == '1':
                state, submodule, path = *field.split(' ', 8)[1:3], field.split(' ', 8)[8]
                here = (self.top / path).exists() or (self.top / path).is_symlink()
                what = 'submodule' if 'M' in submodule or 'U' in submodule else 'new' if state[0] == 'A' else 'modified'
                found.append(Change(what if here else 'deleted', path))
            elif kind == 'u':
                found.append(Change('unmerged', field.split(' ', 10)[10]))
        return found

    def tree(self, commit, path):
        """The files of a commit below `path` (of the project), as Entries with paths relative to it."""
        place = self.prefix + path
        listing = self.git('ls-tree', '-r', '-z', '--full-tree', '--end-of-options', commit, place + '/')
        rows = (line.partition('\t') for line in listing.split('\0') if line)
        return [Entry(*row[0].split(' '), row[2][len(place) + 1:]) for row in rows]

    def blobs(self, ids, missing=Failed):
        """{id: bytes} of many objects, by one process. missing: what stands for one that is not there; Failed raises it."""
        ids = list(dict.fromkeys(ids))
        if not ids:
            return {}
        output = _run(self.top, 'cat-file', '--batch', data='\n'.join(ids).encode() + b'\n', raw=True)
        found, at = {}, 0
        for name in ids:
            end = output.index(b'\n', at)
            header = output[at:end].split(b' ')
            if header[-1] == b'missing':
                if missing is Failed:
                    raise Failed(f'object {name} is missing in the repository')
                found[name], at = missing, end + 1
                continue
            size = int(header[2])
            found[name] = output[end + 1:end + 1 + size]
            at = end + size + 2
        return found

    def file(self, commit, path):
        """A file of a commit, as bytes; None if it is not there. `path`: of the project."""
        try:
            return _run(self.top, 'cat-file', 'blob', f'{commit}:{self.prefix}{path}', raw=True)
        except Failed:
            return None

    def ids(self, names):
        """{name: id} of those objects that are here, of names such as <commit> and <commit>:code, by one process."""
        names = list(dict.fromkeys(names))
        lines = self.git('cat-file', '--batch-check=%(objectname)', data='\n'.join(names).encode() + b'\n').splitlines() if names else []
        return {name: line for name, line in zip(names, lines) if not line.endswith(' missing')}

    def patches(self, pairs, pathspecs=()):
        """{(tree, tree): bytes of what `git diff` says of them} of pairs of trees' ids, by one process."""
        data = ''.join(f'{one} {other}\n' for one, other in pairs).encode()
        words = 'diff-tree', '--stdin', '-r', '-p', '--no-ext-diff', '--no-textconv', '--no-color', '--', *pathspecs
        output = _run(self.top, *words, data=data, raw=True)
        parts = re.split(rb'\n([0-9a-f]{40,64}) ([0-9a-f]{40,64})(?=\n|$)', b'\n' + output)   # a line of a patch begins with a mark or a word
        return {(one.decode(), other.decode()): patch.strip(b'\n') for one, other, patch in zip(parts[1::3], parts[2::3], parts[3::3])}

    def refs(self, prefix, fields=('refname',), further=()):
        """Rows of `fields` (of git for-each-ref) of all refs below a full prefix, and below further ones."""
        form = ''.join(f'%({field})%00' for field in fields)     # a field may be empty: the parent of a first commit
        values = self.git('for-each-ref', f'--format={form}', prefix, *further).split('\0')[:-1]
        return [[values[at].lstrip('\n'), *values[at + 1:at + len(fields)]] for at in range(0, len(values), len(fields))]

    def alike(self, name):
        """The refs that are the full `name`, but for the case of its letters a to z. git looks through its packed refs itself: 20 ms for 100,000."""
        return self.git('for-each-ref', '--ignore-case', '--format=%(refname)', name).split()

    # --- writing ---

    def store(self, content):
        """Put bytes into the object database; the blob's id."""
        return self.git('hash-object', '-w', '--stdin', data=content).strip()

    @contextmanager
    def temporary_index(self):
        """An environment in which git works on a copy of the user's index. It lies in the git folder: a split index refers to its neighbours."""
        try:
            folder = tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=self.directory)
        except OSError as error:
            raise Failed(f'{self.directory} cannot be written: {error.strerror}') from None
        with folder as place:
            copy, index = Path(place) / 'index', self.directory / 'index'
            if index.exists():
                shutil.copyfile(index, copy)
                shutil.copystat(index, copy)
            yield {'GIT_INDEX_FILE': str(copy)}

    def write_tree(self, commit, replaced, everything=False):
        """A tree's id: the work tree's (`everything`: what `git add -A` would take) or a commit's, with files replaced.

        replaced: {path of the project: bytes}.
        """
        with self.temporary_index() as env:
            if everything:
                self.git('add', '--all', env=env)     # from the top: all of the work tree
            else:
                self.git('read-tree', commit, env=env)
            lines = ''.join(f'100644 {self.store(content)}\t{self.prefix}{path}\0' for path, content in replaced.items())
            if lines:
                self.git('update-index', '--add', '-z', '--index-info', data=os.fsencode(lines), env=env)
            return self.git('write-tree', env=env).strip()

    def patched_tree(self, commit, patch):
        """The tree of a commit with a patch (bytes, as git diff prints it) applied; its id. Raises Failed where it does not apply."""
        with self.temporary_index() as env:
            self.git('read-tree', commit, env=env)
            self.git('apply', '--cached', '--whitespace=nowarn', '-', data=patch, env=env)
            return self.git('write-tree', env=env).strip()

    def commit_tree(self, tree, parent, message, *further):
        """A commit on no branch; its id. `parent` is None for the first of a history; further: more parents."""
        parents = [word for commit in (parent, *further) if commit for word in ('-p', commit)]
        return self.git('commit-tree', tree, *parents, '-F', '-', data=_encoded(message), env=self._identity()).strip()

    def make_tree(self, files):
        """A flat tree of {name: bytes}; its id."""
        lines = ''.join(f'100644 blob {self.store(content)}\t{name}\0' for name, content in sorted(files.items()))
        return self.git('mktree', '-z', data=lines.encode()).strip()

    def make_tag(self, name, commit, message):
        """An annotated tag object, which no ref names yet; its id."""
        tagger = self.git('var', 'GIT_COMMITTER_IDENT', env=self._identity()).strip()
        text = f'object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message.rstrip()}\n'
        return self.git('mktag', data=_encoded(text)).strip()

    def create_refs(self, refs):
        """Create {full name: id}, all or none. Raises Failed if one exists: that is the lock."""
        lines = ''.join(f'create {name}\0{object_id}\0' for name, object_id in refs.items())
        self.git('update-ref', '--stdin', '-z', data=lines.encode())

    def update_refs(self, refs):
        """Set {full name: (id, what it is until now or None for no such ref)}, all or none. Raises Failed where one is something else.

        They are not forced to disk: a remote has them.
        """
        lines = ''.join(f'update {name}\0{object_id}\0{before or "0" * len(object_id)}\0' for name, (object_id, before) in refs.items())
        self.git('-c', 'core.fsync=none', 'update-ref', '--stdin', '-z', data=lines.encode())

    def set_ref(self, name, object_id, before=None):
        """before: what it must be until now. Raises Failed where it is something else meanwhile."""
        self.git('update-ref', name, object_id, *([before] if before else []))

    def pack_refs(self):
        """Ten thousand refs as one file: each of its own takes a block of the disk, and a look."""
        self.git('pack-refs', '--all')

    # --- other repositories ---

    def remotes(self):
        return self.git('remote').splitlines()

    def url(self, remote):
        """Where a remote is, without the name and password that its URL may hold."""
        return without_login(self.git('remote', 'get-url', '--push', '--end-of-options', remote).strip())

    def advertised(self, remote, *patterns, patience_s=None):
        """{full ref: id} that a remote has."""
        rows = self.git('ls-remote', '--refs', '--end-of-options', remote, *patterns, env=self._unwatched(patience_s), patience_s=patience_s).splitlines()
        return {name: object_id for object_id, name in (row.split('\t', 1) for row in rows)}

    def push(self, remote, created, updated, patience_s=None):
        """Create the refs {full ref: id} on a remote and fast-forward others, all or none. Raises Failed.

        A lease of nothing lets a ref be made only where there is none; whatever else is there stays, in a race too.
        """
        leases = [f'--force-with-lease={name}:' for name in created]
        specs = [f'{object_id}:{name}' for name, object_id in {**created, **updated}.items()]
        self.git('push', '--quiet', '--atomic', '--no-verify', '--no-follow-tags', '--recurse-submodules=no', '--no-signed', *leases,
                 '--end-of-options', remote, *specs, env=self._unwatched(patience_s), patience_s=patience_s)

    def fetch(self, remote, specs):
        """Bring refs by refspecs, and nothing else that the remote's configuration would bring."""
        self.git('-c', 'core.fsync=none', 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--recurse-submodules=no', '--refmap=', '--stdin',
                 '--end-of-options', remote, data='\n'.join(specs).encode() + b'\n')

    def _unwatched(self, patience_s):
        """The environment for a git that nobody watches: it asks for no password, and ssh does not wait for ever."""
        if patience_s is None:
            return {}
        ssh = {} if self._all_config().get('core.sshcommand') or 'GIT_SSH_COMMAND' in os.environ else {
            'GIT_SSH_COMMAND': f'ssh -o BatchMode=yes -o ConnectTimeout={patience_s}'}
        return {'GIT_TERMINAL_PROMPT': '0', 'GIT_ASKPASS': 'true', 'SSH_ASKPASS': 'true', 'SSH_ASKPASS_REQUIRE': 'never', **ssh}

    def is_ancestor(self, commit, other):
        """Whether `other` goes back to `commit`; False where one is not here."""
        try:
            self.git('merge-base', '--is-ancestor', commit, other)
        except Failed:
            return False
        return True

    def weight(self, wanted, known):
        """(commits, bytes on disk) that lead to the objects `wanted` and not to those `known`, which need not be here."""
        lines = [*wanted, *(f'^{object_id}' for object_id in known)]
        data = '\n'.join(lines).encode() + b'\n'
        commits = self.git('rev-list', '--count', '--ignore-missing', '--stdin', data=data)
        return int(commits), int(self.git('rev-list', '--objects', '--disk-usage', '--ignore-missing', '--stdin', data=data))

    def kinds(self, names):
        """{name: (type, size in bytes)} of objects, by one process; what is missing is left out."""
        lines = self.git('cat-file', '--batch-check=%(objecttype) %(objectsize)', data='\n'.join(names).encode() + b'\n').splitlines()
        rows = ((name, line.split(' ')) for name, line in zip(names, lines))
        return {name: (row[0], int(row[1])) for name, row in rows if row[-1] != 'missing'}

    def set_config(self, name, value):
        """Add a value to a name of this repository's own configuration."""
        self.git('config', '--add', name, value)

    # --- differences ---

    def diff(self, commit, other, *paths):
        """What differs in paths of the project between two commits, as text; whatever the user's own programs would make of it."""
        return self.git('diff', '--no-ext-diff', '--no-textconv', '--no-color', '--unified=1', '--end-of-options', commit, other, '--',
                        *self._places(paths))

    def show_diff(self, commits, paths, *options):
        """git's own diff of two commits, or of one and the work tree: its colours and its pager, where there is a terminal. Its exit code."""
        return subprocess.run(['git', *OPTIONS, 'diff', *options, '--end-of-options', *commits, '--', *self._places(paths)], cwd=self.top).returncode

    def _places(self, paths):
        """Pathspecs of paths of the project; one that begins with '!' is left out."""
        return [f':(top,literal){self.prefix}{path}' if path[0] != '!' else f':(top,exclude,literal){self.prefix}{path[1:]}' for path in paths]

    def author(self):
        """The user's name, as commits have it."""
        return self.git('var', 'GIT_AUTHOR_IDENT', env=self._identity()).partition(' <')[0]

    def _identity(self):
        """The environment for a commit: empty where git knows who the user is, else a stand-in."""
        if not hasattr(self, '_env'):
            try:
                self.git('var', 'GIT_AUTHOR_IDENT')
                self.git('var', 'GIT_COMMITTER_IDENT')
                self._env = {}
            except Failed:
                self._env = {f'GIT_{role}_{part}': value for role in ('AUTHOR', 'COMMITTER') for part, value in STAND_IN.items()}
        return self._env


def without_login(text):
    """A text whose URLs have lost the name and password, or token, before their host."""
    return re.sub(r'(\w+://)[^/\s@]*@(?:[^/\s@]*@)*', r'\1', text)


def _run(folder, *words, data=None, env=None, raw=False, patience_s=None):
    """Run git in `folder`, with `data` (bytes) on its standard input. Text or bytes of its output; Failed with its last line.

    patience_s: how long it may take; None: as long as it likes.
    """
    process = Git(str(folder)).execute(['git', *OPTIONS, *words], as_process=True, istream=subprocess.PIPE, env=env or {})
    try:
        output, error = process.proc.communicate(data or b'', timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.proc.kill()     # what it started ends with it, for nobody reads its pipe
        raise Failed(f'git {words[0]}: no answer within {patience_s} s') from None
    if process.proc.returncode:
        lines = error.decode(errors='replace').strip().splitlines() or [f'git {words[0]} failed']
        raise Failed(_cure(next((line for line in lines if line.startswith(('ssh:', 'fatal:', 'error:'))), lines[-1]), folder))
    return output if raw else output.decode(errors='surrogateescape')


def _encoded(message):
    """A message's bytes, without NUL; a file's name that is no UTF-8 shows as \\udcff."""
    return message.replace('\0', '').encode('utf-8', 'backslashreplace')


def _cure(error, folder):
    """The sentence for what git said in `folder`, with what to do where that is known."""
    error = without_login(error)
    for part, sentence in CURES.items():
        if part in error:
            return sentence.format(folder=folder, quoted=quote(folder), error=re.sub('^(fatal|error): ', '', error))
    return re.sub('^(fatal|error): ', 'git: ', error)
