"""publish gsheet, with the real gspread, against a server that speaks the API's requests: what
stands in the sheet.
"""

import time

import pytest
import run_factory
import stub_project
from project_factory import wait_for

pytest.importorskip('gspread', reason='pip install -r code/requirements-gsheet.txt')
import fake_google  # noqa: E402


def test_the_whole_table_stands_in_the_sheet_numbers_as_numbers_and_text_as_text(
    google, publish, hostile
):
    done = publish()
    head, *rows = google.rows('finished')
    sheet = f'https://docs.google.com/spreadsheets/d/{fake_google.ID}'
    assert f"9 rows in the worksheet 'finished': {sheet}" in done.stderr
    assert head[0] == 'expernameid' and [row[0] for row in rows] == [
        *(f't/{number}' for number in range(8)),
        'seeded/0',
    ]
    column = {name: place for place, name in enumerate(head)}
    assert (
        rows[3][column['val/acc']] == 0.3
        and rows[0][column['val/acc']] == 'nan'
        and rows[3][column['lr']] == -0.5
    )
    assert [row[column['model']] for row in rows[:8]] == [
        text if text == "'quoted" else f"'{text}" for text in hostile
    ]
    assert not [
        cell
        for row in [head, *rows]
        for cell in row
        if isinstance(cell, str) and cell.startswith(('=', '+', '-', '@', '\t', '＝'))
    ]


def test_a_second_table_leaves_nothing_of_the_first_and_chooses_as_table_does(google, publish):
    publish('--keep', 'seed')
    # a sheet's number would have lost its last digits
    assert str(2**62 + 1) in google.rows('finished')[-1]
    publish('--top', '2', '--drop', '.*', '--keep', 'val/acc')
    assert google.rows('finished') == [['expernameid', 'val/acc'], ['seeded/0', 0.75], ['t/7', 0.7]]
    publish('--group', '--keep', 'x')
    assert 'val/acc std' in google.rows('finished')[0]


def test_live_keeps_a_running_row_up_to_date_and_ends_with_the_run(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    with fake_google.Google(tmp_path) as google:
        project.git('config', 'tagrun.gsheet.key', google.key)
        project.git('config', 'tagrun.gsheet.sheet', fake_google.ID)
        run_factory.run(project.root, 'old/0')
        project.env.update(google.env)
        training = project.start('run', 'slow', '--set', "how='slow'")
        wait_for((project.folder('slow/0') / 'statistic.json').exists, what='the run')
        live = project.start('publish', 'gsheet', '--live', '--every', '1')
        wait_for(
            lambda: 'finished' in google.sheets and len(google.rows('finished')) == 3,
            what='its row',
        )
        head, old, slow = google.rows('finished')
        assert head[:5] == ['expernameid', 'state', 'progress', 'left', 'latest val/acc']
        assert (
            slow[:3] == ['slow/0', 'running', '1/1']
            and slow[4] == 0.5
            and old[:3] == ['old/0', 'finished', '']
        )
        path = project.folder('slow/0') / 'statistic.json'
        google.trouble, before = [503] * 2, len(google.requests)
        path.write_text(path.read_text().replace('0.5', '0.75'))
        wait_for(lambda: google.rows('finished')[2][4] == 0.75, what='the new figure')
        sent = [
            body
            for _, what, body in google.requests[before:]
            if what.endswith('/values:batchUpdate')
        ]
        # the row that changed, and no other
        assert 'old/0' not in sent[-1] and 'slow/0' in sent[-1]
        (project.root / 'go').touch()
        assert training.wait(60) == 0 and live.wait(60) == 0
        assert (
            google.rows('finished')[2][1] == 'finished'
            and 'no run is running any more' in live.stderr.read()
        )


def test_a_live_sheet_that_google_refuses_does_not_touch_the_run(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    with fake_google.Google(tmp_path) as google:
        project.git('config', 'tagrun.gsheet.key', google.key)
        project.git('config', 'tagrun.gsheet.sheet', fake_google.ID)
        project.env.update(google.env)
        training = project.start('run', 'slow', '--set', "how='slow'")
        wait_for((project.folder('slow/0') / 'statistic.json').exists, what='the run')
        live = project.start('publish', 'gsheet', '--live', '--every', '1')
        wait_for(lambda: 'finished' in google.sheets and google.rows('finished'), what='the sheet')
        google.trouble = [403] * 50
        time.sleep(0.1)
        path = project.folder('slow/0') / 'statistic.json'
        path.write_text(path.read_text().replace('0.5', '0.75'))
        assert live.wait(60) == 1 and 'does not let' in live.stderr.read()
        (project.root / 'go').touch()
        assert training.wait(60) == 0 and project.statistic('slow/0')['status'] == 'finished'


def test_without_the_package_it_says_which_and_how_to_have_it(project, google, tmp_path):
    (tmp_path / 'gspread.py').write_text(
        'raise ModuleNotFoundError("No module named gspread", name="gspread")'
    )
    done = project.tagrun(
        'publish', 'gsheet', code=1, env={**google.env, 'PYTHONPATH': str(tmp_path)}
    )
    assert 'needs the package gspread' in done.stderr and 'requirements-gsheet.txt' in done.stderr


@pytest.mark.parametrize(
    'words, said',
    [
        (['--live', '--group'], '--live has a row for each run: no --group'),
        (['--every', '0'], '--every takes 1 to 86400 s'),
        (['--top', '0'], 'is not a number of rows'),
    ],
)
def test_what_makes_no_sense_is_refused_before_google_is_asked(google, publish, words, said):
    assert said in publish(*words, code=2).stderr and not google.requests


def test_live_without_a_running_run_writes_the_table_once(google, publish):
    assert 'no run is running' in publish('--live').stderr
    assert google.rows('finished')[0][:4] == ['expernameid', 'state', 'progress', 'left']
