"""Make the project's own environment, .venv, with the exact packages of code/requirements.txt.

    tagrun setup            # by hand; the first verb that needs packages does it by itself
    tagrun setup --test     # with what `tagrun test` needs

uv installs them if it is on the PATH, else pip. An environment of yours, active or named in TAGRUN_PYTHON, is used as it is
and never installed into: what it lacks is named. This file needs no package.

The last act copies requirements.txt into .venv: this stamp says that all is there (source.sh compares the two). While a set-up
works the stamp is empty, so one that was killed is known by it, and begun anew: no half-installed package survives.
"""
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from tagrun.command.say import Refusal, duration, parser, plural, quote, say
from tagrun.store import atomic, layout

CODE = Path(__file__).resolve().parents[2]
REQUIREMENTS, FOR_TESTS = CODE / 'requirements.txt', CODE / 'requirements-test.txt'
ENVIRONMENT = layout.root_of(CODE) / '.venv'
LOCK, STAMP = ENVIRONMENT / 'lock', ENVIRONMENT / REQUIREMENTS.name
# The real file (python3.11), for a link like /usr/bin/python3 may become another version, without our packages.
BASE_PYTHON = os.path.realpath(sys.executable)
RESOLVE_S, HEAD_S = 60, 3   # patience for the size of the download, which is only good to know
BARE_BYTES = 30e6           # an environment with nothing but pip in it
OUT_OF_REACH = ('ConnectionError|ConnectTimeout|ReadTimeout|timed out|connection refused|connection reset|ProxyError|SSLError|dns error|'
                'name resolution|name or service not known|nodename nor servname|network is unreachable|max retries|network was disabled')


def main(argv):
    words = parser('setup', __doc__, ['tagrun setup', 'tagrun setup --test'])
    words.add_argument('--test', action='store_true', help='also the packages that the tests need')
    files = [REQUIREMENTS, FOR_TESTS] if words.parse_args(argv).test else [REQUIREMENTS]
    if not bring(files):
        say(f'tagrun: nothing to set up: {python()} has all of {" and ".join(file.name for file in files)}')


def require():
    """Raises Refusal, with the command that cures it, if the running Python lacks a package of requirements.txt."""
    _refuse_if_incomplete([REQUIREMENTS])


def bring(files):
    """Make sure that the packages of these requirements files are there; True if they had to be installed. Raises Refusal."""
    if is_yours():
        _refuse_if_incomplete(files)
        return False
    if _complete(files):
        return False
    try:
        with _alone() as lock:
            if _complete(files):    # by the set-up that we waited for
                return False
            _install(files, lock)
            return True
    except OSError as error:
        raise Refusal(f'the set-up cannot go on: {error.filename or ENVIRONMENT}: {error.strerror}') from None


def python():
    """The Python that has the packages: of the user's environment, else of .venv."""
    return sys.executable if is_yours() else str(ENVIRONMENT / 'bin' / 'python')


def is_yours():
    """Does the running Python belong to an environment that the user chose? source.sh chooses by the same rule."""
    if _same(sys.prefix):
        return False
    if os.environ.get('TAGRUN_PYTHON'):
        return True
    for place in filter(None, (os.environ.get('VIRTUAL_ENV'), os.environ.get('CONDA_PREFIX'))):
        if _same(place):
            return False
        if os.access(Path(place, 'bin', 'python'), os.X_OK):
            return True
    return False


def _same(place):
    return os.path.realpath(place) == os.path.realpath(ENVIRONMENT)


# ---- What is there ----

def missing(file):
    """Names in a requirements file that the running Python does not have. Any version will do."""
    return [name for name in _names(file) if not _installed(name)]


def _names(file):
    """The packages that a requirements file names for this Python: lines `name==1.0; python_version >= "3.11"`.

    Another marker than python_version's >= and < counts as true; options (-r …) and bare addresses are passed over.
    """
    names = []
    for line in file.read_text(encoding='utf-8').splitlines() if file.is_file() else []:
        requirement, _, marker = re.sub(r'(^|\s)#.*', '', line).partition(';')
        name = re.match(r'([A-Za-z0-9][\w.-]*)\s*(\[|@|[=<>!~]|$)', requirement.strip())
        if name and _holds(marker):
            names.append(name[1])
    return names


def _holds(marker):
    match = re.fullmatch(r'''python_version\s*(>=|<)\s*["'](\d+)\.(\d+)["']''', marker.strip())
    if not match:
        return True
    new_enough = sys.version_info[:2] >= (int(match[2]), int(match[3]))
    return new_enough if match[1] == '>=' else not new_enough


def _installed(name):
    try:
        metadata.distribution(name)
        return True
    except metadata.PackageNotFoundError:
        return False


def _refuse_if_incomplete(files):
    absent = [name for file in files for name in missing(file)]
    if absent:
        bring_them = ' '.join(f'-r {quote(file)}' for file in files if missing(file))
        raise Refusal(f'{sys.executable} lacks {", ".join(absent)}: {quote(sys.executable)} -m pip install {bring_them}')


def _complete(files):
    return all(_read(file) == _read(_stamp(file)) for file in files) and _runs('pass')


def _stamp(file):
    return ENVIRONMENT / file.name


def _read(path):
    return path.read_text(encoding='utf-8') if path.is_file() else None


def _runs(statement):
    """Does .venv's Python run it? Not if that Python is gone, or finds no pyvenv.cfg and takes itself for the system's."""
    try:
        words = [ENVIRONMENT / 'bin' / 'python', '-I', '-c', f'import sys; assert sys.prefix != sys.base_prefix; {statement}']
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False


# ---- The set-up ----

@contextmanager
def _alone():
    """The lock of the one set-up at work, as a descriptor; the others wait here.

    Children inherit it: if only this process is killed, the next set-up still waits for its pip.
    """
    ENVIRONMENT.mkdir(exist_ok=True)
    with open(LOCK, 'ab') as lock:      # for writing: NFS grants an exclusive lock on nothing else
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('tagrun: another set-up of this project is at work; waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _install(files, lock):
    start, texts = time.monotonic(), [_read(file) for file in files]
    before = _read(STAMP) if _runs('pass') else ''
    atomic.write(STAMP, '')
    if before == '':
        _clear()
    uv = shutil.which('uv')
    _announce(files, uv)
    try:
        _by_uv(uv, files, lock) if uv else _by_pip(files, lock)
    except Refusal:
        if before:      # it held other packages, and does still: both installers take a failed installation back
            atomic.write(STAMP, before)
        raise
    for file, text in reversed(list(zip(files, texts))):    # requirements.txt, the one that counts, last
        atomic.write(_stamp(file), text)
    say(f'tagrun: set up in {duration(time.monotonic() - start)}')


def _announce(files, uv):
    count, names = sum(len(_names(file)) for file in files), ' and '.join(file.name for file in files)
    say(f'tagrun: set-up, once: {plural(count, "package")} of {names}, with dependencies, into {ENVIRONMENT}, '
        f'by {"uv, which shows each size" if uv else "pip"}')


def _clear():
    """Empty .venv but for the lock and the stamp."""
    for entry in ENVIRONMENT.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry not in (LOCK, STAMP):
            entry.unlink()


def _by_uv(uv, files, lock):
    if not _runs('import pip'):
        _make([uv, 'venv', '--quiet', '--no-project', '--allow-existing', '--seed', '--python', BASE_PYTHON, ENVIRONMENT], lock)
    words = [uv, 'pip', 'install', '--python', ENVIRONMENT / 'bin' / 'python', '--compile-bytecode', *_options(files)]
    if subprocess.run(words, stdout=sys.stderr, pass_fds=[lock]).returncode:
        raise Refusal('the packages could not be installed; uv says why, above. With that cured, the same command tries again')


def _by_pip(files, lock):
    if not _runs('import pip'):
        if importlib.util.find_spec('ensurepip') is None:
            version = '.'.join(map(str, sys.version_info[:2]))
            raise Refusal(f'{BASE_PYTHON} cannot make an environment, its ensurepip is missing: '
                          f'`apt install python{version}-venv`, or install uv')
        _make([BASE_PYTHON, '-I', '-m', 'venv', ENVIRONMENT], lock)
    # -I: neither PYTHONPATH nor a queue.py in this folder has a say
    pip = [ENVIRONMENT / 'bin' / 'python', '-I', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-user', *_options(files)]
    with tempfile.TemporaryDirectory() as folder:
        say(f'tagrun: {_download(pip, Path(folder, "report"), lock)}')
        log = Path(folder, 'log')
        if subprocess.run([*pip, '--log', log], stdout=sys.stderr, pass_fds=[lock]).returncode:
            text = log.read_text(errors='replace') if log.is_file() else ''
            raise Refusal(_why(text, _last_error(text)))


def _options(files):
    return [word for file in files for word in ('-r', file)]


def _make(words, lock):
    """Make .venv by a command; where one is, it stays, and gets what it lacks."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', pass_fds=[lock])
    if done.returncode:
        raise Refusal(_why(done.stdout, _last_line(done.stdout)))


def _last_error(log):
    """The last error in pip's log: 'ERROR: …', or the end of a traceback. Each line begins with the time."""
    return _last_line('\n'.join(re.findall(r'(?m)^\d\S+ (?:ERROR|[\w.]+(?:Error|Exception)): (.+)', log)))


def _why(text, error):
    """A sentence on why it failed, from all that was printed, with the last error at its end."""
    if 'No space left on device' in text or shutil.disk_usage(ENVIRONMENT).free < BARE_BYTES:
        return f'the disk is full; with space on it, the same command tries again: {error}'
    if re.search(OUT_OF_REACH, text, re.IGNORECASE):
        return f'the package index cannot be reached; with a network, the same command tries again: {error}'
    return f'the packages could not be installed: {error}'


def _last_line(text):
    return (text.strip() or 'no reason given').splitlines()[-1].strip()


# ---- How large is it? ----

def _download(pip, report, lock):
    """'57 packages, 2.9 GB to download, …', asked of the index without downloading; at worst 'size unknown'."""
    try:
        subprocess.run([*pip, '--dry-run', '--quiet', '--retries', '1', '--report', report], check=True, timeout=RESOLVE_S,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[lock])
        addresses = [item['download_info']['url'] for item in json.loads(report.read_bytes())['install']]
    except (subprocess.SubprocessError, OSError, ValueError, LookupError):
        return 'size of the download unknown'
    with ThreadPoolExecutor(32) as pool:
        sizes = list(pool.map(_size, addresses))
    size = 'size unknown' if None in sizes else f'{_readable(sum(sizes))} to download, less what pip has in its cache'
    return f'{plural(len(sizes), "package")}, {size}'


def _size(address):
    """Bytes of the file at an address, or None."""
    try:
        if address.startswith('file:'):
            return os.path.getsize(url2pathname(urlsplit(address).path))
        with urlopen(Request(address, method='HEAD'), timeout=HEAD_S) as answer:
            return int(answer.headers['Content-Length'])
    except (OSError, ValueError, TypeError, HTTPException):
        return None


def _readable(size):
    return f'{size / 1e9:.1f} GB' if size >= 1e9 else f'{max(size / 1e6, 0.1):,.1f} MB'
