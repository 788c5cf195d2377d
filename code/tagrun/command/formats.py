"""A table as CSV, JSON, Markdown and HTML, and the text of a cell; LaTeX is in latex.py, the terminal in screen.py.

    content = formats.csv(columns, rows)

`rows` are table.Runs or group.Groups. CSV and JSON keep every digit, the others round metrics. What a cell says never acts: no formula
in a spreadsheet, no markup, no escape sequence.
"""
import csv as csv_module
import html as html_module
import io
import math
import re

from tagrun.command.say import printable
from tagrun.store import jsonfile, table
from tagrun.store.table import MISSING, Mean

PRECISION = 4       # decimals of a metric, unless --precision says otherwise
FORMULA = tuple('=+-@\t\r\n\0＝＋－＠')     # what a spreadsheet may take a cell that begins so for a formula; OWASP's list for CSV injection
PLAIN = (int, float, bool)
STYLE = 'table{border-collapse:collapse;font:14px sans-serif}th,td{padding:3px 10px;border-bottom:1px solid #ccc;text-align:left}.number{text-align:right}'


def headers(columns):
    """The columns' names, with their group where a name occurs twice."""
    names = [table.NAME, *(column.name for column in columns)]
    return [f'{column.group}:{column.name}' if names.count(column.name) > 1 else column.name for column in columns]


def csv(columns, rows):
    """Bytes of a CSV file: every digit; of grouped rows mean, std and n in columns of their own. Only what is not ASCII has a mark, for Excel."""
    buffer = io.StringIO()
    writer = csv_module.writer(buffer, lineterminator='\n')
    writer.writerow([cell(name) for name in [table.NAME, *flat_headers(columns, rows)]])
    writer.writerows([cell(row.name), *(value if type(value) in PLAIN else cell(value) for value in flat(columns, row))] for row in rows)
    text = buffer.getvalue()
    return text.encode() if text.isascii() else text.encode('utf-8-sig', 'backslashreplace')


def json(columns, rows):
    """One object a row, {column: value}; null where there is none."""
    names = flat_headers(columns, rows)
    return jsonfile.dumps([{table.NAME: row.name, **{name: None if value is MISSING else value for name, value in zip(names, flat(columns, row))}}
                           for row in rows])


def markdown(columns, rows, precision):
    from tabulate import tabulate
    best = best_rows(columns, rows)
    body = [[_markdown(row.name), *(_bold_markdown(_markdown(shown(row.get(column), column, precision)), place in best.get(column, ()))
                                    for column in columns)] for place, row in enumerate(rows)]
    return tabulate(body, [_markdown(shown(name)) for name in [table.NAME, *headers(columns)]], tablefmt='github', disable_numparse=True,
                    colalign=['left', *alignment(columns, rows)]) + '\n'


def html(columns, rows, precision):
    """A page of its own: no script, nothing loaded."""
    best = best_rows(columns, rows)
    sides = ['', *(' class="number"' if side == 'right' else '' for side in alignment(columns, rows))]

    def line(tag, cells):
        return '<tr>' + ''.join(f'<{tag}{side}>{cell}</{tag}>' for side, cell in zip(sides, cells)) + '</tr>'
    body = [line('td', [_html(row.name), *(f'<b>{_html(shown(row.get(column), column, precision))}</b>' if place in best.get(column, ())
                                           else _html(shown(row.get(column), column, precision)) for column in columns)])
            for place, row in enumerate(rows)]
    return '\n'.join(['<!doctype html>', '<meta charset="utf-8">',
                      '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">', '<title>Runs</title>',
                      f'<style>{STYLE}</style>', '<table>', line('th', [_html(name) for name in [table.NAME, *headers(columns)]]), *body,
                      '</table>', ''])


def shown(value, column=None, precision=PRECISION):
    """A cell as one reads it: metrics rounded, ± where it is a mean, on one line, without control characters."""
    if isinstance(value, Mean) and not value.count:
        return '*'
    if isinstance(value, Mean):
        spread = '' if value.std is None else f' ± {rounded(value.std, precision, digits=1)}'
        return f'{rounded(value.mean, precision)}{spread} ({value.count}){"*" if value.incomplete else ""}'
    if type(value) is float:
        return rounded(value, precision) if column.group != 'hparam' else f'{value:.6g}'
    return printable(table.text(value)).replace('\n', ' ').replace('\t', ' ')


def rounded(number, precision, digits=2):
    """'0.9341'; '1.2000e-06' where fewer than so many digits would be left, '1.0000e+08' for what would be long."""
    small = number and abs(number) < 10.0 ** (digits - 1 - precision)
    return f'{number:.{precision}e}' if small and precision > 1 or abs(number) >= 1e7 else f'{number:.{precision}f}'


def footnotes(columns, rows):
    """Sentences below a table whose marks need them."""
    marked = is_grouped(rows) and any(isinstance(cell, Mean) and cell.incomplete for row in rows for cell in map(row.get, columns))
    return ['* not all of its runs are finished and have the metric; the mean is of those that do'] if marked else []


def alignment(columns, rows):
    """'right' for a column of numbers, 'left' for others."""
    return ['right' if all(value is MISSING or jsonfile.is_number(value) or isinstance(value, Mean) for value in (row.get(column) for row in rows))
            else 'left' for column in columns]


def best_rows(columns, rows):
    """{column: places of the rows with its best value}, of the metrics, where there is something to compare."""
    found = {}
    runs = [run for row in rows for run in row.runs]
    for column in columns:
        value = {place: number for place, number in ((place, as_number(row.get(column))) for place, row in enumerate(rows)) if number is not None}
        if column.group == 'metric' and len(value) > 1:
            best = (max if table.direction(runs, column) == 'max' else min)(value.values())
            found[column] = {place for place, number in value.items() if number == best}
    return found


def as_number(value):
    """The number a cell is compared by, None for one that has none (NaN too)."""
    value = value.mean if isinstance(value, Mean) else value
    return value if jsonfile.is_number(value) and not math.isnan(value) else None


def flat_headers(columns, rows):
    """The names of what `flat` gives."""
    if not is_grouped(rows):
        return headers(columns)
    names = [[name, f'{name} std'] if column.group == 'metric' else [name] for name, column in zip(headers(columns), columns)]
    return [*(name for pair in names for name in pair), 'n', 'runs']


def flat(columns, row):
    """A row's values, each alone in its cell: a mean as mean and std; n, the runs that count, and all runs at the end."""
    values = list(map(row.get, columns))
    if not is_grouped([row]):
        return values
    pairs = [_mean_and_std(value) if column.group == 'metric' else (value,) for value, column in zip(values, columns)]
    return [*(value for pair in pairs for value in pair), len(row.counted), row.size]


def _mean_and_std(value):
    if not isinstance(value, Mean) or not value.count:
        return MISSING, MISSING
    return value.mean, MISSING if value.std is None else value.std


def is_grouped(rows):
    return bool(rows) and hasattr(rows[0], 'counted')


def cell(value):
    """The text of a spreadsheet's cell. Text that a spreadsheet might take for a formula gets a ' before it; a number in a string is let through as one."""
    text = table.text(value).replace('\r\n', '\n').replace('\r', '\n')   # Python quotes no lone \r, and a spreadsheet begins a new row there
    if text.startswith(FORMULA) and not _is_number(text):
        text = "'" + text
    return text.replace('\0', '\\x00')


def _is_number(text):
    return re.fullmatch(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?', text) is not None


def _markdown(text):
    return re.sub(r'([\\`*|\[])', r'\\\1', text).replace('<', '&lt;')


def _bold_markdown(text, bold):
    return f'**{text}**' if bold else text


def _html(text):
    return html_module.escape(printable(text))
