"""publish gsheet, with the real gspread, against a server that speaks the API's requests: what stands in the sheet, and what goes wrong."""
import json
import os
import time

import made
import pytest
import stub
from conftest import wait_for

from tagrun.command.git import Repository
from tagrun.command.say import Refusal
from tagrun.extra import gsheet

pytest.importorskip('gspread', reason='pip install -r code/requirements-gsheet.txt')
import googly  # noqa: E402

HOSTILE = ('=1+1', '+cmd', '-2+3', '@SUM(A1)', '=HYPERLINK("http://x","y")', '\tTAB', '＝1', "'quoted")


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    project = stub.make(tmp_path_factory.mktemp('gsheet') / "a 'b; c")
    for number, text in enumerate(HOSTILE):
        made.run(project.root, f't/{number}', {'model': text, text: 1, 'lr': -0.5}, {'val/acc': number / 10 if number else 'nan'})
    made.run(project.root, 'seeded/0', seed=2 ** 62 + 1)
    return project


@pytest.fixture
def google(tmp_path, project):
    with googly.Google(tmp_path) as google:
        project.git('config', 'tagrun.gsheet.key', google.key)
        project.git('config', 'tagrun.gsheet.sheet', f'https://docs.google.com/spreadsheets/d/{googly.ID}/edit#gid=0')
        yield google


@pytest.fixture
def publish(project, google):
    """Runs the verb; whatever it says, nothing of the key, the token or a header is in it."""
    def run(*words, code=0, **more):
        done = project.tagrun('publish', 'gsheet', *words, code=code, env=google.env, **more)
        for secret in ('CANARY', 'PRIVATE KEY', 'Bearer', 'Authorization', json.loads(google.key.read_text()).get('private_key', 'no key')[60:90]):
            assert secret not in done.stdout + done.stderr, done.stderr
        return done
    return run


def test_the_whole_table_stands_in_the_sheet_numbers_as_numbers_and_text_as_text(google, publish):
    done = publish()
    head, *rows = google.rows('finished')
    assert f'9 rows in the worksheet \'finished\': https://docs.google.com/spreadsheets/d/{googly.ID}' in done.stderr
    assert head[0] == 'expernameid' and [row[0] for row in rows] == [*(f't/{number}' for number in range(8)), 'seeded/0']
    column = {name: place for place, name in enumerate(head)}
    assert rows[3][column['val/acc']] == 0.3 and rows[0][column['val/acc']] == 'nan' and rows[3][column['lr']] == -0.5
    assert [row[column['model']] for row in rows[:8]] == [text if text == "'quoted" else f"'{text}" for text in HOSTILE]
    assert not [cell for row in [head, *rows] for cell in row if isinstance(cell, str) and cell.startswith(('=', '+', '-', '@', '\t', '＝'))]


def test_a_second_table_leaves_nothing_of_the_first_and_chooses_as_table_does(google, publish):
    publish('--keep', 'seed')
    assert str(2 ** 62 + 1) in google.rows('finished')[-1]      # a sheet's number would have lost its last digits
    publish('--top', '2', '--drop', '.*', '--keep', 'val/acc')
    assert google.rows('finished') == [['expernameid', 'val/acc'], ['seeded/0', 0.75], ['t/7', 0.7]]
    publish('--group', '--keep', 'x')
    assert 'val/acc std' in google.rows('finished')[0]


def test_another_worksheet_is_made_and_one_that_is_too_small_grows(project, google, publish):
    google.sheets['my runs'], google.sizes['my runs'] = {(1, 1): 'old'}, (2, 1)
    project.git('config', 'tagrun.gsheet.worksheet', 'my runs')
    try:
        publish()
    finally:
        project.git('config', '--unset', 'tagrun.gsheet.worksheet')
    assert len(google.rows('my runs')) == 10 and 'finished' not in google.sheets


@pytest.mark.parametrize('trouble', [[503, None, 429, 503, 500], [None, 'drop', None, 429, 'drop', 502]])
def test_what_fails_for_a_moment_is_tried_again(google, publish, trouble):
    google.trouble = list(trouble)
    publish()
    assert len(google.rows('finished')) == 10 and not google.trouble


@pytest.mark.parametrize('status, told', [
    (403, f'does not let {googly.EMAIL} write there: share the sheet'), (404, 'knows no such sheet'), (401, 'does not take the key'), (400, 'HTTP 400')])
def test_what_google_refuses_is_one_sentence_with_the_cure(google, publish, status, told):
    google.trouble = [None] + [status] * 9      # after the token
    done = publish(code=1)
    assert told in done.stderr and len(done.stderr.strip().splitlines()) == 2      # the set, and the sentence


def test_a_key_that_google_took_back_is_said(google, publish):
    google.write_key(googly._new_key())
    assert f'does not take the key of {googly.EMAIL}' in publish(code=1).stderr


def test_an_answer_that_does_not_come_is_waited_for_so_long_and_no_longer(project, google, monkeypatch):
    for name, value in google.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(gsheet, 'TIMEOUT_S', (1, 0.5))
    monkeypatch.setattr(gsheet, 'RETRIES', 1)
    google.trouble = [None, 'hang', 'hang']
    with pytest.raises(gsheet.Temporary, match='cannot be reached'):
        gsheet.opened(Repository.at(project.root), 'finished')


def test_no_way_to_google_is_said(google, publish):
    google.env['HTTPS_PROXY'] = 'http://127.0.0.1:9'
    assert 'cannot be reached' in publish(code=1, timeout=120).stderr


@pytest.mark.parametrize('damage, told', [
    (lambda path, project: path.chmod(0o644), 'chmod 600'),
    (lambda path, project: path.write_text('CANARY'), 'is no key of a service account'),
    (lambda path, project: path.write_text('{"type": "authorized_user", "CANARY": 1}'), 'is no key of a service account'),
    (lambda path, project: path.write_text(json.dumps({**json.loads(path.read_text()), 'private_key': 'CANARY'})), 'no private key that can be read'),
    (lambda path, project: path.unlink(), 'No such file'),
    (lambda path, project: project.git('config', 'tagrun.gsheet.key', 'key.json') or (project.root / 'key.json').write_text('CANARY'), 'lies in the project'),
    (lambda path, project: project.git('config', 'tagrun.gsheet.key', project.root / '.git' / 'key.json'), 'lies in the project'),
    (lambda path, project: project.git('config', '--unset', 'tagrun.gsheet.key'), 'names no key'),
    (lambda path, project: project.git('config', 'tagrun.gsheet.sheet', 'https://evil.example/d/x'), 'neither the address'),
    (lambda path, project: project.git('config', '--unset', 'tagrun.gsheet.sheet'), 'names no sheet')])
def test_a_key_or_sheet_that_cannot_be_is_refused_before_anything_is_asked(project, google, damage, told):
    damage(google.key, project)
    with pytest.raises(Refusal) as refusal:
        gsheet.opened(Repository.at(project.root), 'finished')
    (project.root / 'key.json').unlink(missing_ok=True)
    assert told in str(refusal.value) and 'CANARY' not in str(refusal.value) and not google.requests


def test_a_key_reached_through_a_link_into_the_project_is_refused_too(project, google):
    (project.root / '__data__' / 'key.json').write_bytes(google.key.read_bytes())
    google.key.unlink()
    os.symlink(project.root / '__data__' / 'key.json', google.key)
    with pytest.raises(Refusal, match='lies in the project'):
        gsheet.opened(Repository.at(project.root), 'finished')


def test_live_keeps_a_running_row_up_to_date_and_ends_with_the_run(tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    with googly.Google(tmp_path) as google:
        project.git('config', 'tagrun.gsheet.key', google.key)
        project.git('config', 'tagrun.gsheet.sheet', googly.ID)
        made.run(project.root, 'old/0')
        project.env.update(google.env)
        training = project.start('run', 'slow', '--set', "how='slow'")
        wait_for((project.folder('slow/0') / 'statistic.json').exists, what='the run')
        live = project.start('publish', 'gsheet', '--live', '--every', '1')
        wait_for(lambda: 'finished' in google.sheets and len(google.rows('finished')) == 3, what='its row')
        head, old, slow = google.rows('finished')
        assert head[:5] == ['expernameid', 'state', 'progress', 'left', 'latest val/acc']
        assert slow[:3] == ['slow/0', 'running', '1/1'] and slow[4] == 0.5 and old[:3] == ['old/0', 'finished', '']
        path = project.folder('slow/0') / 'statistic.json'
        google.trouble, before = [503] * 2, len(google.requests)
        path.write_text(path.read_text().replace('0.5', '0.75'))
        wait_for(lambda: google.rows('finished')[2][4] == 0.75, what='the new figure')
        sent = [body for _, what, body in google.requests[before:] if what.endswith('/values:batchUpdate')]
        assert 'old/0' not in sent[-1] and 'slow/0' in sent[-1]     # the row that changed, and no other
        (project.root / 'go').touch()
        assert training.wait(60) == 0 and live.wait(60) == 0
        assert google.rows('finished')[2][1] == 'finished' and 'no run is running any more' in live.stderr.read()


def test_a_live_sheet_that_google_refuses_does_not_touch_the_run(tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    with googly.Google(tmp_path) as google:
        project.git('config', 'tagrun.gsheet.key', google.key)
        project.git('config', 'tagrun.gsheet.sheet', googly.ID)
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
    (tmp_path / 'gspread.py').write_text('raise ModuleNotFoundError("No module named gspread", name="gspread")')
    done = project.tagrun('publish', 'gsheet', code=1, env={**google.env, 'PYTHONPATH': str(tmp_path)})
    assert 'needs the package gspread' in done.stderr and 'requirements-gsheet.txt' in done.stderr
