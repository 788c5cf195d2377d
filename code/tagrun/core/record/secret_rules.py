"""Find secrets in bytes or text: private keys, tokens, passwords in URLs, by secret_rules.ini.

    find(b'key = "ghp_…"')              # [Secret(start=7, end=47, rule='github-token')]
    redact(b'at https://me:pass@host')  # b'at https://(hidden)@host'
    redact_value({'api_key': 'x1y2'})   # {'api_key': '(hidden)'}: by its name

Most lines have nothing that may be a secret. Of the others a rule's pattern is tried only where one
of its words is. No secret is in a message or in an exception.
"""

import bisect
import configparser
import functools
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.store import jsonfile

FILE = Path(__file__).with_name('secret_rules.ini')
HIDDEN = b'(hidden)'
SHORTEST = 8  # characters of a text that may hold a secret
LONGEST_SECRET = 1 << 15  # bytes: who cuts a text reads so much more, redacts, and then cuts
CACHED = 1 << 14  # texts whose redaction is remembered
LOGIN = re.compile(rb'([A-Za-z][A-Za-z0-9+.-]{1,20}://)[^/\s"\'<>]{1,200}@')
# what a line has that may hold a secret; of the other lines only rules of several lines are tried
LONG = re.compile(rb'[A-Za-z0-9_+/=-]{20,}')
URL = re.compile(rb'://[^\s"\'<>]{1,300}?@')
SHORT = re.compile(rb'passw|pwd|basic |bearer |authorization|_auth|curl |q~|sig=|passphrase')
# after a character that ends a word, the escapes \n, \r and \t of JSON, or a terminal's colour
ALONE = rb'(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=\dm))'
# between a name and its value
IS = (
    rb'["\'`\\\])]{0,4}(?::\s?(?:str|bytes)\s?)?\s{0,4}(?:=>|:=|==?|[:,>\s])'
    rb'\s{0,4}(?:[bru]{0,2}["\'`\\]{1,4})?'
)
# the lines of a key whose END was cut off, each with what a log or JSON has before it
BODY = (
    rb'(?:(?:\s|\\+[nrt]|["\'`|>#*,+]|\d\d:\d\d:\d\d)+'
    rb'(?:(?:Proc-Type|DEK-Info|Version|Comment|Charset):[^\n\\"]{0,200}|[A-Za-z0-9+/=]{20,}))*'
    rb'(?:(?:\s|\\+[nrt]|\d\d:\d\d:\d\d)+[A-Za-z0-9+/]{1,76}(?:={1,2}|\s{0,9}\Z))?'
)
# values that stand for a secret in documentation: of such words alone, or a variable
# no word is the beginning of two others in a row, so it is matched in one way
PLACEHOLDER = re.compile(
    r'(?:(?:my|your|the|an|a|user|name|pass|word|passwd|pwd|secret|token|api|auth|key|id|test|host|'
    r'access|client|basic|bearer|credentials?|example|sample|dummy|fake|foo|bar|baz|abc|change|me|'
    r'here|some|value|none|null|true|false|string|db|admin|root|guest|login|scott|tiger|redacted|'
    r'hidden|xyz|private|public|super|very|to|be|set|not|is|real|placeholder|postgres|mysql|'
    r'insert|replace|with|from|env|mock|spam|eggs|port)|[\W_x])+'
    r'|\$[\w.]+|\$[{(].*|%.*%|.*(?:\{\w*\}|%\(|%s|<\w|\*{3}|\.{3}|x{6}).*',
    re.I | re.S,
)
ESCAPE = re.compile('%[0-9A-Fa-f]{2}')  # of a URL
# names of arguments whose value is a secret, whatever it is
NAMED = re.compile(
    r'(?:.*[_.\-\s])?(?:password|passwd|passphrase|api_?key|secret|secret_?key|secret_access_key|'
    r'access_key|client_secret|auth_?token|access_?token|api_?token|private_?key)',
    re.I | re.S,
)
PLAIN = (float, int, bool, type(None))
# a digest, a time, words: not a secret by itself
HARMLESS = re.compile(r'[0-9a-f]*|\d{4}-\d\d-\d\dT[\d:.]+Z|[a-z_ ]*')
# what the name of an argument has whose value may be a secret for its name
NAMING = re.compile(
    'key|token|secret|passw|pwd|auth|credential|login|signature|account|heroku|cloudflare|twilio',
    re.I,
)


class Secret(NamedTuple):
    """Where a secret stands in a text."""

    start: int
    end: int
    rule: str  # its name


class Rule(NamedTuple):
    """One rule of secret_rules.ini."""

    name: str
    near: tuple[bytes, ...]
    text: bytes  # of its pattern
    context: bool
    random: float
    words: bool
    several_lines: bool


@functools.cache
def rules() -> list[Rule]:
    """Return the rules of secret_rules.ini."""
    parser = configparser.RawConfigParser()
    parser.read_string(FILE.read_text(encoding='utf-8'))
    return [_rule(name, parser[name]) for name in parser.sections()]


def find(content: bytes) -> list[Secret]:
    """Return the secrets in a text, in its order; what lies in another one is left out."""
    if len(content) < SHORTEST:
        return []
    lower = content.lower()
    found = _by_rules(content, lower, several_lines=True)
    lines = _suspicious_lines(content, lower)
    text = b'\n'.join(content[start:end] for start, end in lines)
    shifts = _shifts(lines)
    starts = [start for start, _ in shifts]
    for secret in _by_rules(text, text.lower(), several_lines=False):
        _, shift = shifts[bisect.bisect_right(starts, secret.start) - 1]
        found.append(Secret(secret.start + shift, secret.end + shift, secret.rule))
    return _without_inner(found)


def redact(content: bytes) -> bytes:
    """Return bytes in which each secret, and the login of a URL, is replaced."""
    parts, end = [], 0
    for secret in find(content):
        parts += [content[end : secret.start], HIDDEN]
        end = secret.end
    text = b''.join([*parts, content[end:]])
    return LOGIN.sub(rb'\1(hidden)@', text) if b'@' in text else text


def redact_text(text: str) -> str:
    """Return a text in which each secret is replaced."""
    return _redacted(text) if len(text) >= SHORTEST else text


def redact_value(value: Any, name: str = '') -> Any:
    """Return a value of JSON in which each secret is replaced; the same object where none is.

    name: of the argument that has the value.
    """
    if isinstance(value, str):
        return _redact_named(name, value) if value else value
    if isinstance(value, dict):
        pairs = {}
        for key, item in value.items():
            each = item if type(item) in PLAIN else redact_value(item, str(key))
            pairs[key if len(key) < SHORTEST else redact_text(key)] = each
        return value if pairs == value else pairs
    if isinstance(value, (list, tuple)):
        items = [redact_value(item, name) for item in value]
        return value if items == list(value) else items
    return value


def redact_json(content: bytes) -> bytes:
    """Return a JSON file in which each secret is replaced; as it is where there is none."""
    try:
        value = jsonfile.parse(content)
    except ValueError:
        return redact(content)
    redacted = redact_value(value)
    if redacted == value:
        return content
    text: str = jsonfile.dumps(redacted)
    return text.encode('utf-8', 'backslashreplace')


def is_secret(name: str, value: Any) -> bool:
    """Return whether a value of an argument, at any depth, holds a secret."""
    return bool(redact_value(value, name) != value)


# ---- one rule, one value ----


def _rule(name: str, section: Any) -> Rule:
    text = section['pattern'].encode()
    text = text.replace(b'<is>', IS).replace(b'<body>', BODY)
    if section.getboolean('alone', False):
        text = ALONE + b'(?:' + text + b')'
    return Rule(
        name,
        tuple(word.strip().encode() for word in section['near'].split(',')),
        text,
        section.getboolean('context', False),
        section.getfloat('random', 0.0),
        section.getboolean('words', False),
        section.get('lines') == 'several',
    )


@functools.cache
def _pattern(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text)


def _by_rules(content: bytes, lower: bytes, several_lines: bool) -> list[Secret]:
    found: list[Secret] = []
    for rule in rules():
        if rule.several_lines == several_lines:
            text = lower if rule.context else content
            if any(word in text for word in rule.near):
                found += _of_rule(rule, text, content)
    return found


def _suspicious_lines(content: bytes, lower: bytes) -> list[tuple[int, int]]:
    """Return [(start, end), …] of the lines that have a long word or one of SHORT."""
    lines: dict[int, int] = {}
    for pattern, text in ((LONG, content), (URL, content), (SHORT, lower)):
        match = pattern.search(text)
        while match:
            start = content.rfind(b'\n', 0, match.end()) + 1
            end = content.find(b'\n', match.end())
            lines[start] = len(content) if end < 0 else end
            match = pattern.search(text, lines[start])
    return sorted(lines.items())


def _shifts(lines: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return [(where a line begins in the joined text, how far before its place that is), …]."""
    shifts, at = [], 0
    for start, end in lines:
        shifts.append((at, start - at))
        at += end - start + 1
    return shifts


def _without_inner(found: list[Secret]) -> list[Secret]:
    """Return secrets in order, those that overlap joined."""
    secrets: list[Secret] = []
    for secret in sorted(found, key=lambda secret: (secret.start, -secret.end)):
        if not secrets or secret.start >= secrets[-1].end:
            secrets.append(secret)
        elif secret.end > secrets[-1].end:
            secrets[-1] = secrets[-1]._replace(end=secret.end)
    return secrets


def _of_rule(rule: Rule, text: bytes, content: bytes) -> list[Secret]:
    found = []
    for match in _pattern(rule.text).finditer(text):
        start, end = match.span(match.lastindex or 0)
        secret = content[start:end].decode('utf-8', 'replace')
        if rule.random and _bits(secret) < rule.random:
            continue
        if rule.words and PLACEHOLDER.fullmatch(ESCAPE.sub(' ', secret)):
            continue
        found.append(Secret(start, end, rule.name))
    return found


def _bits(text: str) -> float:
    """Return the entropy of a text's characters, in bits a character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


@functools.lru_cache(CACHED)
def _redacted(text: str) -> str:
    if HARMLESS.fullmatch(text):
        return text
    content = text.encode('utf-8', 'surrogatepass')
    redacted = redact(content)
    return text if redacted == content else redacted.decode('utf-8', 'surrogatepass')


@functools.lru_cache(CACHED)
def _redact_named(name: str, value: str) -> str:
    """Return an argument's text; all of it is hidden where its name says that it is a secret."""
    if value and NAMED.fullmatch(name) and not PLACEHOLDER.fullmatch(value):
        return HIDDEN.decode()
    return _with_context(name, value)


def _with_context(name: str, value: str) -> str:
    """Return an argument's text without what is a secret beside its name."""
    text = redact_text(value)
    if text != value or len(value) < SHORTEST or not NAMING.search(name):
        return text
    before = f'{name}="'.encode('utf-8', 'replace')
    content = before + value.encode('utf-8', 'surrogatepass') + b'"'
    inside = [secret for secret in find(content) if secret.end > len(before)]
    return HIDDEN.decode() if inside else value
