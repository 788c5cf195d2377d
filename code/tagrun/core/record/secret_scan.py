"""Refuse uncommitted files that git would keep permanently and should not: secrets, large files.

    check(top, changes)                  # raises UserError for the first, with what to do
    check_words('-m', [message])         # … of what was typed
    check_arguments(values)              # … of what config.py gives

It looks at the names of new files, and in new and modified ones for what secret_rules.ini has. What
you commit yourself is yours: it does not search git's history.
"""

import fnmatch
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError
from tagrun.core.git.status import Change
from tagrun.core.record import secret_rules

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
WHAT_TO_DO = 'name it in .gitignore, or commit it yourself'


def check(top: Path, changes: Iterable[Change]) -> None:
    """Raise UserError for the first of a work tree's changes that git should not keep."""
    for change in changes:
        path = Path(top) / change.path
        if change.what == 'new':
            _check_name(change.path)
        if change.what != 'deleted' and path.is_file() and not path.is_symlink():
            _check_content(change, path)


def check_words(what: str, words: Iterable[str]) -> None:
    """Raise UserError where a word that was typed holds a secret. what: where it was typed."""
    for word in words:
        # of `api_key=…` the name counts too
        name, _, value = word.partition('=')
        if secret_rules.redact_text(word) != word or secret_rules.is_secret(name, value):
            raise UserError(
                f'{what} holds what looks like a password, key or token, and git would keep it '
                'permanently: leave it out, and let your code read it where it is used, '
                "e.g. os.environ['KEY']"
            )


def check_arguments(values: Mapping[str, Any]) -> None:
    """Raise UserError where an argument, as config.py computes it, holds a secret."""
    for name, value in values.items():
        if secret_rules.is_secret(name, value):
            raise UserError(
                f'code/config.py gives {secret_rules.redact_text(name)} what looks like a '
                'password, key or token, and every result would hold it: let your code read it '
                "where it is used, e.g. os.environ['KEY']"
            )


def _check_name(path: str) -> None:
    """Raise UserError for a new file whose name says that it is secret, or holds a secret."""
    shown = secret_rules.redact_text(path)
    if shown != path:
        raise UserError(
            f'the name of the new file {shown} holds what looks like a secret key or token, and '
            'git would keep it permanently: rename it, or name it in .gitignore'
        )
    if _is_secret_name(path.rpartition('/')[2]):
        raise UserError(
            f'{path} looks like a secret, and git would keep it permanently: {WHAT_TO_DO}'
        )


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
    texts = [content]
    if b'\0' in content:  # UTF-16 or UTF-32: every other byte of ASCII
        texts.append(content.replace(b'\0', b''))
    for text in texts:
        for secret in secret_rules.find(text):
            return text.count(b'\n', 0, secret.start) + 1
    return 0
