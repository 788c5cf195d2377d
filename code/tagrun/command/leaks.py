"""Uncommitted files that must not get into git by a run, which would keep them for ever: secrets, and what is large.

    check(top, changes)                  # raises Refusal for the first, with the cure

It looks at names of new files, and in new and modified ones for a few tokens that cannot be anything else. What the user commits is
the user's: git's history is not searched.
"""
import fnmatch
import re
from pathlib import Path

from tagrun.command.say import Refusal

LARGEST = 10 << 20      # bytes of a new file
NAMES = ('.env', '.env.*', '*.pem', '*.key', '*.p12', '*.pfx', '*.jks', '*.keystore', '*.kdbx', '*.ovpn', 'id_rsa*', 'id_dsa*', 'id_ecdsa*', 'id_ed25519*',
         '.netrc', '_netrc', '.pypirc', '.npmrc', '.pgpass', '.htpasswd', '.s3cfg', '.boto', '.dockercfg', '.git-credentials', '*service_account*.json',
         '*service-account*.json', 'credentials', 'credentials*.json', 'client_secret*.json', 'kaggle.json', 'secrets.*', '.vault_pass*')
NO_SECRETS = ('.example', '.sample', '.template', '.pub', '.py')
TOKENS = re.compile(rb'-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{60}|\bglpat-[\w-]{20}|'
                    rb'\bhf_[A-Za-z]{34}\b|\bsk-[A-Za-z0-9_-]{40}|\bxox[baprs]-[0-9A-Za-z-]{20}|\bAIza[\w-]{35}|\bnpm_[A-Za-z0-9]{36}|\bpypi-[\w-]{50}')
LOGIN = re.compile(rb'([a-z][a-z0-9+.-]{1,20}://)[^/\s"\'@]{1,200}@')
CURE = 'name it in .gitignore, or commit it yourself'


def check(top, changes):
    """Raises Refusal for the first of a work tree's changes that git should not keep."""
    for change in changes:
        path = Path(top) / change.path
        if change.what == 'new' and _is_a_secrets_name(path.name):
            raise Refusal(f'{change.path} looks like a secret, and a record is for ever: {CURE}')
        if change.what == 'deleted' or path.is_symlink() or not path.is_file():
            continue
        size = path.stat().st_size
        if change.what == 'new' and size > LARGEST:
            raise Refusal(f'{change.path} has {size / 1e6:,.0f} MB, and git would keep it for ever: {CURE}')
        if size <= LARGEST and (line := _line_with_a_token(path)):
            raise Refusal(f'{change.path}, line {line}, holds what looks like a secret key or token, and a record is for ever: take it out; or commit it yourself')


def hidden(content):
    """Bytes in which what looks like a token, or the login of a URL, is blotted out."""
    return LOGIN.sub(rb'\1(hidden)@', TOKENS.sub(b'(hidden)', content))


def _is_a_secrets_name(name):
    return any(fnmatch.fnmatch(name.lower(), pattern) for pattern in NAMES) and not name.lower().endswith(NO_SECRETS)


def _line_with_a_token(path):
    """The number of the first line that holds a token, or 0; the token itself is never told."""
    try:
        content = path.read_bytes()
    except OSError:     # git will say so
        return 0
    found = TOKENS.search(content)
    return content.count(b'\n', 0, found.start()) + 1 if found else 0
