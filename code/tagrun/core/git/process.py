"""Run git with the options that Tagrun needs; its failure is one sentence.

    run(root, 'rev-parse', 'HEAD')       # text; raises GitError

It knows no repository and no command of git; repository.py and remotes.py do.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tagrun.core.cli.messages import UserError, quote

if TYPE_CHECKING:
    from git.cmd import Git

OPTIONS = (
    # a status must not refresh the user's index
    '--no-optional-locks',
    # a commit's id stands for its own files, whatever `git replace` says
    '--no-replace-objects',
    # a hook is for the user's own commits
    *('-c', 'core.hooksPath=/dev/null'),
    *('-c', 'core.fsync=committed,reference'),
    *('-c', 'i18n.commitEncoding=UTF-8'),
    # ms: patience with a git gc on a busy machine
    *('-c', 'core.filesRefLockTimeout=3000'),
    *('-c', 'core.packedRefsTimeout=10000'),
    *('-c', 'core.quotePath=false'),
    *('-c', 'advice.addEmbeddedRepo=false'),
    *('-c', 'gc.auto=0'),
    # a file is looked at itself: no monitor, cache or time stamp answers for it
    *('-c', 'core.fsmonitor=false'),
    *('-c', 'core.untrackedCache=false'),
    *('-c', 'core.trustctime=true'),
    *('-c', 'core.checkStat=default'),
    *('-c', 'core.ignoreStat=false'),
    *('-c', 'diff.autoRefreshIndex=true'),
    # a file that lies outside a sparse checkout is a file
    *('-c', 'core.sparseCheckout=false'),
)
# environment variables that a hook or an alias sets for another command's repository
INHERITED = (
    'GIT_DIR',
    'GIT_WORK_TREE',
    'GIT_INDEX_FILE',
    'GIT_OBJECT_DIRECTORY',
    'GIT_ALTERNATE_OBJECT_DIRECTORIES',
    'GIT_COMMON_DIR',
    'GIT_NAMESPACE',
    'GIT_PREFIX',
    'GIT_CEILING_DIRECTORIES',
    'GIT_CONFIG_PARAMETERS',
    'GIT_CONFIG_COUNT',
    'GIT_LITERAL_PATHSPECS',
    'GIT_GLOB_PATHSPECS',
    'GIT_NOGLOB_PATHSPECS',
    'GIT_ICASE_PATHSPECS',
    'GIT_SHALLOW_FILE',
    'GIT_GRAFT_FILE',
    'GIT_IMPLICIT_WORK_TREE',
    'GIT_ATTR_SOURCE',
    'GIT_CONFIG',
)
# a git gc beside us removed the empty folder in which git was about to write an object
OBJECTS_MOVED = b'unable to create temporary file: No such file or directory'
MOST_TRIES = 5
YEAR_2100 = 4102444800  # as Unix time in s
CANNOT_WRITE = 'git cannot write: {error}; '
DAMAGED = (
    'git: {error}; the repository is damaged: git fsck lists what is lost, '
    'git fetch may bring it back'
)
# what git prints, in the C locale that GitPython sets: the message with what to do; first fit wins
HINTS = {
    'dubious ownership': 'git does not trust this folder, another user owns it: '
    'git config --global --add safe.directory {quoted}',
    'not a git repository: ': '{folder} is a linked work tree, and its repository was moved '
    '({error}): there, git worktree repair {quoted}',
    'not a git repository': '{folder} is not a git repository: '
    'git init && git add -A && git commit -m start',
    'must be run in a work tree': '{folder} is a bare repository; clone it, a run needs a '
    'work tree',
    ".lock': File exists": 'another git is at work in {folder}, or one was killed there: '
    'wait for it, or `tagrun doctor --fix` ({error})',
    'Read-only file system': CANNOT_WRITE + 'mount it for writing, or work in a clone elsewhere',
    'Permission denied': CANNOT_WRITE + 'let its owner give you the right',
    'insufficient permission': CANNOT_WRITE + 'let its owner give you the right',
    'No space left': CANNOT_WRITE + 'free some room, nothing was recorded',
    'filter ': 'git: {error}; `git lfs install` brings the filter, if it is the one of git LFS',
    'loose object': DAMAGED,
    'bad tree object': DAMAGED,
}


class GitError(UserError):
    """Raised when git fails, with its message and a hint where there is one.

    Uncaught, it is shown to the user.
    """


def run(
    folder: str | Path,
    *words: str,
    data: bytes | None = None,
    env: Mapping[str, str] | None = None,
    patience_s: float | None = None,
) -> str:
    """Run git in a folder and return its output as text. Arguments as of `run_bytes`."""
    output = run_bytes(folder, *words, data=data, env=env, patience_s=patience_s)
    return output.decode(errors='surrogateescape')


def run_bytes(
    folder: str | Path,
    *words: str,
    data: bytes | None = None,
    env: Mapping[str, str] | None = None,
    patience_s: float | None = None,
) -> bytes:
    """Run git in a folder, with `data` on its standard input, and return its output.

    env: variables beside those of this process. patience_s: the longest it may take; None: no
    limit. Raises GitError.
    """
    for attempt in range(1, MOST_TRIES + 1):
        code, output, error = _execute(folder, words, data, env, patience_s)
        if not code:
            return output
        if OBJECTS_MOVED not in error or attempt == MOST_TRIES:
            break
    raise GitError(_message(_decisive_line(error, words[0]), folder))


def _execute(
    folder: str | Path,
    words: Sequence[str],
    data: bytes | None,
    env: Mapping[str, str] | None,
    patience_s: float | None,
) -> tuple[int, bytes, bytes]:
    """Run git once; return (exit code, standard output, standard error)."""
    # the handle ends the process when it is forgotten
    handle, child = start(folder, words, env)
    try:
        output, error = child.communicate(data or b'', timeout=patience_s)
    except subprocess.TimeoutExpired:
        # what it started ends with it, for nobody reads its pipe
        child.kill()
        raise GitError(f'git {words[0]}: no answer within {patience_s} s') from None
    return int(child.returncode), bytes(output), bytes(error)


def start(
    folder: str | Path, words: Sequence[str], env: Mapping[str, str] | None = None
) -> tuple[object, 'subprocess.Popen[bytes]']:
    """Start git in a folder, with pipes; return (a handle that ends it when forgotten, it)."""
    command = ['git', *OPTIONS, *words]
    handle = _git(folder).execute(
        command, as_process=True, istream=subprocess.PIPE, env=dict(env or {})
    )
    child = handle.proc
    assert child is not None  # GitPython sets it None only after the process was waited for
    return handle, child


def _git(folder: str | Path) -> 'Git':
    """Return GitPython's git of a folder. It is loaded here: `-h` works without that package."""
    # without git on PATH the import must not raise: Repository.at has a better message
    os.environ.setdefault('GIT_PYTHON_REFRESH', 'quiet')
    from git.cmd import Git

    return Git(str(folder))


def show(folder: str | Path, *words: str, env: Mapping[str, str] | None = None) -> int:
    """Run git on this process's own terminal, with its colours and its pager; its exit code.

    env: variables beside those of this process.
    """
    variables = {**os.environ, **(env or {})}
    return subprocess.run(['git', *OPTIONS, *words], cwd=folder, env=variables).returncode


def lines(words: Iterable[str]) -> bytes:
    """Return the words a line each, for git's standard input."""
    return '\n'.join(words).encode() + b'\n'


def dates() -> dict[str, str]:
    """Return the variables that say what time it is, from 2100 on: git's time zones end there."""
    now = time.time()
    if now < YEAR_2100:
        return {}
    date = f'@{now:.0f} {time.strftime("%z", time.localtime(now))}'
    names = ('GIT_AUTHOR_DATE', 'GIT_COMMITTER_DATE')
    return {name: date for name in names if name not in os.environ}


def encoded(message: str) -> bytes:
    """Return a message's bytes, without NUL; a file's name that is not UTF-8 shows as \\udcff."""
    return message.replace('\0', '').encode('utf-8', 'backslashreplace')


def url_without_login(text: str) -> str:
    """Return a text whose URLs have lost the name and password, or token, before their host."""
    return re.sub(r'(\w+://)[^/\s@]*@(?:[^/\s@]*@)*', r'\1', text)


def _decisive_line(error: bytes, command: str) -> str:
    """Return the line of git's standard error that says why it failed."""
    said = error.decode(errors='replace').strip().splitlines() or [f'git {command} failed']
    decisive = (line for line in said if line.startswith(('ssh:', 'fatal:', 'error:')))
    return next(decisive, said[-1])


def _message(error: str, folder: str | Path) -> str:
    """Return the message for what git printed, with the hint where there is one."""
    error = url_without_login(error)
    for part, hint in HINTS.items():
        if part in error:
            bare = re.sub('^(fatal|error): ', '', error)
            return hint.format(folder=folder, quoted=quote(folder), error=bare)
    return re.sub('^(fatal|error): ', 'git: ', error)
