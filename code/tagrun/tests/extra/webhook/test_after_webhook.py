"""The webhook: what is posted when a run has ended,
and that no server can delay or change the run.
"""

import json
import re
import time

import pytest
import run_factory
import stub_project
from project_factory import Project, wait_for
from webhook_server import SECRET

from tagrun.extra.webhook import after_webhook
from tagrun.store import run_json, statistic


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    made = stub_project.make(tmp_path_factory.mktemp('hooked') / "a 'b; c")
    return Project(made.root)


def posted(project, server, tag, how, code, login=''):
    """The body that a run ending so has posted, and what the run said."""
    project.env['no_proxy'] = '127.0.0.1'
    project.git('config', 'tagrun.webhook', server.url(login))
    said = project.tagrun('run', tag, '--set', f"how='{how}'", code=code).stderr
    wait_for(lambda: server.got, 10, 'the post')
    return server.got[-1], said


@pytest.mark.parametrize(
    'how, code', [('finished', 0), ('failed', 1), ('killed', 137), ('interrupted', 75)]
)
def test_one_line_of_json_is_posted_when_a_run_has_ended(project, server, how, code):
    (path, login, line), said = posted(project, server, f'e-{how}', how, code, 'me:pass%20word@')
    body = json.loads(line)
    assert (body['event'], body['run'], len(line.splitlines())) == (how, f'e-{how}/0', 1)
    assert (
        body['text'].startswith(f'e-{how}/0 {how}') and body['seed'] and len(body['commit']) == 40
    )
    assert (path, login) == (f'/{SECRET}?key=1', 'Basic bWU6cGFzcyB3b3Jk')
    assert str(project.root) not in line.decode() and 'webhook' not in said and SECRET not in said
    assert len(server.got) == 1


@pytest.mark.parametrize('status', [302, 404, 500])
def test_a_server_that_does_not_take_it_is_one_line_and_changes_nothing(project, server, status):
    server.status = status
    _, said = posted(project, server, f's{status}', 'finished', 0)
    assert [line for line in said.splitlines() if 'webhook' in line] == [
        f'tagrun: the webhook at http://127.0.0.1: it answered {status}'
    ]
    assert SECRET not in said and len(server.got) == 1  # no redirection was followed


def test_a_server_that_does_not_answer_does_not_keep_the_run(project, server):
    server.delay_s = 8
    start = time.monotonic()
    _, said = posted(project, server, 'slow', 'finished', 0)
    assert 'goes on in the background' in said and time.monotonic() - start < 7


@pytest.mark.parametrize(
    'url', ['file:///etc/passwd', 'ftp://host/x', 'nonsense', 'http://[bad', 'https://']
)
def test_only_the_web_is_posted_to(project, url):
    project.git('config', 'tagrun.webhook', url)
    said = project.tagrun('run', '-f', f'u{abs(hash(url))}').stderr
    assert 'holds no http or https URL: nothing was posted' in said


def test_a_token_in_a_message_is_redacted(project, server):
    project.git('config', 'tagrun.webhook', server.url())
    project.tagrun('run', 'secret')
    folder = project.folder('secret/0')
    statistic.write(
        folder,
        {
            **statistic.read(folder),
            'message': 'no access with ghp_' + 'a' * 36 + ' to https://u:pw@h/x',
            'metric': {'val/acc': 'nan'},
        },
    )
    body = after_webhook.body(folder, {'tag': 'secret', 'id': 0, 'seed': 1, 'commit': None})
    assert body[
        'message'
    ] == 'no access with (hidden) to https://(hidden)@h/x' and 'ghp_' not in json.dumps(body)
    assert body['metric'] == {'val/acc': 'nan'}


@pytest.fixture
def folder(tmp_path):
    """A run's folder with its run.json."""
    folder = tmp_path / '__result__' / 't1' / '0'
    folder.mkdir(parents=True)
    run_json.write(folder, run_json.build(tmp_path, 't1', 0, 'c' * 40, 7))
    return folder


def body_of(folder, **content):
    if content:
        statistic.write(folder, {'watch': 'val/acc', 'epochs': 60, 'best_epoch': 37, **content})
    return after_webhook.body(folder, run_json.read(folder))


def test_the_text_says_how_the_run_ended_and_how_good_it_was(folder):
    body = body_of(folder, status='finished', metric={'val/acc': 0.91})
    assert body['text'] == 't1/0 finished: val/acc 0.91 at epoch 37 of 60'
    assert (body['best'], body['seed'], body['commit'], body['same']) == (0.91, 7, 'c' * 40, None)
    body = body_of(folder, status='failed', metric={}, message='no room')
    assert body['text'] == 't1/0 failed (no room)' and body['best'] is None


@pytest.mark.parametrize(
    'same, text',
    [
        (True, '; the same as the run it repeats, bit for bit'),
        (False, '; NOT the same as the run it repeats'),
    ],
)
def test_the_text_says_whether_a_rerun_is_the_same(folder, same, text):
    info = run_json.read(folder) | {'rerun_of': 't0/0', 'exact': True, 'verdict': {'same': same}}
    run_json.write(folder, info)
    body = body_of(folder, status='finished')
    assert body['same'] is same and body['text'] == f't1/0 finished{text}'


def test_a_run_that_wrote_nothing_has_failed(folder):
    body = body_of(folder)
    assert (body['event'], body['metric'], body['text']) == ('failed', {}, 't1/0 failed')


def test_a_run_that_says_running_and_is_dead_was_killed(folder):
    assert body_of(folder, status='running')['event'] == 'killed'


def test_without_an_address_nothing_is_posted(folder, capsys):
    class NoWebhook:
        def config(self, name):
            assert name == 'webhook'

    after_webhook.after(NoWebhook(), folder, run_json.read(folder))
    assert capsys.readouterr().err == ''


HOSTILE = [
    '<!channel> look',
    '<!here|x>',
    '<!everyone>',
    '<@U012AB3CD>',
    '<#C012AB3CD>',
    '<!subteam^S1>',
    '<https://evil.example|your login>',
    '&lt;!channel&gt;',
    '@everyone',
    'x@everyone',
    '(@here)',
    '@channel @all @bob',
    '<@&123456789>',
    '[your login](https://evil.example)',
    '[a]: https://evil.example',
    'https://evil.example',
    'HTTP://evil.example',
    'www.evil.example',
    'mailto:a@evil.example',
    'javascript:alert(1)',
    '<b onclick=x>',
    '```\n@everyone\n```',
    'a\n# heading\n> quote',
    '\x1b[31mred\u202e',
]


@pytest.mark.parametrize('hostile', HOSTILE)
@pytest.mark.parametrize('key', ['message', 'monitor'])
def test_no_chat_server_finds_markup_in_the_text(tmp_path, hostile, key):
    metric = {hostile if key == 'monitor' else 'val/acc': 0.5}
    more = {'monitor': next(iter(metric)), 'message': hostile if key == 'message' else None}
    folder = run_factory.run(tmp_path, 't1/0', metric=metric, **more)
    body = after_webhook.body(folder, run_json.read(folder))
    text = body['text']
    assert not set(text) & set('<>&`\n\x1b') and '://' not in text and '](' not in text
    assert not re.search(r'(?<!\w)@|@(everyone|here|channel|all)|www\.|(mailto|script):', text)
    # the data beside it are as they were
    assert body[key] == hostile


def test_an_ordinary_text_is_not_changed(tmp_path):
    text = 't1@bob/0 failed: val/acc 0.91 at epoch 3 of 60 (ValueError: a[0] (b) in x.py:3 #2 *)'
    assert after_webhook.for_chat(text) == text
