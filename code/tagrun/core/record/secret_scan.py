"""Refuse uncommitted files that git would keep permanently and should not: secrets, large files.

    check(top, changes)                  # raises UserError for the first, with what to do

It looks at the names of new files, and in new and modified ones for a few tokens that cannot be
anything else. What you commit yourself is yours: it does not search git's history.
"""

import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Change

LARGEST = 10 << 20  # bytes of a new file
NAMES = (
    '.env',
    '.env.*',
    '*.pem',
    '*.key',
    '*.p12',
    '*.pfx',
    '*.jks',
    '*.keystore',
    '*.kdbx',
    '*.ovpn',
    'id_rsa*',
    'id_dsa*',
    'id_ecdsa*',
    'id_ed25519*',
    '.netrc',
    '_netrc',
    '.pypirc',
    '.npmrc',
    '.pgpass',
    '.htpasswd',
    '.s3cfg',
    '.boto',
    '.dockercfg',
    '.git-credentials',
    '*service_account*.json',
    '*service-account*.json',
    'credentials',
    'credentials*.json',
    'client_secret*.json',
    'kaggle.json',
    'secrets.*',
    '.vault_pass*',
)
NO_SECRETS = ('.example', '.sample', '.template', '.pub', '.py')
TOKENS = re.compile(
    rb'-----BEGIN [A-Z ]*PRIVATE KEY-----'
    rb'|\bAKIA[0-9A-Z]{16}\b'
    rb'|\bgh[pousr]_[A-Za-z0-9]{36}'
    rb'|\bgithub_pat_[A-Za-z0-9_]{60}'
    rb'|\bglpat-[\w-]{20}'
    rb'|\bhf_[A-Za-z]{34}\b'
    rb'|\bsk-[A-Za-z0-9_-]{40}'
    rb'|\bxox[baprs]-[0-9A-Za-z-]{20}'
    rb'|\bAIza[\w-]{35}'
    rb'|\bnpm_[A-Za-z0-9]{36}'
    rb'|\bpypi-[\w-]{50}'
)
LOGIN = re.compile(rb'([a-z][a-z0-9+.-]{1,20}://)[^/\s"\'@]{1,200}@')
WHAT_TO_DO = 'name it in .gitignore, or commit it yourself'


def check(top: Path, changes: Iterable[Change]) -> None:
    """Raise UserError for the first of a work tree's changes that git should not keep."""
    for change in changes:
        path = Path(top) / change.path
        if change.what == 'new' and _is_secret_name(path.name):
            raise UserError(
                f'{change.path} looks like a secret, and git would keep it permanently: '
                f'{WHAT_TO_DO}'
            )
        if change.what != 'deleted' and path.is_file() and not path.is_symlink():
            _check_content(change, path)


def _check_content(change: Change, path: Path) -> None:
    size = path.stat().st_size
    if size > LARGEST:
        if change.what == 'new':
            raise UserError(
                f'{change.path} has {size / 1e6:,.0f} MB, and git would keep it permanently: '
                f'{WHAT_TO_DO}'
            )
        return
    line = _line_with_token(path)
    if line:
        raise UserError(
            f'{change.path}, line {line}, holds what looks like a secret key or token, and git '
            'would keep it permanently: take it out, or commit it yourself'
        )


def redact(content: bytes) -> bytes:
    """Return bytes in which what looks like a token, or the login of a URL, is replaced."""
    return LOGIN.sub(rb'\1(hidden)@', TOKENS.sub(b'(hidden)', content))


def _is_secret_name(name: str) -> bool:
    name = name.lower()
    if name.endswith(NO_SECRETS):
        return False
    return any(fnmatch.fnmatch(name, pattern) for pattern in NAMES)


def _line_with_token(path: Path) -> int:
    """Return the number of the first line that holds a token, or 0; never the token itself."""
    try:
        content = path.read_bytes()
    except OSError:  # git will say so
        return 0
    token = TOKENS.search(content)
    return content.count(b'\n', 0, token.start()) + 1 if token else 0
