"""The verb table and what it is made of: columns, conditions, groups, formats. Numbers stay numbers, and no text ever acts."""
import csv
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading

import pytest

from made import listed, run
from tagrun.command import formats, latex, where
from tagrun.command.say import Refusal
from tagrun.store import layout, statistic, table, title
from tagrun.store.table import Column

ACC = Column('metric', 'val/acc')
HOSTILE = ['=1+1', '+cmd', '-2+3', '@SUM(A1)', '=HYPERLINK("http://x")', '\t=1', '\r=1', '\n=1', '\0=1', '＝1+1', 'a"b,c', "it's", 'é', '\ud800', '\x1b]52;c;x\x07',
           '<script>alert(1)</script>', '{{7*7}}', '\\input{x} & # % _ ^ ~ $', '|a|', '[x](javascript:1)', 'two\nlines', '-- ``x\'\'']


@pytest.fixture
def root(tmp_path):
    return tmp_path / "a 'b; c"


def loaded(root, *names):
    return table.load(root, [(name.partition('/')[0], int(name.partition('/')[2])) for name in names])


def read_csv(path):
    with open(path, newline='', encoding='utf-8-sig') as file:
        return list(csv.DictReader(file))


# --- rows and columns ---

def test_columns_come_in_the_order_they_are_first_seen(root):
    run(root, 't1/0', hparam={'zeta': 1})
    run(root, 't1/1', hparam={'alpha': 1}, metric={'val/f1': 0.5})
    names = [column.name for column in table.columns(loaded(root, 't1/0', 't1/1')[0])]
    assert names[5:8] == ['compile', 'zeta', 'alpha'] and names[-2:] == ['test/acc', 'val/f1']


@pytest.mark.parametrize('content, reason', [('', 'not JSON'), ('[]', 'not a JSON object'), ('{"metric": 3}', "'metric' is not an object"), ('[' * 100_000, 'not JSON'),
                                             ('{"hparam": {"n": ' + '9' * 5000 + '}}', 'not JSON'), (b'\xff\xfe', 'not JSON')])
def test_a_damaged_run_is_named_with_its_reason(root, content, reason):
    (run(root, 't1/0') / 'statistic.json').write_bytes(content.encode() if isinstance(content, str) else content)
    run(root, 't1/1')
    runs, damaged = loaded(root, 't1/0', 't1/1', 't2/0')
    assert [found.name for found in runs] == ['t1/1']
    assert [name for name, _ in damaged] == ['t1/0', 't2/0']
    assert reason in damaged[0][1] and damaged[1][1] == 'its folder is not here'


def test_a_fifo_a_folder_or_a_huge_file_in_the_place_of_a_result_holds_nothing_up(root):
    for number, make in enumerate((os.mkfifo, os.mkdir, lambda path: os.symlink('/dev/zero', path), lambda path: open(path, 'w').truncate(65 << 20))):
        path = run(root, f't1/{number}') / 'statistic.json'
        path.unlink()
        make(path)
    runs, damaged = loaded(root, *(f't1/{number}' for number in range(4)))
    assert not runs and len(damaged) == 4


def test_odd_content_is_kept_as_data(root):
    run(root, 't1/0', hparam={'__proto__': 1, '': 2, '../../x': 3, 'x' * 10_000: 4, 'deep': [[[{'a': None}]]]}, status=['odd'], watch={}, mode=3, seed={'a': 1})
    runs, _ = loaded(root, 't1/0')
    assert table.text(runs[0].get(Column('hparam', 'deep'))) == '[[[{"a":null}]]]'
    assert formats.csv(table.columns(runs, table.GROUPS), runs)


def test_nan_and_infinity_are_the_floats_they_stand_for(root):
    run(root, 't1/0', metric={'val/acc': math.nan, 'val/loss': math.inf})
    runs, _ = loaded(root, 't1/0')
    assert math.isnan(runs[0].get(ACC)) and runs[0].get(Column('metric', 'val/loss')) == math.inf
    assert runs[0].get(Column('metric', 'none')) is table.MISSING


@pytest.mark.parametrize('name, wanted', [('val/acc', 'max'), ('train/acc', 'max'), ('val/loss', 'min'), ('test/top5_error', 'min'), ('val/rmse', 'min'), ('val/terrain', 'max'),
                                          ('val/power', 'max'), ('val/f1', 'max'), ('val/ppl', 'min'), ('val/perceptual-loss', 'min')])
def test_which_values_are_better_goes_by_the_watched_metric_and_by_names(root, name, wanted):
    run(root, 't1/0')
    assert table.direction(loaded(root, 't1/0')[0], Column('metric', name)) == wanted


def test_a_watched_metric_goes_by_the_runs_own_mode(root):
    run(root, 't1/0', watch='val/acc', mode='min')
    assert table.direction(loaded(root, 't1/0')[0], Column('metric', 'test/acc')) == 'min'


# --- conditions ---

@pytest.fixture
def two(root):
    run(root, 'a/0', hparam={'note': 'x/y', 'n': None}, metric={'val/acc': 0.5, 'val/top-5': 0.9, 'test/f1': 1.0, 'val/f1': 0.1})
    run(root, 'b/0', hparam={'model': 'mlp', 'bias': True}, metric={'val/acc': 0.9, 'val/loss': math.nan}, seed=7)
    return loaded(root, 'a/0', 'b/0')[0]


@pytest.mark.parametrize('text, names', [
    ('acc > 0.6', 'b'), ('0.4 < acc <= 0.5', 'a'), ('val/acc > 0.6', 'b'), ('`val/acc` > 0.6', 'b'), ("'val/acc' > 0.6", 'b'), ('`val/top-5` > 0', 'a'),
    ("model == 'cnn'", 'a'), ("'cnn' == model", 'a'), ("model in ('cnn', 'gru')", 'a'), ("model not in ['cnn']", 'b'), ("'ml' in model", 'b'),
    ("not (model == 'cnn' or acc < 0)", 'b'), ("acc > 0 and lr == 1e-2", 'ab'), ('bias', 'b'), ('not bias', 'a'), ('compile == False', 'ab'),
    ('n is None', 'a'), ('clip_norm == None', 'ab'), ('n != 3', 'a'), ('bias != 3', 'b'), ('model > 3', ''), ('val/loss > 0 or val/loss <= 0', 'a'), ('seed == 7', 'b'),
    ("status == 'finished'", 'ab'), ("tag == 'a'", 'a'), ('f1 < 0.5', 'a'), ('acc > -1', 'ab'), ("note == 'x/y'", 'a'), ("model == 'a`b`c'", ''), ("watch_ is None or True", None)])
def test_a_condition_says_which_runs(two, text, names):
    if names is None:
        with pytest.raises(Refusal):
            where.condition(text, two)
    else:
        holds = where.condition(text, two)
        assert ''.join(found.name[0] for found in two if holds(found)) == names


@pytest.mark.parametrize('text', ["__import__('os').system('touch PWNED')", 'acc.__class__', '(lambda: 1)()', '[x for x in y]', 'acc + 1 > 2', 'f"{acc}"', 'acc = 3', 'acc >',
                                  '', '(' * 300, 'x' * 5000, 'not ' * 400 + 'acc', 'acc > \x00', 'open', 'acc := 3', '9 ** 9 ** 9', 'acc > 0; 1', 'acc if acc else 1', '*acc'])
def test_what_is_no_condition_is_refused_and_never_run(two, text):
    try:
        where.condition(text, two)(two[0])
    except Refusal as refusal:
        assert refusal.code == 2 and len(str(refusal)) < 300
    else:
        assert text.startswith('not ')
    assert not os.path.exists('PWNED')


def test_an_end_of_a_name_that_fits_several_is_refused_with_them(two):
    with pytest.raises(Refusal, match="could be train/loss, test/loss"):
        where.column('loss', two, [Column('metric', 'train/loss'), Column('metric', 'test/loss')])
    with pytest.raises(Refusal, match="Did you mean 'acc'"):
        where.column('aac', two)


# --- formats ---

def test_pandas_reads_back_equal_numbers(root):
    pandas = pytest.importorskip('pandas')
    numbers = [0.1, -0.5, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, -2.0, 123456789.123456789]
    for number, value in enumerate(numbers):
        run(root, f't1/{number}', hparam={'count': -number, 'flag': bool(number % 2)}, metric={'val/acc': value, 'val/nan': math.nan})
    runs, _ = loaded(root, *(f't1/{number}' for number in range(len(numbers))))
    frame = pandas.read_csv(io.BytesIO(formats.csv(table.columns(runs), runs)), engine='python')
    assert list(frame)[0] == 'expernameid' and frame['val/acc'].tolist() == numbers and frame['val/nan'].isna().all()
    assert frame['count'].tolist() == [-number for number in range(len(numbers))] and frame['flag'].dtype == bool


def hostile_runs(root):
    for number, text in enumerate(HOSTILE):
        run(root, f't1/{number}', hparam={'note': text, 'rate': -0.25}, metric={'val/word': text, 'val/acc': -1.5 - number})
    run(root, 't1/99', hparam={text: 1 for text in HOSTILE})
    return loaded(root, *(f't1/{number}' for number in [*range(len(HOSTILE)), 99]))[0]


def test_text_like_a_formula_is_neutralised_and_numbers_are_not(root):
    runs = hostile_runs(root)
    rows = list(csv.reader(io.StringIO(formats.csv(table.columns(runs), runs).decode('utf-8-sig'), newline='')))
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(('=', '+', '@', '\t', '\r', '\n', '\0', '＝')), repr(cell)
        assert not cell.startswith('-') or float(cell)
    at = rows[0].index('val/acc')
    assert [float(row[at]) for row in rows[1:-1]] == [-1.5 - number for number in range(len(HOSTILE))]


def test_only_a_file_that_is_not_ascii_has_a_mark_for_excel(root):
    run(root, 't1/0')
    run(root, 'é/0')
    for name, marked in (('t1/0', False), ('é/0', True)):
        runs, _ = loaded(root, name)
        assert formats.csv(table.columns(runs), runs).startswith(b'\xef\xbb\xbf') is marked


@pytest.mark.skipif(not shutil.which('soffice'), reason='LibreOffice is not installed')
def test_libreoffice_opens_the_csv_with_equal_numbers_and_no_formula(root, tmp_path):
    runs = hostile_runs(root)
    (tmp_path / 'runs.csv').write_bytes(formats.csv(table.columns(runs), runs))
    subprocess.run(['soffice', f'-env:UserInstallation=file://{tmp_path}/profile', '--headless', '--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1',
                    '--convert-to', 'fods', '--outdir', tmp_path, tmp_path / 'runs.csv'], check=True, capture_output=True, timeout=120)
    sheet = (tmp_path / 'runs.fods').read_text()
    assert 'table:formula' not in sheet
    values = [float(value) for value in re.findall(r'office:value-type="float" office:value="([^"]+)"', sheet)]
    assert set(values) >= {-0.25, *(-1.5 - number for number in range(len(HOSTILE))), 0.61, 0.01}


def test_json_is_one_object_a_row_with_null_for_what_is_missing(root):
    run(root, 't1/0', metric={'val/nan': math.nan})
    run(root, 't1/1', hparam={'extra': [1, 2]})
    runs, _ = loaded(root, 't1/0', 't1/1')
    rows = json.loads(formats.json(table.columns(runs), runs))
    assert rows[0]['extra'] is None and rows[1]['extra'] == [1, 2] and rows[0]['val/acc'] == 0.75 and rows[0]['val/nan'] == 'nan'


def test_html_shows_markup_as_text_and_loads_nothing(root):
    page = formats.html(table.columns(hostile_runs(root)), hostile_rows(root), 4)
    assert '<script' not in page and '&lt;script&gt;' in page and "default-src 'none'" in page and '\x1b' not in page


def hostile_rows(root):
    return loaded(root, *(f't1/{number}' for number in range(len(HOSTILE))))[0]


def test_markdown_escapes_what_would_end_a_cell(root):
    text = formats.markdown([Column('hparam', 'note')], hostile_runs(root), 4)
    assert '\\|a\\|' in text and '&lt;script>' in text and '\\[x]' in text
    assert len({len(re.findall(r'(?<!\\)\|', line)) for line in text.splitlines()}) == 1


def test_the_best_of_each_metric_is_marked_in_its_direction(root):
    run(root, 't1/0', metric={'val/acc': 0.9, 'val/loss': 0.5})
    run(root, 't1/1', metric={'val/acc': 0.8, 'val/loss': 0.4})
    run(root, 't1/2', metric={'val/acc': 0.9, 'val/loss': math.nan})
    runs, _ = loaded(root, 't1/0', 't1/1', 't1/2')
    best = formats.best_rows(table.columns(runs), runs)
    assert best[ACC] == {0, 2} and best[Column('metric', 'val/loss')] == {1}
    assert r'$\mathbf{0.9000}$' in latex.tabular([ACC], runs, 4)


@pytest.mark.skipif(not shutil.which('pdflatex'), reason='TeX is not installed')
def test_the_latex_compiles_whatever_the_text_is(root, tmp_path):
    runs = [found for found in hostile_runs(root) if not {'＝', '\ud800'} & set(found.values['hparam'].get('note', ''))]
    columns = [column for column in table.columns(runs) if column.name.isascii() or column.name == 'é']
    text = latex.tabular(columns, runs, 4)
    assert f't1/0@{runs[0].values["run"]["commit"][:10]}' in text
    (tmp_path / 'a.tex').write_text('\\documentclass{article}\\usepackage{booktabs}\\begin{document}' + text + '\\end{document}')
    done = subprocess.run(['pdflatex', '-interaction=nonstopmode', '-halt-on-error', 'a.tex'], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout.decode(errors='replace')[-800:]


@pytest.mark.parametrize('number, text', [(0.93412, '0.9341'), (0, '0.0000'), (1.2e-6, '1.2000e-06'), (-0.5, '-0.5000'), (1e8, '1.0000e+08'), (math.nan, 'nan'), (math.inf, 'inf')])
def test_a_rounded_metric_is_never_rounded_away(number, text):
    assert formats.rounded(number, 4) == text


# --- the verb ---

def test_a_table_is_written_and_printed_and_names_what_is_left_out(project):
    run(project.root, 't1/0')
    (run(project.root, 't1/1') / 'statistic.json').write_text('{')
    run(project.root, 'scratch/0', hparam={'lr': 0.5}, commit=None)
    listed(project.root, 'finished', 'nonsense line', 't9/0')
    done = project.tagrun('table')
    assert "the set 'finished'" in done.stderr and 't1/1: statistic.json: not JSON' in done.stderr and 'scratch/0 is a run by hand' in done.stderr
    assert 'finished.txt, line 4: nonsense line' in done.stderr and 'line 5: t9/0: there is no such run' in done.stderr
    rows = read_csv(layout.table_file(project.root, 'finished'))
    assert [row['expernameid'] for row in rows] == ['t1/0', 'scratch/0'] and 'status' not in rows[0]
    assert float(rows[0]['val/loss']) == 0.61 and 't1/0' in done.stdout and 'scratch/0' in done.stdout


def test_the_status_has_a_column_where_a_run_is_not_finished(project):
    run(project.root, 't1/0')
    run(project.root, 't1/1', status='running')
    project.tagrun('table')
    assert [row['status'] for row in read_csv(layout.table_file(project.root, 'finished'))] == ['finished', 'killed']


def test_nothing_readable_is_an_error_and_no_file(project):
    assert 'there is no list of runs yet' in project.tagrun('table', code=1).stderr
    (run(project.root, 't1/0') / 'statistic.json').write_text('{')
    assert 'no run of finished.txt can be read' in project.tagrun('table', code=1).stderr
    assert "there is no set 'fnished': there is finished. Did you mean 'finished'?" in project.tagrun('table', 'fnished', code=1).stderr
    assert '`record --to t1 t1` makes one' in project.tagrun('table', 't1', code=1).stderr
    assert not layout.table_file(project.root, 'finished').exists()


def test_rows_are_filtered_sorted_and_cut(project):
    for number, acc in enumerate((0.3, 0.9, 0.5, None)):
        run(project.root, f't1/{number}', metric={'val/acc': acc} if acc else {})
        if not acc:
            path = project.folder(f't1/{number}') / 'statistic.json'
            path.write_text(path.read_text().replace('"val/acc": 0.75,', ''))

    def order(*words):
        return [row['expernameid'][-1] for row in json.loads(project.tagrun('table', '--json', *words).stdout)]
    assert order('--sort-by', 'acc') == ['1', '2', '0', '3']
    assert order('--sort-by', 'acc', '--sort-order', 'asc') == ['0', '2', '1', '3']
    assert order('--top', '2') == ['1', '2']
    assert order('--where', 'acc < 0.6') == ['0', '2']
    assert 'of 4 runs none has acc > 2' in project.tagrun('table', '--where', 'acc > 2', code=1).stderr
    project.tagrun('table', '--top', '0', code=2)
    project.tagrun('table', '--drop', '(', code=2)


def test_columns_come_from_the_title_and_keep_and_drop(project):
    run(project.root, 't1/0')
    run(project.root, 't1/1', hparam={'lr': 0.1})
    project.tagrun('title')
    path = layout.title_file(project.root, 'finished')
    path.write_text(path.read_text().replace('    "hidden"', '    // "hidden"'))

    def columns(*words):
        return list(json.loads(project.tagrun('table', '--json', *words).stdout)[0])
    assert 'hidden' not in columns() and columns('--drop', '.', '--keep', '^(hidden|seed)$') == ['expernameid', 'hidden', 'seed']
    assert columns('--only-changed') == ['expernameid', 'lr'] and columns('--only-changed', '--keep', 'model') == ['expernameid', 'model', 'lr']


@pytest.mark.parametrize('ending, start', [('csv', 'expernameid,'), ('md', '| expernameid'), ('tex', '% needs'), ('html', '<!doctype'), ('json', '[')])
def test_an_output_file_has_the_format_of_its_ending(project, ending, start):
    run(project.root, 't1/0')
    project.tagrun('table', '-o', f'runs.{ending}')
    assert (project.root / f'runs.{ending}').read_text().startswith(start)
    assert not layout.table_file(project.root, 'finished').exists()
    kind = {'tex': 'latex'}.get(ending, ending)
    assert project.tagrun('table', '--format', kind, '-o', '-').stdout == (project.root / f'runs.{ending}').read_text()
    assert 'cannot be written' in project.tagrun('table', '-o', f'no folder/runs.{ending}', code=1).stderr


def test_hostile_names_and_values_never_reach_the_terminal(project):
    hostile_runs(project.root)
    done = project.tagrun('table')
    assert '\x1b' not in done.stdout + done.stderr and '\r' not in done.stdout and '\\x1b]52' in done.stdout
    project.tagrun('title')
    assert '\x1b' not in project.tagrun('table', '--format', 'md').stdout


def test_a_narrow_terminal_has_the_watched_metric_and_what_differs(root):
    from tagrun.command import screen
    run(root, 't1/0')
    run(root, 't1/1', hparam={'lr': 0.1}, metric={'val/acc': 0.8})
    runs, _ = loaded(root, 't1/0', 't1/1')
    text, left_out = screen.fitted(table.columns(runs), runs, 4, width=34)
    assert all(len(line) <= 34 for line in text.splitlines())
    assert text.split('\n')[0].split() == ['expernameid', 'lr', 'val/acc'] and len(left_out) == 9
    text, _ = screen.fitted(table.columns(runs), runs, 4, width=34, wanted=[Column('hparam', 'clip_norm')])
    assert 'clip_norm' in text and 'val/acc' not in text
    assert screen.fitted(table.columns(runs), runs, 4)[1] == []


def test_groups_are_runs_of_equal_code_and_arguments_each_seed_once(stubbed):
    stubbed.edit('main.py', "'metric': {'val/acc': 0.5}", "'metric': {'val/acc': INFO['seed'] % 997 / 997}")
    stubbed.tagrun('run', 'five', '--seeds', '3')
    stubbed.tagrun('rerun', 'five/0', '-f')                                     # the same seed: the same run
    stubbed.tagrun('run', 'again')                         # another tag of the same code
    stubbed.tagrun('run', 'wide', '--set', 'steps=5')             # another argument
    stubbed.edit('model.py', 'none', 'another')
    stubbed.tagrun('run', 'other')                         # other code
    done = stubbed.tagrun('table', '--group', '--json')
    rows = {row['expernameid']: row for row in json.loads(done.stdout)}
    assert list(rows) == ['five/0-3 again/0', 'wide/0', 'other/0']
    assert 'five/0: five/3 had the same seed; it counts once' in done.stderr
    values = [stubbed.statistic(name)['metric']['val/acc'] for name in ('five/0', 'five/1', 'five/2', 'again/0')]
    row = rows['five/0-3 again/0']
    assert math.isclose(row['val/acc'], sum(values) / 4) and (row['n'], row['runs']) == (4, 4)
    assert math.isclose(row['val/acc std'], math.sqrt(sum((value - sum(values) / 4) ** 2 for value in values) / 3))
    assert rows['wide/0']['val/acc std'] is None


def test_a_group_that_is_not_complete_is_marked(project):
    run(project.root, 't1/0', metric={'val/acc': 0.5})
    run(project.root, 't1/1', metric={'val/acc': 0.7})
    run(project.root, 't1/2', metric={'val/acc': 0.9}, status='failed')
    run(project.root, 't2/0', hparam={'lr': 1.0}, status='interrupted')
    done = project.tagrun('table', '--group')
    assert '0.6000 ± 0.1414 (2)*' in done.stdout and '* not all of its runs are finished' in done.stderr
    assert 'only runs of one tag are taken together' in done.stderr            # made by hand: git has no such commits
    rows = read_csv(layout.table_file(project.root, 'finished'))
    assert [(row['n'], row['runs']) for row in rows] == [('2', '3'), ('0', '1')] and rows[1]['val/acc'] == ''
    text = project.tagrun('table', '--group', '--format', 'latex').stdout
    assert r'$0.6000 \pm 0.1414$ (2)*' in text and r't1/0@' in text and '% * not all' in text


def test_tables_and_titles_are_whole_while_runs_write(project):
    folder = run(project.root, 't1/0')
    content, stop = statistic.read(folder), threading.Event()

    def write():
        while not stop.is_set():
            statistic.write(folder, {**content, 'status': 'running'})
            project_table = layout.table_file(project.root, 'finished')
            if project_table.exists():
                assert project_table.read_text().endswith('\n')
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            assert len(json.loads(project.tagrun('table', '--json').stdout)) == 1
            project.tagrun('table')
            project.tagrun('title')
    finally:
        stop.set()
        writer.join()
    assert title.read(project.root, 'finished')[0]


def test_the_bench_runs(tmp_path):
    code = layout.root_of(formats.__file__).parents[1] / 'tagrun' / 'bench' / 'tables.py'
    done = subprocess.run([sys.executable, code, '--quick', '--rounds', '1'], capture_output=True, text=True, check=True)
    assert re.search(r'table +[\d.]+ s +[\d.]+ times', done.stdout)
