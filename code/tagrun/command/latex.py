"""A table as the LaTeX one pastes into a paper: booktabs, the best value of each metric bold, a comment a row with the runs' commits.

    text = latex.tabular(columns, rows, precision=4)

It needs \\usepackage{booktabs} and nothing else; letters beyond Latin need XeLaTeX or LuaLaTeX.
"""
import re

from tagrun.command import formats
from tagrun.command.say import printable
from tagrun.store import jsonfile, table

ESCAPED = {'\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '$': r'\$', '&': r'\&', '#': r'\#', '%': r'\%', '_': r'\_', '^': r'\textasciicircum{}',
           '~': r'\textasciitilde{}', '<': r'\textless{}', '>': r'\textgreater{}', '|': r'\textbar{}', '"': r'\symbol{34}', '`': r'\textasciigrave{}',
           "'": r'\textquotesingle{}', '±': r'\textpm{}', '-': '-{}'}      # -{}: before another -, which TeX would make one dash of


def tabular(columns, rows, precision):
    best = formats.best_rows(columns, rows)
    sides = ''.join('r' if side == 'right' else 'l' for side in formats.alignment(columns, rows))
    lines = [r'% needs \usepackage{booktabs}', rf'\begin{{tabular}}{{l{sides}}}', r'\toprule',
             _row([escaped(name) for name in ['run', *formats.headers(columns)]]), r'\midrule']
    for place, row in enumerate(rows):
        cells = [_cell(row.get(column), column, precision, place in best.get(column, ())) for column in columns]
        lines.append(f'{_row([escaped(row.name), *cells])}  % {_source(row)}')
    return '\n'.join([*lines, r'\bottomrule', r'\end{tabular}', *(f'% {note}' for note in formats.footnotes(columns, rows)), ''])


def escaped(text):
    """Any text as LaTeX that prints it."""
    return re.sub(r'''[\\{}$&#%_^~<>|"`'±]|-(?=-)''', lambda letter: ESCAPED[letter[0]], printable(text).replace('\n', ' ').replace('\t', ' '))


def _row(cells):
    return ' & '.join(cells) + r' \\'


def _cell(value, column, precision, bold):
    """A number in math mode, so that its minus is one; text as text."""
    if isinstance(value, table.Mean) and value.count:
        number = _number(value.mean, precision) + ('' if value.std is None else rf' \pm {_number(value.std, precision, digits=1)}')
        return f'{_math(number, bold)} ({value.count}){"*" if value.incomplete else ""}'
    if jsonfile.is_number(value):
        return _math(_number(value, precision) if type(value) is float and column.group != 'hparam' else _scientific(formats.shown(value, column)), bold)
    return escaped(formats.shown(value, column, precision))


def _number(value, precision, digits=2):
    return _scientific(formats.rounded(value, precision, digits))


def _scientific(text):
    r"""1.2e-06 as 1.2 \times 10^{-6}; inf and nan upright."""
    text = re.sub(r'e([+-])0*(\d+)', lambda part: rf' \times 10^{{{part[1].strip("+")}{part[2]}}}', text)
    return text.replace('inf', r'\infty').replace('nan', r'\mathrm{nan}')


def _math(number, bold):
    return rf'$\mathbf{{{number}}}$' if bold else f'${number}$'


def _source(row):
    """'mlp/0@25d2582c61 mlp/1@…': where each number comes from."""
    return ' '.join(f'{run.name}@{_commit(run)}' for run in row.runs)


def _commit(run):
    commit = run.values['run'].get('commit')
    return re.sub('[^0-9a-f]', '', commit)[:10] if isinstance(commit, str) else 'no-commit'
