"""Rows as aligned columns for the screen, one line a row.

    for line in aligned.lines(('tag', 'runs'), [('t1', '2')], right=('runs',)): print(line)

On a terminal a line is cut to its width; in a pipe or a file a cell is whole, unless it is longer
than any is meant to be. The package tabulate is
not used, since 10,000 rows take it half a second.
"""

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from tagrun.core.cli.messages import printable, shortened
from tagrun.store import limits

GAP = '  '
WIDEST = 200  # cells of a column to which the others are padded


def lines(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> list[str]:
    """Return the lines, the head first. right: the names of the columns that are aligned right."""
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    longest = limit or limits.CELL
    table = [[_on_one_line(cell, longest) for cell in row] for row in (head, *rows)]
    widths = [_width(column) for column in zip(*table, strict=True)]
    is_right = [name in right for name in head]
    return [_cut(_line(row, widths, is_right), limit) for row in table]


def cells(text: str) -> int:
    """Return the width of a text on the screen, in cells: 2 for 数, 0 for a combining accent."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of_character, text))


def _on_one_line(cell: str, longest: int) -> str:
    # cut before it is looked through, and again: an escape is longer than its character
    text = ' '.join(printable(shortened(cell, longest)).split())
    return shortened(text, longest)


def _width(column: Sequence[str]) -> int:
    """Return the width of a column; a cell that is very long stands out of it."""
    widths = list(map(cells, column))
    return max([width for width in widths if width <= WIDEST], default=WIDEST)


def _cells_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in 'WF' else 1


def _line(row: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    padded = map(_padded, row, widths, is_right)
    return GAP.join(padded).rstrip()


def _padded(cell: str, width: int, is_right: bool) -> str:
    blanks = ' ' * (width - cells(cell))
    return blanks + cell if is_right else cell + blanks


def _cut(line: str, limit: int | None) -> str:
    if limit is None or cells(line) <= limit:
        return line
    while cells(line) > limit - 1:
        # a character takes at most two cells: half of what is too much is never cut too much
        line = line[: -max(1, (cells(line) - limit) // 2)]
    return line + '…'
