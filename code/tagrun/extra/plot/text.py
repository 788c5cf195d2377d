"""The text of a name as it is drawn: on one line, not too long, and without effect.

shown('$x^2$\\n')                # r'\\$x^2\\$\\n': dollars and control characters as themselves
"""

import unicodedata

LONGEST = 120  # characters of a name


def shown(text: object, longest: int = LONGEST) -> str:
    """Return a name for matplotlib, its middle left out where it is long.

    Dollars begin no mathematics, and control characters and letters that turn the line are escaped.
    """
    plain = ''.join(_escaped(letter) for letter in str(text))
    return cut(plain, longest).replace('$', r'\$')


def cut(text: str, longest: int) -> str:
    """Return the text without its middle, if it has more than `longest` characters.

    What names differ in is mostly their ends.
    """
    if len(text) <= longest:
        return text
    return f'{text[: longest // 3]}…{text[longest // 3 + 1 - longest :]}'


def _escaped(letter: str) -> str:
    if unicodedata.category(letter)[0] == 'C' or letter in '\u2028\u2029':
        return ascii(letter)[1:-1]
    return letter
