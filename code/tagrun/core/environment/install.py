"""Install the exact packages of requirements files into the project's own environment, .venv.

    install.install([check.REQUIREMENTS])          # True if something had to be installed

uv installs them if it is on the PATH, else pip. An environment of yours is used as it is: nothing
is installed into it, and what it lacks is named. This file needs no package.

The last step copies requirements.txt into .venv, as its stamp. While an installation is at work the
stamp is empty. So one that was killed is recognised and started again from an empty folder: no
half-installed package survives.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tagrun.core.cli.messages import UserError, duration, echo, plural
from tagrun.core.environment import check, download_size
from tagrun.core.environment.check import ENVIRONMENT, LOCK, STAMP
from tagrun.core.project import CODE
from tagrun.store import atomic

# The real file (python3.11): a link like /usr/bin/python3 may later lead to another version, which
# lacks our packages.
BASE_PYTHON = os.path.realpath(sys.executable)
BARE_BYTES = 30e6  # an environment with nothing but pip in it
OUT_OF_REACH = (
    'ConnectionError|ConnectTimeout|ReadTimeout|timed out|connection refused|connection reset|'
    'ProxyError|SSLError|dns error|name resolution|name or service not known|'
    'nodename nor servname|network is unreachable|max retries|network was disabled'
)


def install(files: Sequence[Path]) -> bool:
    """Make sure that the packages of these files are installed; return whether they were not.

    Raises UserError: an environment of the user's lacks packages, or the installation failed.
    """
    if check.is_yours():
        check.refuse_if_incomplete(files)
        return False
    if check.is_complete(files):
        return False
    try:
        with _lock() as lock:
            # the installation that we waited for may have brought them
            if check.is_complete(files):
                return False
            _install(files, lock)
            return True
    except OSError as error:
        path = error.filename or ENVIRONMENT
        raise UserError(f'the set-up cannot go on: {path}: {error.strerror}') from None


def install_for_tests() -> None:
    """Install what all tests need: an extra's tests are skipped without its packages."""
    extras = [] if check.is_yours() else sorted(CODE.glob('requirements-*.txt'))
    install([check.REQUIREMENTS, *(extras or [check.FOR_TESTS])])


@contextmanager
def _lock() -> Iterator[int]:
    """Hold the lock of the one installation at work, as a descriptor; the others wait here.

    Child processes inherit it: if only this process is killed, the next one still waits for its
    pip.
    """
    ENVIRONMENT.mkdir(exist_ok=True)
    # for writing: NFS grants an exclusive lock on nothing else
    with open(LOCK, 'ab') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            echo('tagrun: another set-up of this project is at work; waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _install(files: Sequence[Path], lock: int) -> None:
    start = time.monotonic()
    texts = {file: file.read_text(encoding='utf-8') for file in files if file.is_file()}
    before = check.read_or_none(STAMP) if check.can_run('pass') else ''
    atomic.write(STAMP, '')
    if before == '':
        _clear()
    uv = shutil.which('uv')
    _announce(files, uv)
    try:
        if uv:
            _install_by_uv(uv, files, lock)
        else:
            _install_by_pip(files, lock)
    except UserError:
        # the packages from before are still installed: both installers undo a failed installation
        if before:
            atomic.write(STAMP, before)
        raise
    # requirements.txt, the stamp that counts, is the first file: write it last
    for file in reversed(files):
        atomic.write(check.stamp(file), texts[file])
    echo(f'tagrun: set up in {duration(time.monotonic() - start)}')


def _announce(files: Sequence[Path], uv: str | None) -> None:
    count = sum(len(check.required(file)) for file in files)
    names = ' and '.join(file.name for file in files)
    installer = 'uv, which shows each size' if uv else 'pip'
    packages = f'{plural(count, "package")} of {names}, with dependencies'
    echo(f'tagrun: set-up, once: {packages}, into {ENVIRONMENT}, by {installer}')


def _clear() -> None:
    """Empty .venv but for the lock and the stamp."""
    for entry in ENVIRONMENT.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry not in (LOCK, STAMP):
            entry.unlink()


# ---- uv ----


def _install_by_uv(uv: str, files: Sequence[Path], lock: int) -> None:
    if not check.can_run('import pip'):
        flags = ['--quiet', '--no-project', '--allow-existing', '--seed']
        _make_environment([uv, 'venv', *flags, '--python', BASE_PYTHON, str(ENVIRONMENT)], lock)
    words = [uv, 'pip', 'install', '--python', _python(), '--compile-bytecode', *_options(files)]
    if subprocess.run(words, stdout=sys.stderr, pass_fds=[lock]).returncode:
        raise UserError(
            "the packages could not be installed: see uv's error above, fix it and run the "
            "same command again"
        )


# ---- pip ----


def _install_by_pip(files: Sequence[Path], lock: int) -> None:
    if not check.can_run('import pip'):
        _refuse_without_ensurepip()
        _make_environment([BASE_PYTHON, '-I', '-m', 'venv', str(ENVIRONMENT)], lock)
    # -I: PYTHONPATH and a queue.py in this folder have no effect
    pip = [_python(), '-I', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-user']
    pip += _options(files)
    with tempfile.TemporaryDirectory() as folder:
        echo(f'tagrun: {download_size.describe(pip, Path(folder, "report"), lock)}')
        log = Path(folder, 'log')
        words = [*pip, '--log', str(log)]
        if subprocess.run(words, stdout=sys.stderr, pass_fds=[lock]).returncode:
            text = log.read_text(errors='replace') if log.is_file() else ''
            raise UserError(_explain(text, _last_error(text)))


def _refuse_without_ensurepip() -> None:
    if importlib.util.find_spec('ensurepip') is None:
        version = '.'.join(map(str, sys.version_info[:2]))
        raise UserError(
            f'{BASE_PYTHON} cannot make an environment, its ensurepip is missing: '
            f'`apt install python{version}-venv`, or install uv'
        )


def _python() -> str:
    return str(ENVIRONMENT / 'bin' / 'python')


def _options(files: Sequence[Path]) -> list[str]:
    words: list[str] = []
    for file in files:
        words += ['-r', str(file)]
    return words


def _make_environment(words: list[str], lock: int) -> None:
    """Make .venv by a command; one that exists stays, and gets what it lacks."""
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        pass_fds=[lock],
    )
    if done.returncode:
        raise UserError(_explain(done.stdout, _last_line(done.stdout)))


# ---- Why it failed ----


def _explain(output: str, error: str) -> str:
    """Return a sentence on why it failed, from all that was printed, with the last error."""
    if 'No space left on device' in output or shutil.disk_usage(ENVIRONMENT).free < BARE_BYTES:
        return f'the disk is full; free some space and run the same command again: {error}'
    if re.search(OUT_OF_REACH, output, re.IGNORECASE):
        again = 'with a network, run the same command again'
        return f'the package index cannot be reached; {again}: {error}'
    return f'the packages could not be installed: {error}'


def _last_error(log: str) -> str:
    """Return the last error in pip's log: 'ERROR: …', or the end of a traceback.

    Each line of the log begins with the time.
    """
    pattern = r'(?m)^\d\S+ (?:ERROR|[\w.]+(?:Error|Exception)): (.+)'
    return _last_line('\n'.join(re.findall(pattern, log)))


def _last_line(text: str) -> str:
    return (text.strip() or 'no reason given').splitlines()[-1].strip()
