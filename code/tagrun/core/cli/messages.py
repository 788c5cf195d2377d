"""What a command prints beside its data: messages to stderr, colour on a terminal only.

    raise UserError(f'tag {tag!r} exists: choose another name, or `rerun {tag}` repeats it')

Data goes to stdout, and each command prints its own.
"""

import contextlib
import difflib
import os
import re
import shlex
import sys
from collections.abc import Iterable

from tagrun.store import limits

# characters that drive the terminal; \u202a and its like turn the letters that follow
CONTROL = re.compile(
    r'[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]'
)
LONG_WORD = re.compile(rf'\S{{{limits.WORD},}}')
# seconds of a unit, its name, seconds of the next smaller one, its name
UNITS = ((86400, 'd', 3600, 'h'), (3600, 'h', 60, 'min'), (60, 'min', 1, 's'))
STYLES = {'bold': 1, 'dim': 2, 'red': 31, 'green': 32, 'yellow': 33}


class UserError(Exception):
    """A problem that the user can solve: one or two lines, without a traceback.

    The sentence says what failed, why, and what to type. `code` is the exit code: 1 refused or
    failed, 2 wrong usage.
    """

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class Styled(str):
    """A text that has its escape sequences from us, and none besides."""


def echo(*parts: object) -> None:
    """Print the parts of a message to stderr, in one line.

    It is lost, without an error, where the terminal is gone.
    """
    text = ''.join(map(_part, parts))
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def put(text: str, end: str = '\n') -> None:
    """Print data to stdout: in a pipe as it is, on a terminal without control characters.

    What the terminal's encoding lacks is shown as an escape.
    """
    if sys.stdout.isatty():
        text = printable(text)
    encoding = sys.stdout.encoding or 'utf-8'
    text = text.encode(encoding, 'backslashreplace').decode(encoding)
    print(text, end=end, flush=True)


def printable(text: object) -> str:
    """Return the text with control characters as \\x1b: no message may drive the terminal.

    Newlines and tabs stay. Half of a surrogate pair, which cannot be printed, becomes \\ud800; so
    does a character that turns or ends a line without being seen.
    """
    return CONTROL.sub(lambda match: _escape(ord(match[0])), str(text))


def shortened(text: str, longest: int) -> str:
    """Return a text, cut where it has more than `longest` characters."""
    return text if len(text) <= longest else text[: longest - 1] + '…'


def _part(part: object) -> str:
    return part if isinstance(part, Styled) else _with_short_words(printable(part))


def _with_short_words(text: str) -> str:
    """Return a message whose words are cut: a name that others gave may be a book."""
    if len(text) <= limits.WORD:
        return text
    return LONG_WORD.sub(lambda match: shortened(match[0], limits.WORD), text)


def _escape(code: int) -> str:
    return f'\\x{code:02x}' if code < 256 else f'\\u{code:04x}'


def styled(text: str, style: str) -> Styled:
    """Return the text in a style of STYLES where stderr is a terminal that shows it so.

    Colour is only added to words: green for what is right, red for what is wrong, yellow for what
    can go on, dim for hints.
    """
    if not sys.stderr.isatty() or os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb':
        return Styled(printable(text))
    return Styled(f'\x1b[{STYLES[style]}m{printable(text)}\x1b[0m')


def quote(path: object) -> str:
    """Return a path or word as one can paste it into a shell."""
    return shlex.quote(str(path))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean …?' with the nearest of the known names, '' where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f' Did you mean {near[0]!r}?' if near else ''


def plural(count: int, noun: str) -> str:
    """Return '1 run', '2 runs', '10,000 runs'."""
    return f'{count:,} {noun}' + ('' if count == 1 else 's')


def duration(seconds: float) -> str:
    """Return '0.4 s', '58 s', '3 min 20 s', '5 h 12 min', '3 d 4 h'."""
    if not seconds < 1e12:
        # 30,000 years, inf and nan: no clock shows that
        return f'{seconds:g} s'
    if seconds < 60:
        return f'{seconds:.1f} s' if seconds < 10 else f'{seconds:.0f} s'
    size, unit, smaller, part = next(units for units in UNITS if seconds >= units[0])
    return f'{seconds // size:.0f} {unit} {seconds % size // smaller:.0f} {part}'


def figure(value: float | None) -> str:
    """Return a metric's value for the screen: '0.9341', '3.120e-05'; '' for None."""
    if value is None:
        return ''
    return f'{value:.4f}' if value == 0 or 1e-3 <= abs(value) < 1e5 else f'{value:.3e}'
