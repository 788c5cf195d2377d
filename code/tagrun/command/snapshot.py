"""The frozen copy of a commit's code that a run trains from: <run folder>/code.

    files = read(repository, commit); check(files); write(files, folder)

Files are read-only; those equal to the tag's snapshot before are hard links to it. Of the tool only what training
imports is in it. It is written from git's objects, without the user's work tree.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tagrun.command.git import Failed
from tagrun.command.say import Refusal, say
from tagrun.store import layout, run_json

IMPORTED = ('.py', '.so', '.pth')   # endings of what Python would import or run
LFS = b'version https://git-lfs.github.com/spec/v1\n'     # how a pointer begins
LEFT_OUT = ('tagrun/tests/', 'tagrun/bench/', 'tagrun/command/', 'tagrun/extra/')   # training imports none of it
LINK, EXECUTABLE, SUBMODULE = '120000', '100755', '160000'


class File(NamedTuple):
    path: str       # relative to code/
    mode: str       # git's: 100644, 100755, 120000 (a link: its content is where to)
    content: bytes


def read(repository, commit):
    """The files of a commit's code folder. Raises Refusal if Tagrun cannot run it, or the commit is not here."""
    try:
        entries = [entry for entry in repository.tree(commit, 'code') if not entry.path.startswith(LEFT_OUT)]
        blobs = repository.blobs(entry.id for entry in entries if entry.mode != SUBMODULE)
    except Failed as error:
        raise Refusal(absent(commit, f' ({error})')) from None
    for entry in entries:
        if entry.mode == SUBMODULE:
            raise Refusal(f'code/{entry.path} is a submodule, which a run\'s frozen copy would lack: keep its files in code/ itself')
    files = [File(entry.path, entry.mode, blobs[entry.id]) for entry in entries]
    _check_contract({file.path: file.content for file in files}, commit)
    return files


def absent(commit, why=''):
    return f'the code of commit {commit[:10]} is not in this repository{why}: git fetch origin {commit} brings it, if it was pushed'


def _check_contract(contents, commit):
    if 'main.py' not in contents:
        raise Refusal(f'commit {commit[:10]} has no code/main.py: there is nothing to run')
    text = contents.get('tagrun/CONTRACT', b'').decode(errors='replace').strip()
    if not re.fullmatch('[0-9]+', text):
        raise Refusal(f'commit {commit[:10]} has no code/tagrun/CONTRACT: it is no code for Tagrun')
    if int(text) > run_json.CONTRACT:
        raise Refusal(f'commit {commit[:10]} wants contract {text}, this Tagrun knows {run_json.CONTRACT}: bring code/tagrun up to date')


def check(files):
    """Find what would stop it before a tag is spent on it. Raises Refusal for a file that is no Python, or hides what torch needs of Python's own."""
    for file in files:
        if file.content.startswith(LFS):
            say(f'tagrun: code/{file.path} is kept by git LFS: the frozen copy has its pointer, not its content')
        if file.path.startswith('tagrun/') or not file.path.endswith('.py'):
            continue
        try:
            compile(file.content, file.path, 'exec', dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise Refusal(f'code/{file.path}, line {getattr(error, "lineno", "?")}: {getattr(error, "msg", error)}') from None
    hiding = [file.path for file in files if file.path.removesuffix('.py') in sys.stdlib_module_names]
    if hiding:
        _try_torch(files, f'code/{", code/".join(hiding)} hides Python\'s own module{"s" if len(hiding) > 1 else ""} of that name')


def _try_torch(files, what):
    """Load torch beside these files, as training will. Raises Refusal if it cannot be; else only says what might be stumbled on."""
    with tempfile.TemporaryDirectory() as folder:
        write(files, folder)
        done = subprocess.run([sys.executable, '-c', 'import torch, torch.utils.tensorboard, torch.utils.data'], cwd=folder, capture_output=True,
                              env={**os.environ, 'PYTHONPATH': os.path.join(folder, 'code')})
    if done.returncode:
        raise Refusal(f'{what}, and torch cannot be loaded beside it: rename it')
    say(f'tagrun: {what}; torch can be loaded beside it, but better rename it')


def write(files, folder):
    """Make <folder>/code hold just these contents, mending what differs. Returns the paths that did, in one that was there before."""
    code, before = Path(folder) / 'code', _snapshot_before(Path(folder))
    was_there, mended = code.exists(), _without_links(code, files)
    for file in files:
        path = code / file.path
        if not _same(path, file):
            mended.append(file.path)
            _make_room(path)
            _place(path, file, before)
    return mended if was_there else []


def differences(files, folder):
    """(paths of <folder>/code that are not as in the commit or missing, Python files there that the commit lacks)."""
    code = Path(folder) / 'code'
    known = {file.path for file in files}
    found = {path.relative_to(code).as_posix() for ending in IMPORTED for path in code.rglob(f'*{ending}') if '__pycache__' not in path.parts}
    return [file.path for file in files if not _same(code / file.path, file)], sorted(found - known)


def clean(folder):
    """Remove the bytecode that Python left in the snapshot: ten thousand runs would keep it ten thousand times."""
    for cache in list((Path(folder) / 'code').rglob('__pycache__')):
        shutil.rmtree(cache, ignore_errors=True)


def _without_links(code, files):
    """Remove the links that stand where a folder of the commit belongs, so that nothing is written through them; their paths."""
    removed = []
    for folder in sorted({parent for file in files for parent in Path(file.path).parents}):     # each before what lies in it
        if (code / folder).is_symlink():
            (code / folder).unlink()
            removed.append(folder.as_posix())
    return removed


def _make_room(path):
    """Make the folder of `path`, and free its name. Raises Refusal where something stands there that is no copy of ours."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(f'{path}: a file of the commit belongs there ({error.strerror}): move away what stands in its place') from None


def _place(path, file, before):
    if file.mode == LINK:
        os.symlink(file.content, os.fsencode(path))
    elif before and _same(before / file.path, file):
        os.link(before / file.path, path)
    else:
        path.write_bytes(file.content)
        path.chmod(0o555 if file.mode == EXECUTABLE else 0o444)


def _same(path, file):
    try:
        if file.mode == LINK:
            return os.fsencode(os.readlink(path)) == file.content
        return not path.is_symlink() and path.read_bytes() == file.content and bool(path.stat().st_mode & 0o100) == (file.mode == EXECUTABLE)
    except OSError:
        return False


def _snapshot_before(folder):
    """The code folder of the newest earlier run of the same tag, or None."""
    numbers = layout.numbers(folder.parents[2], folder.parent.name) if folder.name.isdigit() else []
    earlier = [number for number in numbers if number < int(folder.name)]
    return folder.parent / str(earlier[-1]) / 'code' if earlier else None
