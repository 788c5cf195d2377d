"""A worksheet of Google Sheets, with the real gspread: what is sent, and what goes wrong."""

import json
import os
from types import SimpleNamespace

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.publish import gsheet

pytest.importorskip('gspread', reason='pip install -r code/requirements-gsheet.txt')
import fake_google  # noqa: E402


def test_another_worksheet_is_made_and_one_that_is_too_small_grows(project, google, publish):
    google.sheets['my runs'], google.sizes['my runs'] = {(1, 1): 'old'}, (2, 1)
    project.git('config', 'tagrun.gsheet.worksheet', 'my runs')
    try:
        publish()
    finally:
        project.git('config', '--unset', 'tagrun.gsheet.worksheet')
    assert len(google.rows('my runs')) == 10 and 'finished' not in google.sheets


@pytest.mark.parametrize(
    'trouble',
    [
        [503, None, 'drop', 429],
        pytest.param([503, None, 429, 503, 500], marks=pytest.mark.slow),
        pytest.param([None, 'drop', None, 429, 'drop', 502], marks=pytest.mark.slow),
    ],
)
def test_what_fails_for_a_moment_is_tried_again(google, publish, trouble):
    google.trouble = list(trouble)
    publish()
    assert len(google.rows('finished')) == 10 and not google.trouble


@pytest.mark.parametrize(
    'status, told',
    [
        (403, f'does not let {fake_google.EMAIL} write there: share the sheet'),
        (404, 'has no such sheet'),
        (401, 'does not take the key'),
        (400, 'HTTP 400'),
    ],
)
def test_what_google_refuses_is_one_sentence_with_the_cure(google, publish, status, told):
    google.trouble = [None] + [status] * 9  # after the token
    done = publish(code=1)
    # the set, and the sentence
    assert told in done.stderr and len(done.stderr.strip().splitlines()) == 2


def test_a_key_that_google_took_back_is_said(google, publish):
    google.write_key(fake_google.new_key())
    assert f'does not take the key of {fake_google.EMAIL}' in publish(code=1).stderr


def test_an_answer_that_does_not_come_is_waited_for_so_long_and_no_longer(
    project, google, monkeypatch
):
    for name, value in google.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(gsheet, 'TIMEOUT_S', (1, 0.5))
    monkeypatch.setattr(gsheet, 'RETRIES', 1)
    google.trouble = [None, 'hang', 'hang']
    with pytest.raises(gsheet.TemporaryError, match='cannot be reached'):
        gsheet.open_worksheet(Repository.at(project.root), 'finished')


def test_no_way_to_google_is_said(google, publish):
    google.env['HTTPS_PROXY'] = 'http://127.0.0.1:9'
    assert 'cannot be reached' in publish(code=1, timeout=120).stderr


@pytest.mark.parametrize(
    'damage, told',
    [
        (lambda path, project: path.chmod(0o644), 'chmod 600'),
        (lambda path, project: path.write_text('CANARY'), 'is not a key of a service account'),
        (
            lambda path, project: path.write_text('{"type": "authorized_user", "CANARY": 1}'),
            'is not a key of a service account',
        ),
        (
            lambda path, project: path.write_text(
                json.dumps({**json.loads(path.read_text()), 'private_key': 'CANARY'})
            ),
            'no private key that can be read',
        ),
        (lambda path, project: path.unlink(), 'No such file'),
        (
            lambda path, project: (
                project.git('config', 'tagrun.gsheet.key', 'key.json')
                or (project.root / 'key.json').write_text('CANARY')
            ),
            'lies in the project',
        ),
        (
            lambda path, project: project.git(
                'config', 'tagrun.gsheet.key', project.root / '.git' / 'key.json'
            ),
            'lies in the project',
        ),
        (
            lambda path, project: project.git('config', '--unset', 'tagrun.gsheet.key'),
            'names no key',
        ),
        (
            lambda path, project: project.git(
                'config', 'tagrun.gsheet.sheet', 'https://evil.example/d/x'
            ),
            'neither the address',
        ),
        (
            lambda path, project: project.git('config', '--unset', 'tagrun.gsheet.sheet'),
            'names no sheet',
        ),
    ],
)
def test_a_key_or_sheet_that_cannot_be_is_refused_before_anything_is_asked(
    project, google, damage, told
):
    damage(google.key, project)
    with pytest.raises(UserError) as refusal:
        gsheet.open_worksheet(Repository.at(project.root), 'finished')
    (project.root / 'key.json').unlink(missing_ok=True)
    assert told in str(refusal.value) and 'CANARY' not in str(refusal.value) and not google.requests


def test_a_key_reached_through_a_link_into_the_project_is_refused_too(project, google):
    (project.root / '__data__' / 'key.json').write_bytes(google.key.read_bytes())
    google.key.unlink()
    os.symlink(project.root / '__data__' / 'key.json', google.key)
    with pytest.raises(UserError, match='lies in the project'):
        gsheet.open_worksheet(Repository.at(project.root), 'finished')


class Worksheet:
    """Records what a worksheet is asked to do."""

    def __init__(self, rows=10, columns=5):
        self.row_count, self.col_count = rows, columns
        self.client = SimpleNamespace(auth=SimpleNamespace(service_account_email='a@b'))
        self.calls = []

    def batch_update(self, ranges, value_input_option):
        assert value_input_option == 'RAW'
        self.calls.append({part['range']: part['values'] for part in ranges})

    def batch_clear(self, ranges):
        self.calls.append(ranges)

    def resize(self, rows, columns):
        self.calls.append((rows, columns))
        self.row_count, self.col_count = rows, columns


def test_only_rows_that_differ_are_sent_neighbours_as_one_range():
    worksheet = Worksheet()
    before = [['a'], [1], [2], [3], [4]]
    gsheet.write(worksheet, [['a'], [9], [8], [3], [7]], before)
    assert worksheet.calls == [{'A2': [[9], [8]], 'A5': [[7]]}]


def test_what_a_larger_table_left_is_cleared_last():
    worksheet = Worksheet(rows=10, columns=5)
    gsheet.write(worksheet, [['a', 'b'], [1, 2]])
    assert worksheet.calls == [{'A1': [['a', 'b'], [1, 2]]}, ['A3:E10', 'C1:E10']]


def test_a_table_with_other_columns_is_sent_as_a_whole():
    worksheet = Worksheet(rows=2, columns=2)
    gsheet.write(worksheet, [['a', 'b'], [1, 2]], [['a'], [1]])
    assert worksheet.calls == [{'A1': [['a', 'b'], [1, 2]]}]


def test_a_small_worksheet_grows_and_a_large_table_goes_in_parts(monkeypatch):
    monkeypatch.setattr(gsheet, 'MAX_CELLS', 4)
    worksheet = Worksheet(rows=1, columns=9)
    gsheet.write(worksheet, [['a', 'b'], [1, 2], [3, 4]])
    assert worksheet.calls[0] == (3, 9)
    assert worksheet.calls[1:3] == [{'A1': [['a', 'b'], [1, 2]]}, {'A3': [[3, 4]]}]


@pytest.mark.parametrize(
    'address',
    [
        fake_google.ID,
        f'https://docs.google.com/spreadsheets/d/{fake_google.ID}',
        f'https://docs.google.com/spreadsheets/u/0/d/{fake_google.ID}/edit?x=1#gid=0',
    ],
)
def test_a_sheet_is_named_by_its_address_or_its_id(project, google, address):
    project.git('config', 'tagrun.gsheet.sheet', address)
    worksheet = gsheet_of(project, google)
    assert worksheet.title == 'finished' and worksheet.spreadsheet.id == fake_google.ID


def gsheet_of(project, google):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in google.env.items():
            patch.setenv(name, value)
        return gsheet.open_worksheet(Repository.at(project.root), 'finished')
