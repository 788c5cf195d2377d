"""Names, values and texts as they stand in the page: cut, printable, and without secrets.

cell('a\\nb')                    # 'a b': one line
texts = Texts(); place = texts.add(log); texts.all[place]
"""

import math
from typing import Any

from tagrun.core.cli.messages import printable
from tagrun.core.record import secret_rules
from tagrun.core.tables import formats
from tagrun.store import table

LONGEST_CELL = 300  # characters of a name or value
LONGEST_TEXT = 6000  # characters of a message
INFINITE = 1e308  # stands for inf, which JSON lacks


class Texts:
    """Texts of which each stands in the page once."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._places: dict[str, int] = {}

    def add(self, value: Any, longest: int = LONGEST_TEXT) -> int | None:
        """Return the place of the cleaned text in `all`; None for an empty one."""
        text = '' if value is None else clean(value, longest)
        if not text:
            return None
        if text not in self._places:
            self._places[text] = len(self.all)
            self.all.append(text)
        return self._places[text]


def clean(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return a text without control characters and secrets, cut to `longest` characters."""
    text = printable(secret_rules.redact_text(table.text(value)))
    return text if len(text) <= longest else text[:longest] + ' …'


def cell(value: Any) -> str:
    """Return a name or a value on one line."""
    return clean(value, LONGEST_CELL).replace('\n', ' ').replace('\t', ' ')


def sortable(value: Any) -> float | str | None:
    """Return what the page sorts and filters by: a number, a text, or None."""
    number = formats.as_number(value)
    if number is not None:
        return number if math.isfinite(number) else math.copysign(INFINITE, number)
    if value is table.MISSING or isinstance(value, float):
        return None
    return cell(value)


def figure(value: Any) -> str | None:
    """Return a metric's value as one reads it; None where there is none."""
    if value is table.MISSING:
        return None
    if isinstance(value, str):
        value = table.NOT_FINITE.get(value, value)
    if type(value) is float and math.isfinite(value):
        return formats.rounded(value, formats.PRECISION)
    return cell(value)
