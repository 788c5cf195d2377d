"""The command table: what it writes and prints, and what it reports."""

import csv
import json
import re
import subprocess
import sys
import threading

import pytest
from project_factory import CODE
from run_factory import listed, run
from table_rows import hostile_runs

from tagrun.store import layout, statistic, title


def read_csv(path):
    with open(path, newline='', encoding='utf-8-sig') as file:
        return list(csv.DictReader(file))


def test_a_table_is_written_and_printed_and_names_what_is_left_out(project):
    run(project.root, 't1/0')
    (run(project.root, 't1/1') / 'statistic.json').write_text('{')
    run(project.root, 'scratch/0', hparam={'lr': 0.5}, commit=None)
    listed(project.root, 'finished', 'nonsense line', 't9/0')
    done = project.tagrun('table')
    assert (
        "the set 'finished'" in done.stderr
        and 't1/1: statistic.json: not JSON' in done.stderr
        and 'scratch/0 is a run by hand' in done.stderr
    )
    assert (
        'finished.txt, line 4: nonsense line' in done.stderr
        and 'line 5: t9/0: there is no such run' in done.stderr
    )
    rows = read_csv(layout.table_file(project.root, 'finished'))
    assert [row['expernameid'] for row in rows] == ['t1/0', 'scratch/0'] and 'status' not in rows[0]
    assert (
        float(rows[0]['val/loss']) == 0.61 and 't1/0' in done.stdout and 'scratch/0' in done.stdout
    )


def test_the_status_has_a_column_where_a_run_is_not_finished(project):
    run(project.root, 't1/0')
    run(project.root, 't1/1', status='running')
    project.tagrun('table')
    assert [row['status'] for row in read_csv(layout.table_file(project.root, 'finished'))] == [
        'finished',
        'killed',
    ]


def test_nothing_readable_is_an_error_and_no_file(project):
    assert 'there is no list of runs yet' in project.tagrun('table', code=1).stderr
    (run(project.root, 't1/0') / 'statistic.json').write_text('{')
    assert 'no run of finished.txt can be read' in project.tagrun('table', code=1).stderr
    assert (
        "there is no set 'fnished': there is finished. Did you mean 'finished'?"
        in project.tagrun('table', 'fnished', code=1).stderr
    )
    assert '`record --to t1 t1` makes one' in project.tagrun('table', 't1', code=1).stderr
    assert not layout.table_file(project.root, 'finished').exists()


def test_rows_are_filtered_sorted_and_cut(project):
    for number, acc in enumerate((0.3, 0.9, 0.5, None)):
        run(project.root, f't1/{number}', metric={'val/acc': acc} if acc else {})
        if not acc:
            path = project.folder(f't1/{number}') / 'statistic.json'
            path.write_text(path.read_text().replace('"val/acc": 0.75,', ''))

    def order(*words):
        return [
            row['expernameid'][-1]
            for row in json.loads(project.tagrun('table', '--json', *words).stdout)
        ]

    assert order('--sort-by', 'acc') == ['1', '2', '0', '3']
    assert order('--sort-by', 'acc', '--sort-order', 'asc') == ['0', '2', '1', '3']
    assert order('--top', '2') == ['1', '2']
    assert order('--where', 'acc < 0.6') == ['0', '2']
    assert (
        'of 4 runs none has acc > 2' in project.tagrun('table', '--where', 'acc > 2', code=1).stderr
    )
    project.tagrun('table', '--top', '0', code=2)
    project.tagrun('table', '--drop', '(', code=2)


def test_several_sets_are_a_table_each_and_go_into_no_common_file(stubbed):
    run(stubbed.root, 't1/0')
    listed(stubbed.root, 'paper', 't1/0')
    shown = stubbed.tagrun('table', 'paper', 'finished')
    assert shown.stdout.count('t1/0') == 2 and 'paper.csv: 1 row' in shown.stderr
    assert 'take one set' in stubbed.tagrun('table', 'paper', 'finished', '--json', code=2).stderr
    titled = stubbed.tagrun('title', 'paper', 'finished').stderr
    assert 'title/paper.json: ' in titled and 'title/finished.json: ' in titled


def test_columns_come_from_the_title_and_keep_and_drop(project):
    run(project.root, 't1/0')
    run(project.root, 't1/1', hparam={'lr': 0.1})
    project.tagrun('title')
    path = layout.title_file(project.root, 'finished')
    path.write_text(path.read_text().replace('    "hidden"', '    // "hidden"'))

    def columns(*words):
        return list(json.loads(project.tagrun('table', '--json', *words).stdout)[0])

    assert 'hidden' not in columns() and columns('--drop', '.', '--keep', '^(hidden|seed)$') == [
        'expernameid',
        'hidden',
        'seed',
    ]
    assert columns('--only-changed') == ['expernameid', 'lr'] and columns(
        '--only-changed', '--keep', 'model'
    ) == ['expernameid', 'model', 'lr']


@pytest.mark.parametrize(
    'ending, start',
    [
        ('csv', 'expernameid,'),
        ('md', '| expernameid'),
        ('tex', '% needs'),
        ('html', '<!doctype'),
        ('json', '['),
    ],
)
def test_an_output_file_has_the_format_of_its_ending(project, ending, start):
    run(project.root, 't1/0')
    project.tagrun('table', '-o', f'runs.{ending}')
    assert (project.root / f'runs.{ending}').read_text().startswith(start)
    assert not layout.table_file(project.root, 'finished').exists()
    kind = {'tex': 'latex'}.get(ending, ending)
    assert (
        project.tagrun('table', '--format', kind, '-o', '-').stdout
        == (project.root / f'runs.{ending}').read_text()
    )
    assert (
        'cannot be written'
        in project.tagrun('table', '-o', f'no folder/runs.{ending}', code=1).stderr
    )


def test_hostile_names_and_values_never_reach_the_terminal(project):
    hostile_runs(project.root)
    done = project.tagrun('table')
    assert (
        '\x1b' not in done.stdout + done.stderr
        and '\r' not in done.stdout
        and '\\x1b]52' in done.stdout
    )
    project.tagrun('title')
    assert '\x1b' not in project.tagrun('table', '--format', 'md').stdout


def test_a_group_that_is_not_complete_is_marked(project):
    run(project.root, 't1/0', metric={'val/acc': 0.5})
    run(project.root, 't1/1', metric={'val/acc': 0.7})
    run(project.root, 't1/2', metric={'val/acc': 0.9}, status='failed')
    run(project.root, 't2/0', hparam={'lr': 1.0}, status='interrupted')
    done = project.tagrun('table', '--group')
    assert (
        '0.6000 ± 0.1414 (2)*' in done.stdout
        and '* not all of its runs are finished' in done.stderr
    )
    # made by hand: git has no such commits
    assert 'only runs of one tag are taken together' in done.stderr
    rows = read_csv(layout.table_file(project.root, 'finished'))
    assert [(row['n'], row['runs']) for row in rows] == [('2', '3'), ('0', '1')] and rows[1][
        'val/acc'
    ] == ''
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
    code = CODE / 'tagrun' / 'bench' / 'tables.py'
    done = subprocess.run(
        [sys.executable, code, '--quick', '--rounds', '1'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r'table +[\d.]+ s +[\d.]+ times', done.stdout)
