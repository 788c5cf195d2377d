"""The webhook: what is posted when a run has ended, and that no server can delay or change the run."""
import http.server
import json
import threading
import time

import pytest
import stub
from conftest import Project, wait_for

SECRET = 'T0kenInThePath'


class Server:
    """Answers every POST with `status`, after `delay_s`; `got` holds (path, Authorization, body)."""

    def __init__(self):
        self.status, self.delay_s, self.got = 200, 0, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                server.got.append((self.path, self.headers['Authorization'], body))
                time.sleep(server.delay_s)
                self.send_response(server.status)
                self.send_header('Location', '/elsewhere')
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, login=''):
        return f'http://{login}127.0.0.1:{self._server.server_port}/{SECRET}?key=1'

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    made = stub.make(tmp_path_factory.mktemp('hooked') / "a 'b; c")
    return Project(made.root)


def posted(project, server, tag, how, code, login=''):
    """The body that a run ending so has posted, and what the run said."""
    project.env['no_proxy'] = '127.0.0.1'
    project.git('config', 'tagrun.webhook', server.url(login))
    said = project.tagrun('run', tag, '--set', f"how='{how}'", code=code).stderr
    wait_for(lambda: server.got, 10, 'the post')
    return server.got[-1], said


@pytest.mark.parametrize('how, code', [('finished', 0), ('failed', 1), ('killed', 75), ('interrupted', 75)])
def test_one_line_of_json_is_posted_when_a_run_has_ended(project, server, how, code):
    (path, login, line), said = posted(project, server, f'e-{how}', how, code, 'me:pass%20word@')
    body = json.loads(line)
    assert (body['event'], body['run'], len(line.splitlines())) == (how, f'e-{how}/0', 1)
    assert body['text'].startswith(f'e-{how}/0 {how}') and body['seed'] and len(body['commit']) == 40
    assert (path, login) == (f'/{SECRET}?key=1', 'Basic bWU6cGFzcyB3b3Jk')
    assert str(project.root) not in line.decode() and 'webhook' not in said and SECRET not in said
    assert len(server.got) == 1


@pytest.mark.parametrize('status', [302, 404, 500])
def test_a_server_that_does_not_take_it_is_one_line_and_changes_nothing(project, server, status):
    server.status = status
    _, said = posted(project, server, f's{status}', 'finished', 0)
    assert [line for line in said.splitlines() if 'webhook' in line] == [f'tagrun: the webhook at http://127.0.0.1: it answered {status}']
    assert SECRET not in said and len(server.got) == 1      # no redirection was followed


def test_a_server_that_does_not_answer_does_not_keep_the_run(project, server):
    server.delay_s = 8
    start = time.monotonic()
    _, said = posted(project, server, 'slow', 'finished', 0)
    assert 'goes on in the background' in said and time.monotonic() - start < 7


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'ftp://host/x', 'nonsense', 'http://[bad', 'https://'])
def test_only_the_web_is_posted_to(project, url):
    project.git('config', 'tagrun.webhook', url)
    said = project.tagrun('run', '-f', f'u{abs(hash(url))}').stderr
    assert 'holds no http or https URL: nothing was posted' in said


def test_a_token_in_a_message_is_blotted_out(project, server):
    from tagrun.extra import after_webhook
    from tagrun.store import statistic
    project.git('config', 'tagrun.webhook', server.url())
    project.tagrun('run', 'told')
    folder = project.folder('told/0')
    statistic.write(folder, {**statistic.read(folder), 'message': 'no access with ghp_' + 'a' * 36 + ' to https://u:pw@h/x', 'metric': {'val/acc': 'nan'}})
    body = after_webhook.body(project.root, folder, {'tag': 'told', 'id': 0, 'seed': 1, 'commit': None})
    assert body['message'] == 'no access with (hidden) to https://(hidden)@h/x' and 'ghp_' not in json.dumps(body)
    assert body['metric'] == {'val/acc': 'nan'}
