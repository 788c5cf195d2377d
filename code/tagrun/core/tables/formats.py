"""A table as CSV, JSON, Markdown and HTML, and the text of a cell; LaTeX is in latex.py, the
terminal in terminal.py.

    content = formats.to_csv(columns, rows)

CSV and JSON keep every digit; the others round metrics, and cut a cell that would fill a screen. No
cell ever acts: it is no formula in a spreadsheet, no markup, no escape sequence.
"""

import csv
import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from tagrun.core.cli.messages import printable, shortened
from tagrun.core.tables.rows import Group, Row, is_grouped, runs_of
from tagrun.store import jsonfile, limits, table
from tagrun.store.table import MISSING, Column, Mean

PRECISION = 4  # decimals of a metric, unless --precision says otherwise
# a cell that begins so may be a formula to a spreadsheet; OWASP's list for CSV injection
FORMULA = tuple('=+-@\t\r\n\0＝＋－＠')
NUMBER = r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?'
PLAIN = (int, float, bool)
BOM = b'\xef\xbb\xbf'  # how Excel knows UTF-8
PAGE = """\
<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Runs</title>
<style>{style}</style>
<table>
{lines}
</table>
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = (
    'table{border-collapse:collapse;font:14px sans-serif}'
    'th,td{padding:3px 10px;border-bottom:1px solid #ccc;text-align:left}'
    '.number{text-align:right}'
)


# --- the formats ---


def to_csv(columns: Sequence[Column], rows: Sequence[Row]) -> bytes:
    """Return a CSV file: every digit; of grouped rows mean, std and n in columns of their own.

    Only a file that is not ASCII begins with a BOM.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(map(cell, [table.NAME, *flat_headers(columns, rows)]))
    for row in rows:
        values = [row.name, *flat(columns, row)]
        writer.writerow(value if type(value) in PLAIN else cell(value) for value in values)
    text = buffer.getvalue()
    if text.isascii():
        return text.encode()
    return BOM + text.encode('utf-8', 'backslashreplace')


def to_json(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Return one object a row, {column: value}; null where there is no value."""
    names = [table.NAME, *flat_headers(columns, rows)]
    objects = []
    for row in rows:
        values = [None if value is MISSING else value for value in flat(columns, row)]
        objects.append(dict(zip(names, [row.name, *values], strict=True)))
    return jsonfile.dumps(objects)


def to_markdown(columns: Sequence[Column], rows: Sequence[Row], precision: int) -> str:
    """Return a Markdown table, the best value of each metric bold."""
    from tabulate import tabulate

    best = best_rows(columns, rows)
    body = []
    for number, row in enumerate(rows):
        cells = [
            _markdown_cell(shown(row.get(column), column, precision), number in best[column])
            for column in columns
        ]
        body.append([_markdown(row.name), *cells])
    text = tabulate(
        body,
        [_markdown(shown(name)) for name in [table.NAME, *headers(columns)]],
        tablefmt='github',
        disable_numparse=True,
        colalign=['left', *alignment(columns, rows)],
    )
    return f'{text}\n'


def to_html(columns: Sequence[Column], rows: Sequence[Row], precision: int) -> str:
    """Return a page of its own, the best value of each metric bold: no script, nothing loaded."""
    best = best_rows(columns, rows)
    sides = ['left', *alignment(columns, rows)]
    lines = [_html_row('th', sides, map(_html, [table.NAME, *headers(columns)]))]
    for number, row in enumerate(rows):
        cells = [
            _html_cell(shown(row.get(column), column, precision), number in best[column])
            for column in columns
        ]
        lines.append(_html_row('td', sides, [_html(row.name), *cells]))
    return PAGE.format(policy=POLICY, style=STYLE, lines='\n'.join(lines))


# --- cells ---


def shown(value: object, column: Column | None = None, precision: int = PRECISION) -> str:
    """Return a cell's text for a reader, on one line, without control characters.

    A metric is rounded; a mean is '0.934 ± 0.002 (5)', with a * where it is not of all runs.
    """
    if isinstance(value, Mean):
        return _shown_mean(value, precision)
    if type(value) is float:
        is_hparam = column is not None and column.group == 'hparam'
        return f'{value:.6g}' if is_hparam else rounded(value, precision)
    text = shortened(table.text(value), limits.CELL)
    return printable(text).replace('\n', ' ').replace('\t', ' ')


def rounded(number: float, precision: int, digits: int = 2) -> str:
    """Return '0.9341'; '1.2000e-06' or '1.0000e+08' where that is not clearer.

    digits: how many must be left of a small number, else it gets an exponent.
    """
    is_small = number != 0 and abs(number) < 10.0 ** (digits - 1 - precision)
    if (is_small and precision > 1) or abs(number) >= 1e7:
        return f'{number:.{precision}e}'
    return f'{number:.{precision}f}'


def cell(value: object) -> str:
    """Return the text of a spreadsheet's cell.

    A ' stands before text that a spreadsheet might take for a formula; a number in a string stays.
    """
    # Python quotes no lone \r, and a spreadsheet begins a new row there
    text = table.text(value).replace('\r\n', '\n').replace('\r', '\n')
    if text.startswith(FORMULA) and not re.fullmatch(NUMBER, text):
        text = "'" + text
    return text.replace('\0', '\\x00')


def as_number(value: object) -> float | None:
    """Return the number by which a cell is compared; None where it has none, or NaN."""
    number: Any = value.mean if isinstance(value, Mean) else value
    if not jsonfile.is_number(number) or math.isnan(number):
        return None
    return cast(float, number)


# --- columns and rows ---


def headers(columns: Sequence[Column]) -> list[str]:
    """Return the columns' names, with their group where a name occurs twice."""
    names = [table.NAME, *(column.name for column in columns)]
    return [
        f'{column.group}:{column.name}' if names.count(column.name) > 1 else column.name
        for column in columns
    ]


def alignment(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Return 'right' for each column of numbers, 'left' for the others."""
    return ['right' if _has_only_numbers(column, rows) else 'left' for column in columns]


def best_rows(columns: Sequence[Column], rows: Sequence[Row]) -> Mapping[Column, set[int]]:
    """Return {column: the indices of the rows with its best value}.

    The set is empty for a column that is not a metric, or has fewer than two numbers.
    """
    runs = runs_of(rows)
    return {column: _best_rows(column, rows, runs) for column in columns}


def footnotes(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Return the sentences below a table that explain its marks."""
    if is_grouped(rows) and any(_has_incomplete(columns, row) for row in rows):
        return [
            '* not all of its runs are finished and have the metric; the mean is of those that do'
        ]
    return []


def flat_headers(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Return the names of the values that `flat` returns."""
    if not is_grouped(rows):
        return headers(columns)
    names = []
    for name, column in zip(headers(columns), columns, strict=True):
        names += [name, f'{name} std'] if column.group == 'metric' else [name]
    return [*names, 'n', 'runs']


def flat(columns: Sequence[Column], row: Row) -> list[object]:
    """Return a row's values, each alone in its cell.

    A group has a mean and a std of each metric, and at the end n, the seeds that count, and all.
    """
    if not isinstance(row, Group):
        return [row.get(column) for column in columns]
    values: list[object] = []
    for column in columns:
        value = row.get(column)
        values += _mean_and_std(value) if column.group == 'metric' else [value]
    return [*values, len(row.counted), row.size]


def _mean_and_std(value: object) -> list[object]:
    if not isinstance(value, Mean) or not value.count:
        return [MISSING, MISSING]
    return [value.mean, MISSING if value.std is None else value.std]


def _shown_mean(value: Mean, precision: int) -> str:
    if not value.count:
        return '*'
    mark = '*' if value.incomplete else ''
    spread = '' if value.std is None else f' ± {rounded(value.std, precision, digits=1)}'
    return f'{rounded(value.mean, precision)}{spread} ({value.count}){mark}'


def _has_only_numbers(column: Column, rows: Sequence[Row]) -> bool:
    values = (row.get(column) for row in rows)
    return all(
        value is MISSING or jsonfile.is_number(value) or isinstance(value, Mean) for value in values
    )


def _has_incomplete(columns: Sequence[Column], row: Row) -> bool:
    values = map(row.get, columns)
    return any(isinstance(value, Mean) and value.incomplete for value in values)


def _best_rows(column: Column, rows: Sequence[Row], runs: Sequence[table.Run]) -> set[int]:
    if column.group != 'metric':
        return set()
    values = [as_number(row.get(column)) for row in rows]
    numbers = [value for value in values if value is not None]
    if len(numbers) < 2:
        return set()
    best = max(numbers) if table.direction(runs, column) == 'max' else min(numbers)
    return {index for index, value in enumerate(values) if value == best}


def _markdown(text: str) -> str:
    return re.sub(r'([\\`*|\[])', r'\\\1', text).replace('<', '&lt;')


def _markdown_cell(text: str, is_best: bool) -> str:
    return f'**{_markdown(text)}**' if is_best else _markdown(text)


def _html(text: str) -> str:
    return html.escape(printable(text))


def _html_cell(text: str, is_best: bool) -> str:
    return f'<b>{_html(text)}</b>' if is_best else _html(text)


def _html_row(tag: str, sides: Sequence[str], cells: Iterable[str]) -> str:
    parts = []
    for side, text in zip(sides, cells, strict=True):
        name = ' class="number"' if side == 'right' else ''
        parts.append(f'<{tag}{name}>{text}</{tag}>')
    return f'<tr>{"".join(parts)}</tr>'
