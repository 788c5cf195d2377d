"""Rows as aligned columns for the screen, one line a row.

    for line in columns.lines(('tag', 'runs'), [('t1', '2')], right=('runs',)): print(line)

At a terminal a line is cut to its width; into a pipe or a file it goes whole. By hand, because 10,000 rows take tabulate half a second.
"""
import shutil
import sys
import unicodedata

from tagrun.command.say import printable

GAP = '  '


def lines(head, rows, right=()):
    """The lines, the head first. Cells are text; `right`: the names of the columns of numbers."""
    rows = [tuple(' '.join(printable(cell).split()) for cell in row) for row in (head, *rows)]
    widths = [max(map(cells, column)) for column in zip(*rows)]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return [_cut(_line(row, widths, [name in right for name in head]), limit) for row in rows]


def cells(text):
    """The width of a text on the screen: a Chinese letter takes two cells, an accent none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in 'WF' else 1 for letter in text)


def _line(row, widths, rights):
    return GAP.join(' ' * (width - cells(cell)) + cell if right else cell + ' ' * (width - cells(cell))
                    for cell, width, right in zip(row, widths, rights)).rstrip()


def _cut(line, limit):
    if limit is None or cells(line) <= limit:
        return line
    while cells(line) > limit - 1:
        line = line[:-max(1, (cells(line) - limit) // 2)]   # a letter takes at most two cells: never cut too much
    return line + '…'
