"""What a tag and a set may be called.

check_tag('t1')                      # the reason why not, or ''
"""

import re
import unicodedata

RESERVED = {'scratch': 'it is where runs by hand go'}
PORTS = {f'com{digit}' for digit in range(1, 10)} | {f'lpt{digit}' for digit in range(1, 10)}
WINDOWS = {'con', 'prn', 'aux', 'nul'} | PORTS
# characters that one cannot see
INVISIBLE = re.compile(
    '[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]'
)
MAX_BYTES = 100  # the lock file of its ref and each path stay below 255 bytes


def check_tag(name: str) -> str:
    """Return why `name` cannot be a tag, as the end of a sentence, or '' if it can.

    A tag has letters and digits of any alphabet and ._+=@- ; it becomes a folder and a git ref, so
    it must suit both.
    """
    if not name:
        return 'a tag needs a name'
    if name in RESERVED:
        return RESERVED[name]
    if re.fullmatch('[A-Z_]*HEAD', name):
        return 'git uses that name'
    if len(name.encode('utf-8', 'surrogatepass')) > MAX_BYTES:
        return f'a tag has at most {MAX_BYTES} bytes'
    if name[0] in '-.@':
        return 'a tag does not start with -, . or @'
    for character in name:
        if not _is_allowed(character):
            return f'{character!r} cannot be in a tag: letters, digits and ._+=@- can'
    if unicodedata.normalize('NFC', name) != name:
        return 'its accents are typed as separate characters; type it anew'
    if name.endswith(('.', '.lock')) or '..' in name or '@{' in name:
        return "git allows no tag with '..', or that ends with '.' or '.lock'"
    if name.partition('.')[0].lower() in WINDOWS:
        return 'Windows cannot have a folder of that name'
    if re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', name):
        return 'it looks like a commit'
    return ''


def check_set(name: str) -> str:
    """Return why `name` cannot name a set (a list of runs and its table), or '', as for tags."""
    return check_tag(name).replace('a tag', 'a set')


def _is_allowed(character: str) -> bool:
    if INVISIBLE.match(character):
        return False
    return character in '._+=@-' or unicodedata.category(character)[0] in 'LMN'
