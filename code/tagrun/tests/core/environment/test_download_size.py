"""How much pip is going to download: from pip's report and the index, or unknown."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tagrun.core.environment import download_size


class Index(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        if self.path != '/unknown':
            self.send_header('Content-Length', '3000000')
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def index():
    server = HTTPServer(('127.0.0.1', 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


def pip(*addresses):
    """The words of a command that writes such a report as pip does."""
    packages = [{'download_info': {'url': address}} for address in addresses]
    report = json.dumps({'install': packages})
    return [sys.executable, '-c', f'import sys; open(sys.argv[-1], "w").write({report!r})']


@pytest.fixture
def describe(tmp_path):
    def describe(words):
        with open(tmp_path / 'lock', 'wb') as lock:
            return download_size.describe(words, tmp_path / 'report', lock.fileno())

    return describe


def test_the_sizes_of_all_packages_are_added_up(describe, index, tmp_path):
    wheel = tmp_path / 'a b.whl'
    wheel.write_bytes(b'0' * 500_000)
    assert describe(pip(f'{index}/torch', wheel.as_uri())) == (
        '2 packages, 3.5 MB to download, less what pip has in its cache'
    )


def test_one_unknown_size_makes_the_sum_unknown(describe, index):
    assert describe(pip(f'{index}/torch', f'{index}/unknown')) == '2 packages, size unknown'


@pytest.mark.parametrize('program', ['raise SystemExit(1)', 'pass'])
def test_a_pip_that_fails_or_reports_nothing_is_no_error(describe, program):
    assert describe([sys.executable, '-c', program]) == 'size of the download unknown'


def test_an_address_that_nobody_answers_has_no_size(tmp_path):
    assert download_size.file_size('http://127.0.0.1:9/x') is None
    assert download_size.file_size((tmp_path / 'absent').as_uri()) is None
    assert download_size.file_size('nonsense') is None


def test_bytes_are_written_for_a_reader():
    assert download_size.readable(10) == '0.1 MB'
    assert download_size.readable(1_234_000_000) == '1.2 GB'
