"""What a tag, a run and a set may be called.

    check_tag('t1')                      # returns the reason why not, or ''
    split_run('t1/3')                    # ('t1', 3)
"""
import re
import unicodedata

from tagrun.store.layout import NUMBER

RESERVED = {'scratch': 'it is where runs by hand go'}
WINDOWS = {'con', 'prn', 'aux', 'nul', *(f'{port}{n}' for port in ('com', 'lpt') for n in range(1, 10))}
INVISIBLE = re.compile('[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]')     # letters and marks that one cannot see
MAX_BYTES = 100  # refs/tags/<tag>.lock and each path stay below 255 bytes


def check_tag(name):
    """Why `name` cannot be a tag, as the end of a sentence, or '' if it can.

    Letters and digits of any alphabet and ._+=@- ; it becomes a folder and a git ref, so what either would stumble on is refused.
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
    for letter in name:
        if INVISIBLE.match(letter) or not (letter in '._+=@-' or unicodedata.category(letter)[0] in 'LMN'):
            return f'{letter!r} cannot be in a tag: letters, digits and ._+=@- can'
    if unicodedata.normalize('NFC', name) != name:
        return 'its accents are typed as separate characters; type it anew'
    if name.endswith(('.', '.lock')) or '..' in name or '@{' in name:
        return "git allows no tag with '..', or that ends with '.' or '.lock'"
    if name.partition('.')[0].lower() in WINDOWS:
        return 'Windows cannot have a folder of that name'
    if re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', name):
        return 'it looks like a commit'
    return ''


def split_run(name):
    """('t1', 3) of 't1/3', ('t1', None) of 't1', None of what is neither."""
    tag, slash, number = name.partition('/')
    if tag != 'scratch' and check_tag(tag):
        return None
    if not slash:
        return tag, None
    return (tag, int(number)) if re.fullmatch(NUMBER, number) else None


def check_set(name):
    """Why `name` cannot name a set (a list of runs and its table), or ''. The same rule as for tags."""
    return check_tag(name).replace('a tag', 'a set')
