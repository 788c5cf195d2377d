"""Ask the package index how much pip is going to download, without downloading it.

    download_size.describe(pip_words, report_path, lock)     # '57 packages, 2.9 GB to download, …'

The size is only good to know: where the index does not answer soon, it is unknown.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from tagrun.core.cli.messages import plural

RESOLVE_S = 60
HEAD_S = 3
REQUESTS_AT_ONCE = 32


def describe(pip: Sequence[str], report: Path, lock: int) -> str:
    """Return what a pip command is going to download, as a phrase; at worst 'size … unknown'.

    pip: the words of a `pip install`; report: a path for pip's report; lock: a descriptor that pip
    inherits.
    """
    try:
        addresses = _resolve(pip, report, lock)
    except (subprocess.SubprocessError, OSError, ValueError, LookupError):
        return 'size of the download unknown'
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        sizes = [size for size in pool.map(file_size, addresses) if size is not None]
    packages = plural(len(addresses), 'package')
    if len(sizes) < len(addresses):
        return f'{packages}, size unknown'
    return f'{packages}, {readable(sum(sizes))} to download, less what pip has in its cache'


def _resolve(pip: Sequence[str], report: Path, lock: int) -> list[str]:
    """Return the addresses of the files that pip would install."""
    subprocess.run(
        [*pip, '--dry-run', '--quiet', '--retries', '1', '--report', str(report)],
        check=True,
        timeout=RESOLVE_S,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[lock],
    )
    packages = json.loads(report.read_bytes())['install']
    return [package['download_info']['url'] for package in packages]


def file_size(address: str) -> int | None:
    """Return the bytes of the file at an address (file: or http), or None."""
    try:
        if address.startswith('file:'):
            return os.path.getsize(url2pathname(urlsplit(address).path))
        with urlopen(Request(address, method='HEAD'), timeout=HEAD_S) as answer:
            return int(answer.headers['Content-Length'])
    except (OSError, ValueError, TypeError, HTTPException):
        return None


def readable(size: float) -> str:
    """Return a number of bytes as '2.9 GB' or '1.3 MB'."""
    return f'{size / 1e9:.1f} GB' if size >= 1e9 else f'{max(size / 1e6, 0.1):,.1f} MB'
