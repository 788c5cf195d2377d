"""The program that posts: what it sends, and what it says where the server does not take it."""

import json
import subprocess
import sys

import pytest

from tagrun.extra.webhook import post_webhook


def run_program(url, body):
    """The program as after_webhook.py starts it: (exit code, stderr)."""
    done = subprocess.run(
        [sys.executable, '-I', post_webhook.__file__],
        input=json.dumps({'url': url, 'body': body}),
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stderr


def test_the_body_is_posted_as_one_line_of_json(server):
    assert post_webhook.post(server.url(), {'event': 'finished'}) == ''
    path, login, body = server.got[0]
    assert path.endswith('?key=1') and login is None
    assert body == b'{"event": "finished"}\n'


def test_a_login_goes_into_a_header(server):
    assert post_webhook.post(server.url('me:pass%20word@'), {}) == ''
    assert server.got[0][1] == 'Basic bWU6cGFzcyB3b3Jk'


@pytest.mark.parametrize('status', [301, 307, 403, 500])
def test_an_answer_that_is_no_success_is_said_and_no_redirection_followed(server, status):
    server.status = status
    assert post_webhook.post(server.url(), {}) == f'it answered {status}'
    assert len(server.got) == 1


@pytest.mark.parametrize(
    'url', ['http://127.0.0.1:9/hook', 'http://[bad/', 'http://host.invalid/hook', 'http://h:x/']
)
def test_what_cannot_be_reached_is_one_sentence_without_the_address(url):
    why = post_webhook.post(url, {})
    assert why and '/hook' not in why and '\n' not in why


def test_the_program_ends_with_0_or_says_why_not(server):
    assert run_program(server.url(), {'a': 1}) == (0, '')
    server.status = 404
    assert run_program(server.url(), {'a': 1}) == (1, 'it answered 404\n')


def test_a_server_that_does_not_answer_is_waited_for_so_long(server, monkeypatch):
    monkeypatch.setattr(post_webhook, 'PATIENCE_S', 0.3)
    server.delay_s = 1
    assert post_webhook.post(server.url(), {}) in ('timed out', 'TimeoutError')
