"""core/tables/latex.py: what is pasted into a paper compiles, whatever the text is."""

import math
import shutil
import subprocess

import pytest
from run_factory import run
from table_rows import ACC, hostile_runs, rows_of

from tagrun.core.tables import latex
from tagrun.core.tables.rows import Group
from tagrun.store import table
from tagrun.store.table import Column


@pytest.mark.skipif(not shutil.which('pdflatex'), reason='TeX is not installed')
def test_the_latex_compiles_whatever_the_text_is(root, tmp_path):
    runs = [
        found
        for found in hostile_runs(root)
        if not {'＝', '\ud800'} & set(found.values['hparam'].get('note', ''))
    ]
    columns = [
        column for column in table.columns(runs) if column.name.isascii() or column.name == 'é'
    ]
    text = latex.tabular(columns, runs, 4)
    assert f't1/0@{runs[0].values["run"]["commit"][:10]}' in text
    (tmp_path / 'a.tex').write_text(
        '\\documentclass{article}\\usepackage{booktabs}\\begin{document}' + text + '\\end{document}'
    )
    done = subprocess.run(
        ['pdflatex', '-interaction=nonstopmode', '-halt-on-error', 'a.tex'],
        cwd=tmp_path,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout.decode(errors='replace')[-800:]


def test_the_best_of_a_metric_is_bold(root):
    run(root, 't1/0', metric={'val/acc': 0.9})
    run(root, 't1/1', metric={'val/acc': 0.8})
    text = latex.tabular([ACC], rows_of(root, 't1/0', 't1/1'), 4)
    assert r'$\mathbf{0.9000}$' in text and '$0.8000$' in text


def test_numbers_are_in_math_mode_with_their_minus_and_exponent(root):
    columns = [Column('hparam', 'lr'), Column('metric', 'val/loss'), Column('metric', 'val/kl')]
    run(root, 't1/0', hparam={'lr': 1e-5}, metric={'val/loss': -math.inf, 'val/kl': -0.5})
    text = latex.tabular(columns, rows_of(root, 't1/0'), 2)
    assert r't1/0 & $1 \times 10^{-5}$ & $-\infty$ & $-0.50$ \\' in text


def test_a_mean_has_its_spread_and_number_and_a_row_its_commits(root):
    run(root, 't1/0', metric={'val/acc': 0.5})
    run(root, 't1/1', metric={'val/acc': 0.7})
    runs = rows_of(root, 't1/0', 't1/1')
    text = latex.tabular([ACC], [Group(runs, runs, 3)], 4)
    commit = runs[0].values['run']['commit'][:10]
    assert rf't1/0-1 & $0.6000 \pm 0.1414$ (2)* \\  % t1/0@{commit} t1/1@' in text
    assert text.endswith('those that do\n')


def test_the_letters_of_tex_are_escaped():
    assert latex.escaped('a_b & 5% -- {x}\n') == r'a\_b \& 5\% -{}- \{x\} '
