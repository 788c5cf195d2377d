"""A table as the LaTeX one pastes into a paper: booktabs, the best value of each metric bold, a
comment a row with the runs' commits.

    text = latex.tabular(columns, rows, precision=4)

It needs \\usepackage{booktabs} and nothing else; other letters than Latin need XeLaTeX or LuaLaTeX.
"""

import re
from collections.abc import Iterable, Sequence

from tagrun.core.cli.messages import printable
from tagrun.core.tables import formats
from tagrun.core.tables.rows import Row
from tagrun.store import jsonfile
from tagrun.store.table import Column, Mean, Run

ESCAPED = {
    '\\': r'\textbackslash{}',
    '{': r'\{',
    '}': r'\}',
    '$': r'\$',
    '&': r'\&',
    '#': r'\#',
    '%': r'\%',
    '_': r'\_',
    '^': r'\textasciicircum{}',
    '~': r'\textasciitilde{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '"': r'\symbol{34}',
    '`': r'\textasciigrave{}',
    # -{}: before another -, which TeX would make one dash of
    "'": r'\textquotesingle{}',
    '±': r'\textpm{}',
    '-': '-{}',
}


def tabular(columns: Sequence[Column], rows: Sequence[Row], precision: int) -> str:
    """Return the table as a tabular environment, with a comment at each row and below."""
    best = formats.best_rows(columns, rows)
    sides = ''.join('r' if side == 'right' else 'l' for side in formats.alignment(columns, rows))
    lines = [
        r'% needs \usepackage{booktabs}',
        rf'\begin{{tabular}}{{l{sides}}}',
        r'\toprule',
        _line(map(escaped, ['run', *formats.headers(columns)])),
        r'\midrule',
    ]
    for number, row in enumerate(rows):
        cells = [
            _cell(row.get(column), column, precision, number in best[column]) for column in columns
        ]
        lines.append(f'{_line([escaped(row.name), *cells])}  % {_sources(row)}')
    lines += [r'\bottomrule', r'\end{tabular}']
    lines += [f'% {note}' for note in formats.footnotes(columns, rows)]
    return '\n'.join(lines) + '\n'


def escaped(text: str) -> str:
    """Return any text as LaTeX that prints it."""
    return re.sub(
        r"""[\\{}$&#%_^~<>|"`'±]|-(?=-)""",
        lambda match: ESCAPED[match[0]],
        printable(text).replace('\n', ' ').replace('\t', ' '),
    )


def _line(cells: Iterable[str]) -> str:
    return ' & '.join(cells) + r' \\'


def _cell(value: object, column: Column, precision: int, is_best: bool) -> str:
    """Return a number in math mode, where its minus is one; any other value as text."""
    if isinstance(value, Mean) and value.count:
        mark = '*' if value.incomplete else ''
        return f'{_math(_mean(value, precision), is_best)} ({value.count}){mark}'
    if jsonfile.is_number(value):
        if type(value) is float and column.group != 'hparam':
            return _math(_number(value, precision), is_best)
        return _math(_scientific(formats.shown(value, column)), is_best)
    return escaped(formats.shown(value, column, precision))


def _mean(value: Mean, precision: int) -> str:
    mean = _number(value.mean, precision)
    if value.std is None:
        return mean
    return rf'{mean} \pm {_number(value.std, precision, digits=1)}'


def _number(value: float, precision: int, digits: int = 2) -> str:
    return _scientific(formats.rounded(value, precision, digits))


def _scientific(text: str) -> str:
    r"""Return 1.2e-06 as 1.2 \times 10^{-6}; inf and nan upright."""
    text = re.sub(
        r'e([+-])0*(\d+)', lambda part: rf' \times 10^{{{part[1].strip("+")}{part[2]}}}', text
    )
    return text.replace('inf', r'\infty').replace('nan', r'\mathrm{nan}')


def _math(number: str, is_best: bool) -> str:
    return rf'$\mathbf{{{number}}}$' if is_best else f'${number}$'


def _sources(row: Row) -> str:
    """Return 'mlp/0@25d2582c61 mlp/1@…': where each number comes from."""
    return ' '.join(f'{run.name}@{_commit(run)}' for run in row.runs)


def _commit(run: Run) -> str:
    commit = run.values['run'].get('commit')
    return re.sub('[^0-9a-f]', '', commit)[:10] if isinstance(commit, str) else 'no-commit'
