"""core/tables/formats.py: numbers stay numbers, and no text ever acts."""

import csv
import io
import json
import math
import re
import shutil
import subprocess

import pytest
from run_factory import run
from table_rows import ACC, HOSTILE, hostile_runs, rows_of

from tagrun.core.tables import formats
from tagrun.core.tables.rows import Group
from tagrun.store import table
from tagrun.store.table import Column, Mean


def test_pandas_reads_back_equal_numbers(root):
    pandas = pytest.importorskip('pandas')
    numbers = [0.1, -0.5, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, -2.0, 123456789.123456789]
    for number, value in enumerate(numbers):
        run(
            root,
            f't1/{number}',
            hparam={'count': -number, 'flag': bool(number % 2)},
            metric={'val/acc': value, 'val/nan': math.nan},
        )
    runs = rows_of(root, *(f't1/{number}' for number in range(len(numbers))))
    frame = pandas.read_csv(io.BytesIO(formats.to_csv(table.columns(runs), runs)), engine='python')
    assert (
        list(frame)[0] == 'expernameid'
        and frame['val/acc'].tolist() == numbers
        and frame['val/nan'].isna().all()
    )
    assert (
        frame['count'].tolist() == [-number for number in range(len(numbers))]
        and frame['flag'].dtype == bool
    )


def test_text_like_a_formula_is_neutralised_and_numbers_are_not(root):
    runs = hostile_runs(root)
    rows = list(
        csv.reader(
            io.StringIO(formats.to_csv(table.columns(runs), runs).decode('utf-8-sig'), newline='')
        )
    )
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(('=', '+', '@', '\t', '\r', '\n', '\0', '＝')), repr(cell)
        assert not cell.startswith('-') or float(cell)
    at = rows[0].index('val/acc')
    assert [float(row[at]) for row in rows[1:-1]] == [
        -1.5 - number for number in range(len(HOSTILE))
    ]


def test_only_a_file_that_is_not_ascii_has_a_mark_for_excel(root):
    run(root, 't1/0')
    run(root, 'é/0')
    for name, marked in (('t1/0', False), ('é/0', True)):
        runs = rows_of(root, name)
        assert formats.to_csv(table.columns(runs), runs).startswith(b'\xef\xbb\xbf') is marked


@pytest.mark.skipif(not shutil.which('soffice'), reason='LibreOffice is not installed')
def test_libreoffice_opens_the_csv_with_equal_numbers_and_no_formula(root, tmp_path):
    runs = hostile_runs(root)
    (tmp_path / 'runs.csv').write_bytes(formats.to_csv(table.columns(runs), runs))
    subprocess.run(
        [
            'soffice',
            f'-env:UserInstallation=file://{tmp_path}/profile',
            '--headless',
            '--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1',
            '--convert-to',
            'fods',
            '--outdir',
            tmp_path,
            tmp_path / 'runs.csv',
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    sheet = (tmp_path / 'runs.fods').read_text()
    assert 'table:formula' not in sheet
    values = [
        float(value)
        for value in re.findall(r'office:value-type="float" office:value="([^"]+)"', sheet)
    ]
    assert set(values) >= {-0.25, *(-1.5 - number for number in range(len(HOSTILE))), 0.61, 0.01}


def test_json_is_one_object_a_row_with_null_for_what_is_missing(root):
    run(root, 't1/0', metric={'val/nan': math.nan})
    run(root, 't1/1', hparam={'extra': [1, 2]})
    runs = rows_of(root, 't1/0', 't1/1')
    rows = json.loads(formats.to_json(table.columns(runs), runs))
    assert (
        rows[0]['extra'] is None
        and rows[1]['extra'] == [1, 2]
        and rows[0]['val/acc'] == 0.75
        and rows[0]['val/nan'] == 'nan'
    )


def test_html_shows_markup_as_text_and_loads_nothing(root):
    runs = hostile_runs(root)
    page = formats.to_html(table.columns(runs), runs[:-1], 4)
    assert (
        '<script' not in page
        and '&lt;script&gt;' in page
        and "default-src 'none'" in page
        and '\x1b' not in page
    )


def test_markdown_escapes_what_would_end_a_cell(root):
    text = formats.to_markdown([Column('hparam', 'note')], hostile_runs(root), 4)
    assert '\\|a\\|' in text and '&lt;script>' in text and '\\[x]' in text
    assert len({len(re.findall(r'(?<!\\)\|', line)) for line in text.splitlines()}) == 1


def test_the_best_of_each_metric_is_marked_in_its_direction(root):
    run(root, 't1/0', metric={'val/acc': 0.9, 'val/loss': 0.5})
    run(root, 't1/1', metric={'val/acc': 0.8, 'val/loss': 0.4})
    run(root, 't1/2', metric={'val/acc': 0.9, 'val/loss': math.nan})
    runs = rows_of(root, 't1/0', 't1/1', 't1/2')
    best = formats.best_rows(table.columns(runs), runs)
    assert best[ACC] == {0, 2} and best[Column('metric', 'val/loss')] == {1}


@pytest.mark.parametrize(
    'number, text',
    [
        (0.93412, '0.9341'),
        (0, '0.0000'),
        (1.2e-6, '1.2000e-06'),
        (-0.5, '-0.5000'),
        (1e8, '1.0000e+08'),
        (math.nan, 'nan'),
        (math.inf, 'inf'),
    ],
)
def test_a_rounded_metric_is_never_rounded_away(number, text):
    assert formats.rounded(number, 4) == text


def test_a_name_that_occurs_twice_has_its_group():
    columns = [Column('hparam', 'seed'), Column('run', 'seed'), Column('metric', 'val/acc')]
    assert formats.headers(columns) == ['hparam:seed', 'run:seed', 'val/acc']


def test_a_cell_is_on_one_line_and_rounded_by_its_group():
    assert formats.shown('a\nb\x1b') == 'a b\\x1b'
    assert formats.shown(0.123456789, Column('hparam', 'lr')) == '0.123457'
    assert formats.shown(0.123456789, ACC, precision=2) == '0.12'
    assert formats.shown(Mean(0.5, 0.01, 3, True), ACC) == '0.5000 ± 0.0100 (3)*'
    assert formats.shown(Mean(0.5, None, 1, False), ACC) == '0.5000 (1)'
    assert formats.shown(Mean(math.nan, None, 0, True), ACC) == '*'


def test_a_group_is_flat_with_its_mean_std_and_counts(root):
    run(root, 't1/0', metric={'val/acc': 0.5})
    run(root, 't1/1', metric={'val/acc': 0.7})
    runs = rows_of(root, 't1/0', 't1/1')
    group = Group(runs, runs, 3)
    columns = [Column('hparam', 'model'), ACC]
    assert formats.flat_headers(columns, [group]) == [
        'model',
        'val/acc',
        'val/acc std',
        'n',
        'runs',
    ]
    assert formats.flat(columns, group) == ['cnn', 0.6, pytest.approx(0.1414, abs=1e-4), 2, 3]
    assert formats.flat([Column('metric', 'none')], group)[:2] == [table.MISSING] * 2
    assert formats.footnotes(columns, [group])[0].startswith('* not all') and not (
        formats.footnotes(columns, runs)
    )


def test_numbers_are_aligned_right_and_words_left(root):
    run(root, 't1/0')
    columns = [Column('hparam', 'model'), Column('hparam', 'lr'), ACC]
    assert formats.alignment(columns, rows_of(root, 't1/0')) == ['left', 'right', 'right']


@pytest.mark.parametrize(
    'value, number',
    [(0.5, 0.5), (3, 3), (True, None), ('0.5', None), (math.nan, None), (table.MISSING, None)],
)
def test_a_cell_is_compared_by_its_number(value, number):
    assert formats.as_number(value) == number
    assert formats.as_number(Mean(0.25, None, 1, False)) == 0.25
